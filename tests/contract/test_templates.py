"""What SOPS says of its templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.errors import SopsNotFoundError
from tests.contract.server import NO_SUCH_ID

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = [pytest.mark.contract, pytest.mark.integration]


@pytest.mark.template("linear")
def test_the_list_names_each_template_of_the_business(gateway_hook: SopsHook, template_ids: dict[str, int]) -> None:
    names = {item.id: item.name for item in gateway_hook.get_template_list()}
    assert names[template_ids["linear"]] == gateway_hook.get_template_info(template_ids["linear"]).name


def test_the_list_is_newest_first(hook: SopsHook) -> None:
    ids = [item.id for item in hook.get_template_list() if item.id is not None]
    assert ids == sorted(ids, reverse=True)


@pytest.mark.template("linear")
def test_the_list_can_be_searched_by_a_part_of_the_name(hook: SopsHook, template_ids: dict[str, int]) -> None:
    name = hook.get_template_info(template_ids["linear"]).name
    found = hook.get_template_list(name_keyword=name[1:])
    assert template_ids["linear"] in [item.id for item in found]
    assert all(name[1:].lower() in item.name.lower() for item in found)


@pytest.mark.template("linear")
def test_a_template_comes_with_its_tree_and_constants(hook: SopsHook, template_ids: dict[str, int]) -> None:
    template = hook.get_template_info(template_ids["linear"])
    assert template.id == template_ids["linear"]
    assert [node["name"] for node in template.activities.values()] == ["say hello", "wait", "say goodbye"]
    assert {"${who}", "${seconds}", "${greeting}", "${said}", "${unused}"} == set(template.constants)
    assert sorted(template.pipeline_tree["outputs"]) == ["${greeting}", "${said}", "${who}"]


@pytest.mark.template("password")
def test_constants_of_type_password_are_known_as_such(hook: SopsHook, template_ids: dict[str, int]) -> None:
    assert hook.get_template_info(template_ids["password"]).password_keys == {"${password}"}


@pytest.mark.template("nested")
def test_a_subprocess_names_its_template_and_holds_no_tree(hook: SopsHook, template_ids: dict[str, int]) -> None:
    activities = hook.get_template_info(template_ids["nested"]).activities.values()
    subprocesses = [node for node in activities if node["type"] == "SubProcess"]
    assert len(subprocesses) == 2
    assert all(node["template_id"].isdigit() and "pipeline" not in node for node in subprocesses)


@pytest.mark.since("3.32")
@pytest.mark.template("nested")
def test_unfolding_puts_the_tree_of_each_subprocess_into_it(hook: SopsHook, template_ids: dict[str, int]) -> None:
    template = hook.get_template_info(template_ids["nested"], unfold_subprocess=True)
    middle, leaf = (node for node in template.activities.values() if node["type"] == "SubProcess")
    inner_leaf = next(node for node in middle["pipeline"]["activities"].values() if node["type"] == "SubProcess")
    names = [node["name"] for node in leaf["pipeline"]["activities"].values()]
    assert names == [node["name"] for node in inner_leaf["pipeline"]["activities"].values()]
    assert "constants" not in leaf


@pytest.mark.since("2020")
@pytest.mark.template("common_linear")
def test_common_templates_are_listed_apart(hook: SopsHook, template_ids: dict[str, int]) -> None:
    common = template_ids["common_linear"]
    assert common in [item.id for item in hook.get_common_template_list()]
    assert common in [item.id for item in hook.get_template_list(template_source="common")]
    assert hook.get_common_template_info(common).name == hook.get_template_info(common, template_source="common").name
    with pytest.raises(SopsNotFoundError):
        hook.get_template_info(common)


@pytest.mark.since("2020")
@pytest.mark.template("optional")
def test_a_scheme_holds_the_ids_of_its_nodes_as_json_in_a_text(hook: SopsHook, template_ids: dict[str, int]) -> None:
    template_id = template_ids["optional"]
    (scheme,) = hook.get_template_schemes(template_id)
    assert scheme["id"]
    assert scheme["name"] == "only_check"
    activities = hook.get_template_info(template_id).activities
    assert [activities[node_id]["name"] for node_id in json.loads(scheme["data"])] == ["may check"]


@pytest.mark.since("2020")
def test_an_unknown_template_is_not_found(gateway_hook: SopsHook) -> None:
    with pytest.raises(SopsNotFoundError) as no_info:
        gateway_hook.get_template_info(NO_SUCH_ID)
    with pytest.raises(SopsNotFoundError) as no_schemes:
        gateway_hook.get_template_schemes(NO_SUCH_ID)
    assert no_info.value.code == no_schemes.value.code == 3540400


@pytest.mark.since("2020")
@pytest.mark.other_project
@pytest.mark.template("plain_project")
def test_a_project_without_a_business_is_reached_by_its_own_id(
    hook: SopsHook, other_project: SopsHook, template_ids: dict[str, int]
) -> None:
    plain = template_ids["plain_project"]
    assert plain in [item.id for item in other_project.get_template_list()]
    assert plain not in [item.id for item in hook.get_template_list()]
    with pytest.raises(SopsNotFoundError):
        hook.get_template_info(plain)

"""create_task: what becomes of names, constants and node ids, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError, SopsNotFoundError
from tests.contract.flows import new_name, tree_of
from tests.contract.server import NO_SUCH_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]


def constants_of(task: CreatedTask) -> Mapping[str, Any]:
    return {key: constant["value"] for key, constant in task.pipeline_tree["constants"].items()}


@pytest.mark.flow("quick")
def test_a_task_has_an_id_a_page_and_a_tree(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("quick")
    assert task.task_id > 0
    assert str(task.task_id) in task.task_url
    assert [node["name"] for node in task.pipeline_tree["activities"].values()] == ["quick"]
    detail = hook.get_task_detail(task.task_id, fresh=True)
    assert (detail.id, detail.task_url) == (task.task_id, task.task_url)
    assert set(detail.pipeline_tree["activities"]) == set(task.pipeline_tree["activities"])


@pytest.mark.template("linear")
@pytest.mark.parametrize(
    "value", [3, 2.5, "3", True, None, "", ["a", 1], {"a": {"b": [None, 1.5]}}, "中文 <>$&'\" #${"]
)
def test_the_types_of_constants_are_kept(flows: Flows, value: Any) -> None:
    kept = constants_of(flows.create("linear", constants={"${who}": value}))["${who}"]
    assert (type(kept), kept) == (type(value), value)


@pytest.mark.template("linear")
def test_unknown_constants_are_ignored_without_a_word(flows: Flows) -> None:
    task = flows.create("linear", constants={"${nobody}": "1", "who": "without dollar"})
    assert "${nobody}" not in constants_of(task)
    assert constants_of(task)["${who}"] == "world"


@pytest.mark.template("linear")
def test_constants_that_nothing_refers_to_are_dropped(flows: Flows) -> None:
    assert "${unused}" not in constants_of(flows.create("linear", constants={"${unused}": "changed"}))


@pytest.mark.template("leaf")
def test_an_output_that_no_node_refers_to_is_dropped(
    hook: SopsHook, flows: Flows, template_ids: dict[str, int]
) -> None:
    assert hook.get_template_info(template_ids["leaf"]).pipeline_tree["outputs"] == ["${reply}"]
    task = flows.create("leaf")
    assert task.pipeline_tree["outputs"] == []
    assert set(constants_of(task)) == {"${message}"}


@pytest.mark.template("linear")
@pytest.mark.parametrize("key", ["${greeting}", "${said}"], ids=["hidden", "component output"])
def test_constants_that_no_form_shows_can_be_set(flows: Flows, key: str) -> None:
    assert constants_of(flows.create("linear", constants={key: "changed"}))[key] == "changed"


@pytest.mark.since("2020")
@pytest.mark.flow("quick")
@pytest.mark.parametrize("characters", ["n" * 67, "任" * 67], ids=["ascii", "chinese"])
def test_a_name_may_have_100_characters_and_not_101(hook: SopsHook, flows: Flows, characters: str) -> None:
    name = (new_name("")[-32:] + " " + characters)[:100]
    task = flows.create("quick", name=name)
    assert hook.get_task_detail(task.task_id).name == name
    with pytest.raises(SopsInvalidParameterError) as refusal:
        flows.create("quick", name=name + "x")
    assert refusal.value.code == 3540000


@pytest.mark.flow("quick")
def test_a_name_is_kept_to_the_character(hook: SopsHook, flows: Flows) -> None:
    name = new_name("<b>$&'\" 中文 ${who} {{ ds }} %s")
    task = flows.create("quick", name=name)
    assert hook.get_task_detail(task.task_id).name == name


@pytest.mark.since("2020")
@pytest.mark.flow("quick")
@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({}, id="no name"),
        pytest.param({"name": ""}, id="empty name"),
        pytest.param({"name": 5}, id="name is a number"),
        pytest.param({"name": "x", "constants": ["${who}"]}, id="constants are a list"),
        pytest.param({"name": "x", "flow_type": "weird"}, id="unknown flow type"),
        pytest.param(
            {"name": "x", "callback_url": "ftp://example.com"},
            id="callback_url is not http",
            marks=pytest.mark.since("3.25"),
        ),
    ],
)
def test_malformed_parameters_are_refused(hook: SopsHook, any_template: int, parameters: Mapping[str, Any]) -> None:
    with pytest.raises(SopsInvalidParameterError) as refusal:
        hook.call("create_task", template_id=any_template, **parameters)
    assert refusal.value.code == 3540000
    assert not refusal.value.outcome_unknown


@pytest.mark.flow("quick")
def test_the_same_call_twice_makes_two_tasks(flows: Flows) -> None:
    name = new_name("twice")
    assert flows.create("quick", name=name).task_id != flows.create("quick", name=name).task_id


@pytest.mark.since("3.28")
@pytest.mark.template("linear")
def test_every_task_has_node_ids_of_its_own_and_names_the_templates(
    hook: SopsHook, flows: Flows, template_ids: dict[str, int]
) -> None:
    template = hook.get_template_info(template_ids["linear"])
    one, two = flows.create("linear").pipeline_tree, flows.create("linear").pipeline_tree
    for part in ("activities", "flows"):
        ids = [set(tree[part]) for tree in (one, two, template.pipeline_tree)]
        assert len(set.union(*ids)) == sum(map(len, ids))
    for tree in (one, two):
        origins = {node["template_node_id"]: node["name"] for node in tree["activities"].values()}
        assert origins == {node_id: node["name"] for node_id, node in template.activities.items()}


@pytest.mark.since("3.28")
@pytest.mark.template("nested")
def test_nodes_in_subprocesses_have_ids_of_their_own_too(flows: Flows) -> None:
    activities = flows.create("nested").pipeline_tree["activities"].values()
    middle, leaf = (node["pipeline"] for node in activities if node["type"] == "SubProcess")
    inner = next(node["pipeline"] for node in middle["activities"].values() if node["type"] == "SubProcess")
    assert not set(inner["activities"]) & set(leaf["activities"])
    # The same template used twice: the template's ids say which node it is, and not which of the two.
    origins = [{node["template_node_id"] for node in tree["activities"].values()} for tree in (inner, leaf)]
    assert origins[0] == origins[1]


@pytest.mark.since("3.28")
@pytest.mark.template("nested")
def test_a_subprocess_of_a_task_names_its_template_as_the_original_one(
    flows: Flows, hook: SopsHook, template_ids: dict[str, int]
) -> None:
    template = hook.get_template_info(template_ids["nested"]).activities
    for node in flows.create("nested").pipeline_tree["activities"].values():
        if node["type"] == "SubProcess":
            assert node["original_template_id"] == template[node["template_node_id"]]["template_id"]


@pytest.mark.since("2020")
@pytest.mark.template("common_linear")
@pytest.mark.parametrize("source", ["common", "a word that SOPS does not know"])
def test_a_common_template_needs_its_source(
    hook: SopsHook, template_ids: dict[str, int], flows: Flows, source: str
) -> None:
    task = flows.create("common_linear", template_source=source, constants={"${who}": "all"})
    assert constants_of(task)["${who}"] == "all"
    with pytest.raises(SopsNotFoundError):
        hook.create_task(template_ids["common_linear"], new_name())


@pytest.mark.since("3.28")
@pytest.mark.flow("quick")
def test_a_task_can_bring_its_own_tree(hook: SopsHook, any_template: int) -> None:
    tree = tree_of("linear", {"${who}": "own tree"})
    task = hook.create_task(any_template, new_name("own tree"), pipeline_tree=tree)
    names = [node["name"] for node in task.pipeline_tree["activities"].values()]
    assert names == ["say hello", "wait", "say goodbye"]
    assert constants_of(task)["${who}"] == "own tree"
    assert {node["template_node_id"] for node in task.pipeline_tree["activities"].values()} == set(tree["activities"])


@pytest.mark.since("2020")
@pytest.mark.flow("quick")
def test_a_tree_of_ones_own_is_checked(hook: SopsHook, any_template: int) -> None:
    with pytest.raises(SopsError) as refusal:
        hook.create_task(any_template, new_name(), pipeline_tree={"activities": {}})
    assert refusal.value.code == 3599999


@pytest.mark.since("2020")
@pytest.mark.template("plain_project")
@pytest.mark.other_project
def test_a_task_is_made_in_the_project_of_its_scope(
    other_project: SopsHook, hook: SopsHook, template_ids: dict[str, int]
) -> None:
    name = new_name("other project")
    task = other_project.create_task(template_ids["plain_project"], name)
    assert [item.id for item in other_project.get_task_list(keyword=name)] == [task.task_id]
    assert hook.get_task_list(keyword=name) == []
    with pytest.raises(SopsNotFoundError):
        hook.create_task(template_ids["plain_project"], name)


@pytest.mark.since("2020")
def test_an_unknown_template_is_not_found(gateway_hook: SopsHook) -> None:
    with pytest.raises(SopsNotFoundError) as no_template:
        gateway_hook.create_task(NO_SUCH_ID, new_name())
    assert no_template.value.code == 3540400
    assert not no_template.value.outcome_unknown

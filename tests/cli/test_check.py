from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from demo.local_sops import LocalSops
    from tests.cli.conftest import AirflowSops

pytestmark = pytest.mark.integration

#: What a snapshot that does not agree with its own tree is told.
BY_HAND = "the snapshot was edited by hand: its content does not match its hash"


def taken(airflow_sops: AirflowSops, template_id: int, edit: Callable[[Any], None] = lambda _: None) -> str:
    """Take a snapshot and edit it."""
    airflow_sops("snapshot", str(template_id), "--output", "flow.json")
    path = airflow_sops.folder / "flow.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return "flow.json"


def test_a_fresh_snapshot_agrees(airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]) -> None:
    done = airflow_sops("check", taken(airflow_sops, templates["nested"]))

    assert (done.code, done.err) == (0, "")
    assert done.out == f'flow.json: template {templates["nested"]} "nested": the same\n'


def test_a_whole_folder_is_checked(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    airflow_sops("snapshot", "--all", "flows", "--name", "parallel")

    done = airflow_sops("check", "flows")

    assert done.code == 0
    assert done.out.count(": the same\n") == sum("parallel" in name for name in templates)


def test_another_hash_of_the_same_tree_is_a_difference(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    path = taken(airflow_sops, templates["linear"], lambda content: content.update(content_hash="sha256-2:0"))

    done = airflow_sops("check", path)

    assert done.code == 1
    assert BY_HAND in done.out


@pytest.mark.parametrize(("name", "code"), [("nested", 0), ("linear", 1)])
def test_a_hash_of_an_earlier_version_counts_only_where_it_proves_something(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int], name: str, code: int
) -> None:
    """It depended on the order of sibling subprocesses, which snapshots do not keep."""
    path = taken(airflow_sops, templates[name], lambda content: content.update(content_hash="sha256:0"))

    done = airflow_sops("check", path)

    assert (done.code, BY_HAND in done.out) == (code, bool(code))


def exported(hook: SopsHook, templates: dict[str, int]) -> bytes:
    """A .dat file of templates as SOPS writes it: called by keys, and without the source of what they call."""
    flows = {}
    for template_id in templates.values():
        template = hook.get_template_info(template_id)
        tree = copy.deepcopy(dict(template.pipeline_tree))
        for activity in tree["activities"].values():
            if activity["type"] == "SubProcess":
                activity.pop("template_source", None)
                activity["template_id"] = f"n{activity['template_id']}"
        flows[f"n{template_id}"] = {"name": template.name, "tree": tree}
    facts = {key: {"id": int(key[1:]), "pipeline_template_id": key, "project_id": 1} for key in flows}
    data = {"template": facts, "pipeline_template_data": {"template": flows}, "template_source": "project"}
    return base64.b64encode(json.dumps({"template_data": data, "digest": ""}).encode())


def test_snapshots_of_an_export_agree_with_the_server(
    airflow_sops: AirflowSops, hook: SopsHook, templates: dict[str, int]
) -> None:
    some = {name: templates[name] for name in ("nested", "middle", "leaf", "exclusive", "password", "rollout")}
    (airflow_sops.folder / "flows.dat").write_bytes(exported(hook, some))

    written = airflow_sops("snapshot", "--from-export", "flows.dat", "--all", "flows")
    done = airflow_sops("check", "flows")

    assert (written.code, written.err) == (0, "")
    assert (done.code, done.out.count(": the same\n")) == (0, len(some)), done.out


def test_what_differs_is_said_in_words(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    def edit(content: Any) -> None:
        first = next(iter(content["pipeline_tree"]["activities"].values()))
        first["name"] = "something else"
        content["pipeline_tree"]["constants"]["${gone}"] = {"key": "${gone}", "value": "x"}

    done = airflow_sops("check", taken(airflow_sops, templates["linear"], edit))

    assert done.code == 1
    assert "changed: name" in done.out
    assert "  constant ${gone} was removed\n" in done.out


def test_a_template_that_is_gone_is_a_difference(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    path = taken(airflow_sops, templates["linear"], lambda content: content["template"].update(id=999999))

    done = airflow_sops("check", path)

    assert done.code == 1
    assert "the template no longer exists" in done.out


def test_one_difference_among_many_files_is_enough(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    airflow_sops("snapshot", str(templates["loop"]), "--output", "good.json")
    bad = taken(airflow_sops, templates["linear"], lambda content: content.update(content_hash="sha256-2:0"))

    assert airflow_sops("check", bad, "good.json").code == 1


@pytest.mark.parametrize("content", ["{}", '{"activities": {}}', "no json"])
def test_what_is_no_snapshot_cannot_be_checked(airflow_sops: AirflowSops, content: str) -> None:
    (airflow_sops.folder / "odd.json").write_text(content)

    done = airflow_sops("check", "odd.json")

    assert done.code == 2
    assert done.err.startswith("airflow-sops check: ")


def test_a_folder_without_snapshots_and_a_file_that_is_not_there_cannot_be_checked(airflow_sops: AirflowSops) -> None:
    (airflow_sops.folder / "empty").mkdir()

    assert [airflow_sops("check", path).code for path in ("empty", "nothing.json")] == [2, 2]


def test_a_server_that_cannot_be_reached_is_no_difference(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = taken(airflow_sops, templates["linear"])
    connection = json.loads(sops_default.connection_json())
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", json.dumps({**connection, "password": "wrong"}))

    done = airflow_sops("check", path)

    assert done.code == 2
    assert "get_template_info" in done.err

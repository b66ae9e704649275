"""The log of a node: its plugin's lines, with the engine's around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sops_client import BUSINESS, is_in, node_is

if TYPE_CHECKING:
    from sops_client import SopsClient

PASSWORD, APPROVAL = 20, 30


def test_the_engine_tells_all_variables_in_clear_text_passwords_too(sops: SopsClient) -> None:
    created = sops.run(PASSWORD, constants={"${password}": "hunter2"})
    sops.wait(created["task_id"], is_in("FINISHED"))
    (node_id,) = created["pipeline_tree"]["activities"]
    log = sops.get(f"get_task_node_log/{created['task_id']}/{BUSINESS}", node_id=node_id)["data"]
    assert "activity context values: [<ContextValue: {'key': '${password}'" in log
    assert "actvity hydrated context: {" in log
    assert "'password': 'hunter2'" in log


def test_its_lines_stand_around_those_of_the_plugin(sops: SopsClient) -> None:
    task_id = sops.run(APPROVAL)["task_id"]
    status = sops.wait(task_id, node_is("approve", "RUNNING"))
    node_id = next(key for key, node in status["children"].items() if node["name"] == "approve")
    lines = sops.get(f"get_task_node_log/{task_id}/{BUSINESS}", node_id=node_id)["data"].splitlines()
    place = lines.index("asks admin to approve: may it go on?")
    assert "hydrated context" in "".join(lines[:place])
    assert "pipeline[" in lines[place + 1]


def test_a_node_that_was_not_reached_has_none(sops: SopsClient) -> None:
    created = sops.create(APPROVAL)
    node_id = next(iter(created["pipeline_tree"]["activities"]))
    assert sops.get(f"get_task_node_log/{created['task_id']}/{BUSINESS}", node_id=node_id)["data"] == ""

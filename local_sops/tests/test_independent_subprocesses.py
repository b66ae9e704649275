"""Subprocesses that run as tasks of their own."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, is_in, node_ids, node_is, node_states, running_server
from tree_fixtures import display, tree_of

from local_sops.trees.independent import with_independent_subprocesses

if TYPE_CHECKING:
    from pathlib import Path

LEAF, INDEPENDENT, INDEPENDENT_PAUSE, INDEPENDENT_FAIL = 6, 32, 33, 34


def child_of(sops: SopsClient, created: dict[str, Any], name: str) -> int:
    """The task that a node runs: its id is among the node's outputs."""
    query = {"node_id": node_ids(created["pipeline_tree"])[name], "component_code": "subprocess_plugin"}
    detail = sops.get(f"get_task_node_detail/{created['task_id']}/{BUSINESS}", **query)["data"]
    outputs = {one["key"]: one["value"] for one in detail["outputs"]}
    assert outputs["task_url"].endswith(f"instance_id={outputs['task_id']}")
    return int(outputs["task_id"])


def failed_child(sops: SopsClient) -> tuple[dict[str, Any], int]:
    created = sops.run(INDEPENDENT_FAIL)
    sops.wait(created["task_id"], node_is("call what fails", "FAILED"))
    return created, child_of(sops, created, "call what fails")


def test_the_template_shows_a_subprocess_and_the_task_an_activity(sops: SopsClient) -> None:
    template = sops.get(f"get_template_info/{INDEPENDENT}/{BUSINESS}")["data"]["pipeline_tree"]
    (subprocess,) = (node for node in template["activities"].values() if node["type"] == "SubProcess")
    tree = sops.create(INDEPENDENT)["pipeline_tree"]
    node = tree["activities"][node_ids(tree)["call leaf"]]
    assert (node["type"], node["template_node_id"]) == ("ServiceActivity", subprocess["id"])
    assert (node["component"]["code"], node["component"]["version"]) == ("subprocess_plugin", "1.0.0")
    value = node["component"]["data"]["subprocess"]["value"]
    assert (value["subprocess_name"], node["original_template_id"]) == ("call leaf", str(LEAF))
    assert set(node_ids(value["pipeline"])) == {"leaf says", "leaf waits"}
    assert {place["type"] for place in tree["location"]} == {"startpoint", "tasknode", "endpoint"}


def test_the_child_is_a_task_that_takes_values_and_gives_outputs_back(sops: SopsClient) -> None:
    created = sops.run(INDEPENDENT, constants={"${topic}": "rain"})
    status = sops.wait(created["task_id"])
    assert node_states(status) == {"first": "FINISHED", "call leaf": "FINISHED", "last": "FINISHED"}
    assert status["children"][node_ids(created["pipeline_tree"])["call leaf"]]["children"] == {}
    outputs = {one["key"]: one["value"] for one in sops.detail(created["task_id"])["outputs"]}
    assert outputs["${answer}"] == "leaf heard: rain"
    child = child_of(sops, created, "call leaf")
    (item,) = (
        one for one in sops.get(f"get_task_list/{BUSINESS}", is_child_taskflow="true")["data"] if one["id"] == child
    )
    assert re.fullmatch(r"leaf_\d{14}", item["name"])
    assert (item["is_child_taskflow"], item["template_id"], item["executor"]) == (True, str(INDEPENDENT), "tester")
    others = sops.get(f"get_task_list/{BUSINESS}", is_child_taskflow="false")["data"]
    assert child not in {one["id"] for one in others}


def test_the_parent_runs_while_its_child_waits_for_a_person(sops: SopsClient) -> None:
    created = sops.run(INDEPENDENT_PAUSE)
    sops.wait(created["task_id"], node_is("call what waits", "RUNNING"))
    child = child_of_waiting(sops, created)
    status = sops.wait(child, lambda now: "RUNNING" in node_states(now).values())
    (waiting,) = (node["id"] for node in status["children"].values() if node["state"] == "RUNNING")
    assert sops.status(created["task_id"])["state"] == "RUNNING"
    body = {"node_id": waiting, "callback_data": {}}
    assert sops.post(f"node_callback/{child}/{BUSINESS}", body)["result"]
    sops.wait(created["task_id"], is_in("FINISHED"))


def child_of_waiting(sops: SopsClient, created: dict[str, Any]) -> int:
    """The child of a node that has only just begun: its outputs come a moment later."""
    query = {"node_id": node_ids(created["pipeline_tree"])["call what waits"]}
    path = f"get_task_node_detail/{created['task_id']}/{BUSINESS}"
    while not any(one["key"] == "task_id" for one in sops.get(path, **query)["data"]["outputs"]):
        time.sleep(0.02)
    return child_of(sops, created, "call what waits")


def test_a_failing_child_fails_the_parents_node_with_a_link(sops: SopsClient) -> None:
    created, child = failed_child(sops)
    assert sops.status(child)["state"] == "FAILED"
    (reason,) = sops.status(created["task_id"], with_ex_data=1)["ex_data"].values()
    assert reason.startswith('子流程节点执行异常，请<a href="http')
    assert f"instance_id={child}" in reason


@pytest.mark.parametrize("action", ["skip", "retry"])
def test_mending_the_child_lets_the_parent_wait_again(sops: SopsClient, action: str) -> None:
    created, child = failed_child(sops)
    (failed,) = (node["id"] for node in sops.status(child)["children"].values() if node["state"] == "FAILED")
    inputs = {"inputs": {"bk_timing": "0", "force_check": True}} if action == "retry" else {}
    sops.operate_node_when_asleep(child, failed, action, **inputs)
    status = sops.wait(created["task_id"], is_in("FINISHED"))
    node = status["children"][node_ids(created["pipeline_tree"])["call what fails"]]
    assert (node["state"], node["skip"], node["retry"]) == ("FINISHED", False, 0)


def test_the_parents_node_can_be_skipped(sops: SopsClient) -> None:
    created, _ = failed_child(sops)
    sops.operate_node_when_asleep(created["task_id"], node_ids(created["pipeline_tree"])["call what fails"], "skip")
    assert sops.wait(created["task_id"], is_in("FINISHED"))


def test_a_retry_of_the_parents_node_makes_another_child(sops: SopsClient) -> None:
    created, child = failed_child(sops)
    node_id = node_ids(created["pipeline_tree"])["call what fails"]
    sops.operate_node_when_asleep(created["task_id"], node_id, "retry")
    sops.wait(
        created["task_id"],
        lambda now: now["children"][node_id]["retry"] == 1 and now["children"][node_id]["state"] == "FAILED",
    )
    assert child_of(sops, created, "call what fails") > child


def test_a_revoked_child_fails_the_parents_node(sops: SopsClient) -> None:
    created = sops.run(INDEPENDENT_PAUSE)
    sops.wait(created["task_id"], node_is("call what waits", "RUNNING"))
    child = child_of_waiting(sops, created)
    sops.wait(child, is_in("RUNNING"))
    assert sops.operate_task(child, "revoke")["result"]
    sops.wait(created["task_id"], node_is("call what waits", "FAILED"))


def test_children_go_on_after_a_kill(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        created = server.client.run(INDEPENDENT)
        server.client.wait(created["task_id"], node_is("call leaf", "RUNNING"))
        server.kill()
    with running_server(data_folder) as server:
        sops = server.client
        status = sops.wait(created["task_id"], lambda now: now["state"] in ("FINISHED", "FAILED"))
        if status["state"] == "FAILED":
            # Killed between the making of the child and the parent's note of it: said, and mended by a retry.
            (reason,) = sops.status(created["task_id"], with_ex_data=1)["ex_data"].values()
            assert reason.startswith("local_sops was stopped")
            node_id = node_ids(created["pipeline_tree"])["call leaf"]
            sops.operate_node_when_asleep(created["task_id"], node_id, "retry")
            sops.wait(created["task_id"], is_in("FINISHED"))


def test_nested_subprocesses_become_plugins_too() -> None:
    inner = tree_of([display("c")], "start>c c>end", location=[])
    middle = tree_of([subprocess("b", inner)], "start>b b>end")
    tree = {**tree_of([subprocess("a", middle)], "start>a a>end"), "location": [{"id": "a", "type": "subflow"}]}
    middle["location"], inner["location"] = [], []
    converted = with_independent_subprocesses(tree)
    outer = converted["activities"]["a"]["component"]["data"]["subprocess"]["value"]["pipeline"]
    assert outer["activities"]["b"]["component"]["code"] == "subprocess_plugin"
    assert outer["activities"]["b"]["template_node_id"] == "b"
    assert converted["location"] == [{"id": "a", "type": "tasknode"}]
    assert tree["activities"]["a"]["type"] == "SubProcess"


def subprocess(node_id: str, pipeline: dict[str, Any]) -> dict[str, Any]:
    node = display(node_id)
    del node["component"]
    return {**node, "type": "SubProcess", "template_id": "1", "pipeline": pipeline}

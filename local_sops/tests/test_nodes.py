from __future__ import annotations

import json
from typing import Any

from sops_client import BUSINESS, SopsClient, node_ids

LINEAR, NESTED, PARALLEL = 1, 8, 2


def detail_of(sops: SopsClient, task_id: int, node_id: str, **query: Any) -> Any:
    answer = sops.get(f"get_task_node_detail/{task_id}/{BUSINESS}", node_id=node_id, **query)
    assert answer["result"], answer
    return answer["data"]


def test_a_node_that_was_not_reached_is_ready_with_its_inputs_as_they_would_be(sops: SopsClient) -> None:
    created = sops.create(LINEAR, constants={"${who}": "amy"})
    node_id = node_ids(created["pipeline_tree"])["say hello"]
    detail = detail_of(sops, created["task_id"], node_id, component_code="bk_display")
    assert detail == {
        "name": "say hello",
        "error_ignorable": False,
        "state": "READY",
        "inputs": {"bk_display_message": "hello amy"},
        "outputs": [
            {"name": "执行结果", "key": "_result", "value": "", "preset": True},
            {"name": "循环次数", "key": "_loop", "value": "", "preset": True},
            {"name": "当前流程循环次数", "key": "_inner_loop", "value": "", "preset": True},
        ],
        "ex_data": "",
    }


def test_outputs_are_named_by_plugin_and_take_the_name_of_the_variable_they_fill(sops: SopsClient) -> None:
    created = sops.run(LINEAR, constants={"${seconds}": 0})
    sops.wait(created["task_id"])
    node_id = node_ids(created["pipeline_tree"])["say goodbye"]
    query = {"node_id": node_id, "component_code": "bk_display"}
    data = sops.get(f"get_task_node_data/{BUSINESS}/{created['task_id']}", **query)["data"]
    assert data["inputs"] == {"bk_display_message": "goodbye world", "_loop": 1, "_inner_loop": 1}
    assert data["ex_data"] is None
    assert {"name": "执行结果", "key": "said", "value": True, "preset": True} in data["outputs"]
    bare = detail_of(sops, created["task_id"], node_id)["outputs"]
    assert {"key": "said", "value": True, "preset": False} in bare


def test_a_nested_node_needs_the_path_to_it(sops: SopsClient) -> None:
    created = sops.run(NESTED)
    sops.wait(created["task_id"])
    tree = created["pipeline_tree"]
    sub = node_ids(tree)["call leaf"]
    leaf = node_ids(tree["activities"][sub]["pipeline"])["leaf says"]
    detail = detail_of(sops, created["task_id"], leaf, subprocess_stack=json.dumps([sub]))
    assert detail["inputs"]["bk_display_message"] == "the weather"
    response = sops.raw("GET", f"get_task_node_detail/{created['task_id']}/{BUSINESS}", params={"node_id": leaf})
    assert (response.status_code, response.json()["code"]) == (500, "50000")


def test_an_unknown_node_has_one_code_per_call(sops: SopsClient) -> None:
    task_id = sops.create(LINEAR)["task_id"]
    detail = sops.get(f"get_task_node_detail/{task_id}/{BUSINESS}", node_id="nowhere")
    data = sops.get(f"get_task_node_data/{BUSINESS}/{task_id}", node_id="nowhere")
    assert (detail["code"], detail["data"], data["code"], data["data"]) == (3540000, {}, 3599999, {})

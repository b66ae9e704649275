from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sops.enos.models import FlowInstance, FlowInstancePage, RunMode, TaskInstance

RUN_MODE = {"taskMode": 2, "cpu": "0.6", "memory": 1.1, "maxParallel": 4, "keyType": 2, "content": "a,b"}
TASK = {
    "instanceId": "71-2026030102",
    "taskId": 71,
    "taskName": "load",
    "status": -1,
    "stsDesc": "FAIL",
    "recallNum": 1,
    "recallLimit": 3,
    "flowInstId": "8-2026030102",
    "startTime": None,
    "isTimeout": False,
    "runMode": json.dumps(RUN_MODE),
    "cmd": "echo",
    "newField": [1],
}


def test_a_task_instance_is_read() -> None:
    task = TaskInstance.read(TASK)
    assert (task.instance_id, task.task_id, task.name, task.status) == ("71-2026030102", 71, "load", "FAIL")
    assert (task.flow_instance_id, task.start_time_text, task.has_reruns_left) == ("8-2026030102", "", True)
    assert task.run_mode == RunMode(2, 0.6, 1.1, 4, 2, 0, "", "a,b")
    assert task == TaskInstance.read([TASK])


def test_a_task_instance_goes_to_xcom_as_plain_json() -> None:
    content = TaskInstance.read(TASK).to_json()
    assert content == {**TASK, "runMode": RUN_MODE}
    assert type(content["stsDesc"]) is str


def test_what_no_database_takes_is_replaced_in_json_within_a_text() -> None:
    content = TaskInstance.read({**TASK, "runMode": r'{"content": "a\u0000", "cpu": NaN}'}).to_json()
    assert content["runMode"] == {"content": "a␀", "cpu": "NaN"}


@pytest.mark.parametrize("run_mode", [None, "", "{", "[]", 7])
def test_a_run_mode_that_is_none_costs_only_itself(run_mode: Any) -> None:
    assert TaskInstance.read({**TASK, "runMode": run_mode}).run_mode is None


@pytest.mark.parametrize("data", [None, "", [], {}, [None], {"status": None, "taskId": "x"}])
def test_odd_answers_are_read_as_far_as_they_go(data: Any) -> None:
    assert TaskInstance.read(data).status == ""
    assert FlowInstance.read(data).nodes == ()
    assert FlowInstancePage.read(data).instances == ()


@pytest.mark.parametrize("snake", [False, True])
@pytest.mark.parametrize("decoded", [False, True])
def test_a_flow_instance_is_read_with_its_graph(snake: bool, decoded: bool) -> None:
    names = ("task_name", "task_inst_id", "task_id") if snake else ("taskName", "taskInstId", "taskId")
    graph = {"tasks": [dict(zip((*names, "status"), ("载入", "71-2", 71, "RUNNING"), strict=True))], "flows": []}
    flow = FlowInstance.read(
        {
            "instanceId": "8-2",
            "flowId": "8",
            "flowName": 'a "b"',
            "status": 2,
            "statusDesc": "RUNNING",
            "graph": graph if decoded else json.dumps(graph),
            "parameters": '[{"key": "k", "value": "v"}]',
        }
    )
    (node,) = flow.nodes
    assert (flow.flow_id, flow.name, flow.parameters) == (8, 'a "b"', {"k": "v"})
    assert (node.name, node.task_instance_id, node.task_id, node.status) == ("载入", "71-2", 71, "RUNNING")
    assert flow.to_json()["graph"] == graph


@pytest.mark.parametrize(
    ("parameters", "expected"), [("[]", {}), ('{"a": 1}', {"a": 1}), (None, {}), ("no JSON", {}), ('[1, {"x": 2}]', {})]
)
def test_parameters_are_read_in_every_form(parameters: Any, expected: dict[str, Any]) -> None:
    assert FlowInstance.read({"parameters": parameters}).parameters == expected

"""What lineage is told of a task."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_sops.sops.lineage import task_facts
from airflow_provider_sops.sops.models import TaskDetail, TaskStatus
from tests.sops.builders import FINISH_TIME, START_TIME, activity, node, password, pipeline_tree, task_status


def facts(status: Any, **detail: Any) -> dict[str, Any]:
    tree = pipeline_tree("a b", nodes={"a": activity("compile"), "b": activity("publish")})
    known = {
        "id": 7,
        "name": "release",
        "template_id": 24,
        "task_url": "https://sops.example.com/7",
        "start_time": START_TIME,
        "finish_time": FINISH_TIME,
        "pipeline_tree": tree,
    }
    told = task_facts(TaskDetail.read({**known, **detail}), TaskStatus.read(status))
    assert json.loads(json.dumps(told)) == told
    return told


def test_a_finished_task_has_name_page_state_times_and_nodes() -> None:
    told = facts(task_status("FINISHED", {"start": node(), "a": node(name="compile"), "b": node(name="publish")}))

    assert {key: told[key] for key in told if key != "nodes"} == {
        "name": "release",
        "url": "https://sops.example.com/7",
        "templateId": 24,
        "state": "FINISHED",
        "startTime": "2026-03-02T09:00:00+08:00",
        "endTime": "2026-03-02T09:00:07+08:00",
        "nodesLeftOut": 0,
    }
    assert told["nodes"][0] == {
        "id": "a",
        "name": "compile",
        "state": "FINISHED",
        "startTime": "2026-03-02T09:00:00+08:00",
        "endTime": "2026-03-02T09:00:07+08:00",
        "error": None,
    }
    assert [each["name"] for each in told["nodes"]] == ["compile", "publish"]


def test_a_failed_node_comes_first_with_its_error() -> None:
    nodes = {"a": node(name="compile"), "b": node("FAILED", "publish")}
    told = facts(task_status("FAILED", nodes, ex_data={"b": "no space left"}), finish_time=None)

    assert [(each["name"], each["error"]) for each in told["nodes"]] == [
        ("publish", "no space left"),
        ("compile", None),
    ]
    assert told["endTime"] is None


def test_errors_and_names_hold_no_password() -> None:
    nodes = {"a": node("FAILED", "compile")}
    told = facts(
        task_status("FAILED", nodes, ex_data={"a": "hunter2 was refused"}),
        name="release hunter2",
        constants={"${token}": password("${token}")},
    )

    assert "hunter2" not in json.dumps(told)


def test_of_very_many_nodes_some_are_left_out_and_counted() -> None:
    nodes = {f"n{i}": node(name=f"node {i}") for i in range(300)} | {"b": node("FAILED", "publish")}
    told = facts(task_status("FAILED", nodes))

    assert len(told["nodes"]) + told["nodesLeftOut"] == 301
    assert told["nodes"][0]["name"] == "publish"

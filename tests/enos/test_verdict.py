from __future__ import annotations

import pytest

from airflow_provider_sops.enos.models import FlowInstance, TaskInstance
from airflow_provider_sops.enos.verdict import Verdict, nodes_to_ask_about, snapshot_of_flow, snapshot_of_task


def flow(status: int, *nodes: str) -> FlowInstance:
    tasks = [
        {"taskName": f"t{number}", "taskId": number, "taskInstId": f"{number}-1", "status": word}
        for number, word in enumerate(nodes)
    ]
    return FlowInstance.read({"instanceId": "8-1", "status": status, "graph": {"tasks": tasks}})


def task(status: int, recall_num: int = 0, recall_limit: int = 0) -> TaskInstance:
    return TaskInstance.read(
        {"instanceId": "0-1", "status": status, "recallNum": recall_num, "recallLimit": recall_limit}
    )


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (-1, Verdict.ENDED),
        (0, Verdict.GOING_ON),
        (1, Verdict.ENDED),
        (2, Verdict.GOING_ON),
        (3, Verdict.PAUSED),
        (4, Verdict.ENDED),
        (5, Verdict.GOING_ON),
        (6, Verdict.GOING_ON),
        (7, Verdict.ENDED),
        (8, Verdict.ENDED),
        (9, Verdict.GOING_ON),
        (10, Verdict.ENDED),
        (42, Verdict.GOING_ON),
    ],
)
def test_a_task_is_judged_by_its_status(status: int, verdict: Verdict) -> None:
    assert snapshot_of_task(task(status)).verdict == verdict


@pytest.mark.parametrize(("recalls", "verdict"), [(0, Verdict.RERUN_DUE), (2, Verdict.RERUN_DUE), (3, Verdict.ENDED)])
def test_a_failed_task_with_reruns_left_has_not_ended(recalls: int, verdict: Verdict) -> None:
    assert snapshot_of_task(task(-1, recalls, 3)).verdict == verdict


@pytest.mark.parametrize(
    ("status", "nodes", "verdict"),
    [
        (1, ("SUCCESS",), Verdict.ENDED),
        (8, ("RUNNING",), Verdict.ENDED),
        (10, (), Verdict.ENDED),
        (2, ("FAIL",), Verdict.GOING_ON),
        (-1, ("FAIL", "RUNNING"), Verdict.FAILING),
        (-1, ("FAIL", "READY"), Verdict.FAILING),
        (-1, ("FAIL", "RERUN"), Verdict.FAILING),
        (-1, ("FAIL", "INIT"), Verdict.FAILED),
        (-1, ("FAIL", "WAIT"), Verdict.FAILED),
        (-1, ("FAIL", "NONE"), Verdict.FAILED),
        (-1, (), Verdict.FAILED),
        (-1, ("FAIL", "SUCCESS", "SKIP"), Verdict.ENDED),
        (7, ("TIMEOUT", "SUCCESS"), Verdict.ENDED),
    ],
)
def test_a_flow_is_judged_by_its_status_and_nodes(status: int, nodes: tuple[str, ...], verdict: Verdict) -> None:
    assert snapshot_of_flow(flow(status, *nodes)).verdict == verdict


def test_a_failed_flow_is_judged_by_the_reruns_of_its_tasks_too() -> None:
    failed = flow(-1, "FAIL", "SUCCESS", "TIMEOUT", "INIT")
    assert nodes_to_ask_about(failed) == ("0-1", "2-1")
    assert snapshot_of_flow(failed, [task(-1, 0, 1)]).verdict == Verdict.RERUN_DUE
    assert snapshot_of_flow(failed, [task(2, 1, 1)]).verdict == Verdict.FAILING
    assert snapshot_of_flow(failed, [task(-1, 1, 1)]).verdict == Verdict.FAILED


@pytest.mark.parametrize("instance", [flow(2, "FAIL"), flow(-1, "FAIL", "RUNNING"), flow(1, "FAIL"), flow(-1)])
def test_only_tasks_that_may_decide_are_asked_about(instance: FlowInstance) -> None:
    assert nodes_to_ask_about(instance) == ()


def test_a_big_flow_does_not_ask_without_end() -> None:
    assert len(nodes_to_ask_about(flow(-1, *["FAIL"] * 500))) == 20


def test_the_failed_tasks_are_named() -> None:
    failed = snapshot_of_flow(flow(-1, "FAIL", "SUCCESS", "TIMEOUT")).failed
    assert [(one.instance_id, one.label, one.status) for one in failed] == [
        ("0-1", '"t0"', "FAIL"),
        ("2-1", '"t2"', "TIMEOUT"),
    ]


def test_nodes_of_one_name_are_told_apart() -> None:
    tasks = [{"taskName": "same", "taskId": number, "status": "INIT"} for number in (1, 2)]
    snapshot = snapshot_of_flow(FlowInstance.read({"status": 2, "graph": {"tasks": tasks}}))
    assert set(snapshot.nodes) == {'"same" (task 1)', '"same" (task 2)'}

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.enos.errors import EnosConnectionError, EnosNotFoundError
from airflow_provider_sops.enos.instance_wait import InstanceWait
from airflow_provider_sops.enos.models import FlowInstance, TaskInstance
from airflow_provider_sops.enos.verdict import Snapshot, snapshot_of_flow, snapshot_of_task
from airflow_provider_sops.enos.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.waiting.model import DeadlineReachedError, Look

if TYPE_CHECKING:
    from airflow_provider_sops.waiting.model import Update

LOOK = Look(0.0)
POLICY = WaitPolicy(poll_interval_seconds=30, settle_seconds=60, rerun_wait_seconds=600, max_outage_seconds=300)


def flow(status: int, **nodes: str) -> Snapshot:
    tasks = [{"taskName": name, "taskInstId": f"{name}-1", "status": word} for name, word in nodes.items()]
    return snapshot_of_flow(FlowInstance.read({"status": status, "graph": {"tasks": tasks}}))


def task(status: int, recall_num: int = 0) -> Snapshot:
    return snapshot_of_task(TaskInstance.read({"status": status, "recallNum": recall_num, "recallLimit": 2}))


def texts(update: Update[WaitResult]) -> list[str]:
    return [line.text for line in update.lines]


def test_the_first_look_is_at_once_and_the_next_after_the_interval() -> None:
    wait = InstanceWait(POLICY, 1000)
    assert wait.next_look(1000).delay_seconds == 0
    wait.see(flow(2), LOOK, 1000)
    assert wait.next_look(1000).delay_seconds == 30


def test_an_end_is_reported_with_its_status() -> None:
    result = InstanceWait(POLICY, 0).see(flow(1, a="SUCCESS"), LOOK, 0).result
    assert result == WaitResult(Outcome.ENDED, "SUCCESS")


def test_each_change_is_told_once() -> None:
    wait = InstanceWait(POLICY, 0)
    assert texts(wait.see(flow(0, a="INIT", b="INIT"), LOOK, 0)) == ["the instance is INIT"]
    seen = texts(wait.see(flow(2, a="RUNNING", b="INIT"), LOOK, 30))
    assert seen == ["the instance is RUNNING", 'task "a" is RUNNING']
    assert texts(wait.see(flow(2, a="RUNNING", b="INIT"), LOOK, 60)) == []
    update = wait.see(flow(2, a="FAIL", b="RUNNING"), LOOK, 90)
    assert texts(update) == ['task "a" is FAIL', 'task "b" is RUNNING']
    assert [line.level for line in update.lines] == [logging.WARNING, logging.INFO]


def test_an_unknown_status_is_told_and_waited_for() -> None:
    update = InstanceWait(POLICY, 0).see(flow(42), LOOK, 0)
    assert update.result is None
    assert "42, which this package does not know" in texts(update)[0]


def test_a_failed_flow_ends_once_it_has_stood_still() -> None:
    wait = InstanceWait(POLICY, 0)
    undecided = []
    for now, second in ((0, "INIT"), (30, "RUNNING"), (60, "SUCCESS")):
        assert wait.see(flow(-1, a="FAIL", b=second, c="INIT"), LOOK, now).result is None
        undecided.append(wait.is_undecided)
    assert undecided == [True, False, True]
    assert wait.next_look(100).delay_seconds == 20
    result = wait.see(flow(-1, a="FAIL", b="SUCCESS", c="INIT"), LOOK, 120).result
    assert result is not None
    assert (result.outcome, [one.instance_id for one in result.failed]) == (Outcome.ENDED, ["a-1"])


def test_reruns_are_waited_for_as_long_as_something_happens() -> None:
    wait = InstanceWait(POLICY, 0)
    assert "automatic reruns left" in texts(wait.see(task(-1), LOOK, 0))[-1]
    assert wait.see(task(2, 1), LOOK, 590).result is None
    assert wait.see(task(-1, 1), LOOK, 700).result is None
    result = wait.see(task(-1, 1), LOOK, 1300).result
    assert result is not None
    assert (result.outcome, result.status) == (Outcome.ENDED, "FAIL")
    assert "not run it again within 600 s" in result.reason


def test_a_pause_is_told() -> None:
    assert "resumes it" in texts(InstanceWait(POLICY, 0).see(flow(3), LOOK, 0))[-1]


def test_the_deadline_ends_the_wait_and_is_looked_forward_to() -> None:
    wait = InstanceWait(WaitPolicy(poll_interval_seconds=30, deadline=100), 0)
    assert wait.see(flow(2), LOOK, 80).result is None
    assert wait.next_look(80).delay_seconds == 20
    assert wait.see(flow(2), LOOK, 100).result == WaitResult(Outcome.TIMED_OUT, "RUNNING")


def test_a_last_look_that_brings_no_answer_in_time_ends_the_wait_as_the_deadline_does() -> None:
    wait = InstanceWait(WaitPolicy(deadline=100), 0)
    wait.see(flow(2), LOOK, 80)
    update = wait.miss(DeadlineReachedError("no answer"), wait.next_look(80), 102)
    assert (update.lines, update.result) == ((), WaitResult(Outcome.TIMED_OUT, "RUNNING"))


def test_an_outage_is_told_once_and_ends_the_wait_after_max_outage_seconds() -> None:
    wait, lost = InstanceWait(POLICY, 0), EnosConnectionError("no answer")
    wait.see(flow(2), LOOK, 0)
    assert "no usable answer" in texts(wait.miss(lost, LOOK, 30))[0]
    assert texts(wait.miss(lost, LOOK, 60)) == []
    assert texts(wait.see(flow(2), LOOK, 90)) == ["EnOS answers again after 90 s"]
    assert wait.miss(lost, LOOK, 389).result is None
    result = wait.miss(lost, LOOK, 390).result
    assert result is not None
    assert (result.outcome, result.status) == (Outcome.UNREACHABLE, "RUNNING")
    assert "no answer" in result.reason


@pytest.mark.parametrize("between", [None, "answer", "outage"])
def test_an_unknown_instance_ends_the_wait_the_second_time_in_a_row(between: str | None) -> None:
    wait, unknown = InstanceWait(POLICY, 0), EnosNotFoundError("no such instance")
    assert wait.miss(unknown, LOOK, 0).result is None
    assert wait.next_look(0).delay_seconds == 3
    if between == "answer":
        wait.see(flow(2), LOOK, 3)
    elif between == "outage":
        wait.miss(EnosConnectionError("lost"), LOOK, 3)
    result = wait.miss(unknown, LOOK, 6).result
    assert (result is None) is (between is not None)
    assert result is None or result.outcome == Outcome.UNREADABLE

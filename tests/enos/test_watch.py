from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.enos.errors import EnosConnectionError, EnosNotFoundError
from airflow_provider_sops.enos.models import FlowInstance, TaskInstance
from airflow_provider_sops.enos.verdict import Snapshot, snapshot_of_flow, snapshot_of_task
from airflow_provider_sops.enos.waiting import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.enos.watch import InstanceWatch

if TYPE_CHECKING:
    from airflow_provider_sops.enos.waiting import Sight

POLICY = WaitPolicy(poll_interval_seconds=30, settle_seconds=60, rerun_wait_seconds=600, max_outage_seconds=300)


def flow(status: int, **nodes: str) -> Snapshot:
    tasks = [{"taskName": name, "taskInstId": f"{name}-1", "status": word} for name, word in nodes.items()]
    return snapshot_of_flow(FlowInstance.read({"status": status, "graph": {"tasks": tasks}}))


def task(status: int, recall_num: int = 0) -> Snapshot:
    return snapshot_of_task(TaskInstance.read({"status": status, "recallNum": recall_num, "recallLimit": 2}))


def texts(sight: Sight) -> list[str]:
    return [line.text for line in sight.lines]


def test_the_first_look_is_at_once_and_the_next_after_the_interval() -> None:
    watch = InstanceWatch(POLICY, 1000)
    assert watch.delay_seconds(1000) == 0
    watch.see(flow(2), 1000)
    assert watch.delay_seconds(1000) == 30


def test_an_end_is_reported_with_its_status() -> None:
    result = InstanceWatch(POLICY, 0).see(flow(1, a="SUCCESS"), 0).result
    assert result == WaitResult(Outcome.ENDED, "SUCCESS")


def test_each_change_is_told_once() -> None:
    watch = InstanceWatch(POLICY, 0)
    assert texts(watch.see(flow(0, a="INIT", b="INIT"), 0)) == ["the instance is INIT"]
    assert texts(watch.see(flow(2, a="RUNNING", b="INIT"), 30)) == ["the instance is RUNNING", 'task "a" is RUNNING']
    assert texts(watch.see(flow(2, a="RUNNING", b="INIT"), 60)) == []
    sight = watch.see(flow(2, a="FAIL", b="RUNNING"), 90)
    assert texts(sight) == ['task "a" is FAIL', 'task "b" is RUNNING']
    assert [line.level for line in sight.lines] == [logging.WARNING, logging.INFO]


def test_an_unknown_status_is_told_and_waited_for() -> None:
    sight = InstanceWatch(POLICY, 0).see(flow(42), 0)
    assert sight.result is None
    assert "42, which this package does not know" in texts(sight)[0]


def test_a_failed_flow_ends_once_it_has_stood_still() -> None:
    watch = InstanceWatch(POLICY, 0)
    undecided = []
    for now, second in ((0, "INIT"), (30, "RUNNING"), (60, "SUCCESS")):
        assert watch.see(flow(-1, a="FAIL", b=second, c="INIT"), now).result is None
        undecided.append(watch.is_undecided)
    assert undecided == [True, False, True]
    assert watch.delay_seconds(100) == 20
    result = watch.see(flow(-1, a="FAIL", b="SUCCESS", c="INIT"), 120).result
    assert result is not None
    assert (result.outcome, [one.instance_id for one in result.failed]) == (Outcome.ENDED, ["a-1"])


def test_reruns_are_waited_for_as_long_as_something_happens() -> None:
    watch = InstanceWatch(POLICY, 0)
    assert "automatic reruns left" in texts(watch.see(task(-1), 0))[-1]
    assert watch.see(task(2, 1), 590).result is None
    assert watch.see(task(-1, 1), 700).result is None
    result = watch.see(task(-1, 1), 1300).result
    assert result is not None
    assert (result.outcome, result.status) == (Outcome.ENDED, "FAIL")
    assert "not run it again within 600 s" in result.reason


def test_a_pause_is_told() -> None:
    assert "resumes it" in texts(InstanceWatch(POLICY, 0).see(flow(3), 0))[-1]


def test_the_deadline_ends_the_wait_and_is_looked_forward_to() -> None:
    watch = InstanceWatch(WaitPolicy(poll_interval_seconds=30, deadline=100), 0)
    assert watch.see(flow(2), 80).result is None
    assert watch.delay_seconds(80) == 20
    assert watch.see(flow(2), 100).result == WaitResult(Outcome.TIMED_OUT, "RUNNING")


def test_an_outage_is_told_once_and_borne_for_a_while() -> None:
    watch, lost = InstanceWatch(POLICY, 0), EnosConnectionError("no answer")
    watch.see(flow(2), 0)
    assert "no usable answer" in texts(watch.miss(lost, 30))[0]
    assert texts(watch.miss(lost, 60)) == []
    assert texts(watch.see(flow(2), 90)) == ["EnOS answers again after 90 s"]
    assert watch.miss(lost, 389).result is None
    result = watch.miss(lost, 390).result
    assert result is not None
    assert (result.outcome, result.status) == (Outcome.UNREACHABLE, "RUNNING")
    assert "no answer" in result.reason


@pytest.mark.parametrize("between", [None, "answer", "outage"])
def test_an_unknown_instance_ends_the_wait_the_second_time_in_a_row(between: str | None) -> None:
    watch, unknown = InstanceWatch(POLICY, 0), EnosNotFoundError("no such instance")
    assert watch.miss(unknown, 0).result is None
    assert watch.delay_seconds(0) == 3
    if between == "answer":
        watch.see(flow(2), 3)
    elif between == "outage":
        watch.miss(EnosConnectionError("lost"), 3)
    result = watch.miss(unknown, 6).result
    assert (result is None) is (between is not None)
    assert result is None or result.outcome == Outcome.UNREADABLE

"""What counts as a broken promise of a cluster."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.cluster.judge import FAILING_DAG, Fault, TaskInstance, judge_round
from tests.faults.sops_database import RanTask

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
SUCCESS = TaskInstance("cluster_deferred", "run", "flow", 0, "success", 1, has_value=True)
FAILED = replace(SUCCESS, state="failed")


def ran(owner: TaskInstance, state: str = "FINISHED", *, number: int = 1, begun: datetime = BEGUN) -> RanTask:
    """A SOPS task of a task instance, which took a minute unless it still runs."""
    return RanTask(
        id=number,
        name=f"flow #{owner.digest}-6",
        state=state,
        is_started=state != "CREATED",
        start_was_asked_for=state != "CREATED",
        waits_for_claim=False,
        began=None if state == "CREATED" else begun,
        ended=begun + timedelta(minutes=1) if state in ("FINISHED", "REVOKED") else None,
        nodes=(),
    )


def faults(instances: list[TaskInstance], tasks: list[RanTask]) -> list[Fault]:
    return [finding.fault for finding in judge_round(instances, tasks)]


def test_a_success_with_a_finished_flow_is_right() -> None:
    assert faults([SUCCESS], [ran(SUCCESS)]) == []


def test_a_task_that_was_created_twice_and_started_once_is_right() -> None:
    assert faults([SUCCESS], [ran(SUCCESS), ran(SUCCESS, "CREATED", number=2)]) == []


def test_a_second_start_is_found() -> None:
    later = ran(SUCCESS, number=2, begun=BEGUN + timedelta(minutes=2))
    assert faults([SUCCESS], [ran(SUCCESS), later]) == [Fault.TWICE]


def test_a_flow_that_runs_though_its_task_instance_has_ended_is_an_orphan() -> None:
    assert faults([FAILED], [ran(FAILED, "RUNNING")]) == [Fault.ORPHAN, Fault.FAILED]


def test_a_flow_without_a_task_instance_is_an_orphan() -> None:
    assert faults([], [ran(SUCCESS, "RUNNING")]) == [Fault.ORPHAN]


@pytest.mark.parametrize("state", ["CREATED", "RUNNING", "FAILED"])
def test_a_success_without_a_finished_flow_is_lost(state: str) -> None:
    assert Fault.LOST in faults([SUCCESS], [ran(SUCCESS, state)])


def test_a_success_without_outputs_is_lost() -> None:
    assert faults([replace(SUCCESS, has_value=False)], [ran(SUCCESS)]) == [Fault.LOST]


@pytest.mark.parametrize("state", [None, "queued", "running", "deferred", "up_for_retry"])
def test_a_task_instance_that_has_not_ended_is_stuck(state: str | None) -> None:
    assert faults([replace(SUCCESS, state=state)], [ran(SUCCESS, "RUNNING")]) == [Fault.STUCK]


def test_nobody_revokes() -> None:
    assert Fault.REVOKED in faults([FAILED], [ran(FAILED, "REVOKED")])


def test_a_failure_of_a_finished_flow_is_told_from_other_failures() -> None:
    assert faults([FAILED], [ran(FAILED)]) == [Fault.FAILED_THOUGH_FINISHED]
    assert faults([FAILED], []) == [Fault.FAILED]


def test_the_failure_of_a_sensor_counts_by_the_flows_of_its_dag() -> None:
    create = replace(SUCCESS, dag_id="cluster_sensors", task_id="create")
    sensor = replace(FAILED, dag_id="cluster_sensors", task_id="poke")
    assert faults([create, sensor], [ran(create)]) == [Fault.FAILED_THOUGH_FINISHED]


def test_the_flow_that_fails_has_to_fail() -> None:
    failing = replace(FAILED, dag_id=FAILING_DAG)
    assert faults([failing], [ran(failing, "FAILED")]) == []
    succeeded = replace(failing, state="success")
    assert faults([succeeded], [ran(succeeded, "FAILED")]) == [Fault.LOST]


@pytest.mark.parametrize(("parts_were_killed", "found"), [(True, []), (False, [Fault.BURNT])])
def test_a_second_try_is_found_where_nothing_was_killed(parts_were_killed: bool, found: list[Fault]) -> None:
    again = replace(SUCCESS, try_number=2)
    findings = judge_round([again], [ran(again)], parts_were_killed=parts_were_killed)
    assert [finding.fault for finding in findings] == found


def test_the_tries_of_the_flow_that_fails_are_its_own() -> None:
    failing = replace(FAILED, dag_id=FAILING_DAG, try_number=3)
    assert judge_round([failing], [ran(failing, "FAILED")], parts_were_killed=False) == []

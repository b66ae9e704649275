"""EnosTriggerFlowOperator on a hostile network: however its requests fail, the flow never runs twice at once."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, cast

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.operators import enos_triggering
from airflow_provider_sops.operators.enos import EnosTriggerFlowOperator
from tests.enos_server import EnosServer, Fault, Play, TaskPlay
from tests.enos_server.plays import ENDED, FAIL, INIT, RUNNING, SUCCESS
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

pytest_plugins = ("tests.enos_server.fixtures",)

DUE = pendulum.datetime(2026, 3, 1, 2, 0)
MOST_TRIES = 60
FAILED = Play((RUNNING, FAIL), {"load": TaskPlay((RUNNING, FAIL))})
SUCCEEDED = Play((INIT, RUNNING, RUNNING, SUCCESS), {"load": TaskPlay((INIT, RUNNING, RUNNING, SUCCESS))})
EVERY_ACTION = ("trigger", "search", "get", "getLog", "token/get", "token/refresh")


def hurt(server: EnosServer, chance: random.Random) -> None:
    """Let some of the coming requests fail, each in its own way."""
    server.heal()
    for action in EVERY_ACTION:
        fitting = [fault for fault in Fault if fault != Fault.LANDS_LATER or action == "trigger"]
        server.spoil(action, *(chance.choice(fitting) for _ in range(chance.choice((0, 0, 1, 3, 6)))))


@pytest.mark.parametrize("seed", range(25))
def test_a_flow_never_runs_twice_at_once_and_comes_to_its_end(
    enos_default: EnosServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(enos_triggering, "_LOOK_UP_SECONDS", 0.05)
    monkeypatch.setattr(enos_triggering, "_LOOK_UP_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("airflow_provider_sops.waiting.patience._LONGEST_PAUSES_SECONDS", (0.01, 0.01))
    enos_default.service.minute_seconds = 0
    enos_default.add_flow(8, *(chance.choice((FAILED, SUCCEEDED)) for _ in range(3)), SUCCEEDED)
    ti = PlainTaskInstance(max_tries=MOST_TRIES)

    for try_number in range(1, MOST_TRIES + 1):
        hurt(enos_default, chance)
        if chance.random() < 0.3:
            enos_tokens.forget_tokens()  # another process
        end = try_until_end(replace(ti, try_number=try_number, xcoms={}), waits=chance.random() < 0.7)
        enos_default.land()
        assert all(instance.status in ENDED for instance in enos_default.instances[:-1])
        if end != "for a retry":
            break

    statuses = [instance.status for instance in enos_default.instances]
    assert statuses[-1] == SUCCESS if end == "well" else not statuses or statuses[-1] in ENDED
    assert enos_default.gatekeeper.violations == []


def try_until_end(ti: PlainTaskInstance, *, waits: bool) -> Literal["well", "for a retry", "for good"]:
    """Run one try. One that does not wait stands for a process that was killed: then there is a retry."""
    operator = EnosTriggerFlowOperator(
        task_id="run",
        flow_id=8,
        retries=MOST_TRIES,
        deferrable=False,
        wait_for_completion=waits,
        poll_interval_seconds=0.01,
        settle_seconds=0.02,
        timeout_seconds=20,
    )
    dag_run = SimpleNamespace(run_after=DUE, run_type="scheduled")
    context: Any = {**ti.context, "dag_run": dag_run}
    try:
        operator.execute(cast("Context", context))
    except AirflowFailException:
        return "for good"
    except AirflowException:
        return "for a retry"
    return "well" if waits else "for a retry"

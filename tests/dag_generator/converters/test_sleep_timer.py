"""``sleep_timer`` in Airflow."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pendulum
import pytest
import time_machine
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_sops.dag_generator.converters.registry import NodeConverter
from airflow_provider_sops.dag_generator.converters.sleep_timer import SleepTimerOperator, sleep_timer
from tests.dag_generator.converters.nodes import Conversion
from tests.sops.builders import constant

CONTEXT: Any = {}
NOW = pendulum.datetime(2026, 3, 2, 9, tz="UTC")


def converted(timing: Any, **fields: Any) -> Any:
    given = {"inputs": {"bk_timing": timing, "force_check": True}, "constants": {"${n}": constant("${n}", "30")}}
    return Conversion({**given, **fields}).by(NodeConverter(sleep_timer))


@pytest.mark.parametrize(("timing", "seconds"), [("30", 30), (30, 30), ("0", 0), ("99999999", 99_999_999)])
def test_a_number_of_seconds_is_waited_for(timing: Any, seconds: int) -> None:
    assert converted(timing).seconds == seconds


@pytest.mark.parametrize("timing", ["${n}", "2026-03-02 09:00:00", "", "-1", "1.5", "123456789", True, None, [30]])
def test_what_only_sops_understands_stays_in_sops(timing: Any) -> None:
    assert converted(timing) is None


def test_a_node_without_a_time_stays_in_sops() -> None:
    assert converted("", inputs={}) is None


def test_a_long_wait_leaves_the_worker_until_its_end() -> None:
    operator = SleepTimerOperator(task_id="wait", seconds=100, execution_timeout=timedelta(minutes=5))
    with time_machine.travel(NOW, tick=False), pytest.raises(TaskDeferred) as deferred:
        operator.execute(CONTEXT)
    assert deferred.value.method_name == "execute_complete"
    assert deferred.value.timeout == timedelta(minutes=5)
    moment = deferred.value.trigger.serialize()[1]["moment"]  # type: ignore[union-attr,unused-ignore]
    assert moment == NOW + timedelta(seconds=100)
    assert operator.execute_complete(CONTEXT, moment) == {}


@pytest.mark.parametrize("seconds", [0, 6])
def test_a_short_wait_stays_on_the_worker(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    assert SleepTimerOperator(task_id="wait", seconds=seconds).execute(CONTEXT) == {}
    assert naps == [seconds]

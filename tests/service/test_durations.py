"""Durations: what a DAG's author may give, and what is refused before anything is created."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.dag_generator.watch.node_mirror import NodeMirrorOperator
from airflow_provider_sops.operators.enos import EnosTriggerFlowOperator
from airflow_provider_sops.operators.sops import SopsCreateTaskOperator, SopsRunTaskOperator
from airflow_provider_sops.sensors.enos import EnosFlowInstanceSensor, EnosTaskInstanceSensor
from airflow_provider_sops.sensors.sops import SopsNodeSensor, SopsTaskSensor
from airflow_provider_sops.service.durations import seconds, seconds_or_none
from airflow_provider_sops.task_instance.mirrored_node import MirroredNode

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("value", "read"), [(10, 10.0), (0.5, 0.5), (0, 0.0), (timedelta(hours=1), 3600.0), (timedelta(0), 0.0)]
)
def test_is_a_number_of_seconds_or_a_timedelta(value: Any, read: float) -> None:
    found = seconds("wait_seconds", value)
    assert (found, type(found)) == (read, float)


@pytest.mark.parametrize("value", [-1, -0.001, timedelta(seconds=-1), math.nan, math.inf, -math.inf])
def test_no_other_number_is_one(value: Any) -> None:
    with pytest.raises(ValueError, match=r"wait_seconds is .*; it must be a number of seconds of 0 or more"):
        seconds("wait_seconds", value)


@pytest.mark.parametrize("value", [None, True, False, "60", "{{ params.wait }}", [60], {"seconds": 60}])
def test_nothing_else_is_one(value: Any) -> None:
    with pytest.raises(TypeError, match=r"wait_seconds is .*Templates and other tasks' outputs cannot be used here"):
        seconds("wait_seconds", value)


@pytest.mark.parametrize("value", [0, 0.0, timedelta(0)])
def test_zero_is_refused_where_it_makes_no_sense(value: Any) -> None:
    with pytest.raises(ValueError, match="above 0"):
        seconds("poll_interval_seconds", value, above_zero=True)


def test_none_is_no_limit_where_there_need_not_be_one() -> None:
    assert seconds_or_none("timeout_seconds", None) is None
    assert seconds_or_none("timeout_seconds", timedelta(minutes=1)) == 60.0
    with pytest.raises(ValueError, match="or None for no limit"):
        seconds_or_none("timeout_seconds", -1)


def run(**arguments: Any) -> Any:
    return SopsRunTaskOperator(task_id="task", template_id=1, **arguments)


def mirror(**arguments: Any) -> Any:
    return NodeMirrorOperator(task_id="task", start_task_id="start", node=MirroredNode(("a",)), **arguments)


def task_sensor(**arguments: Any) -> Any:
    return SopsTaskSensor(task_id="task", sops_task_id=1, **arguments)


def node_sensor(**arguments: Any) -> Any:
    return SopsNodeSensor(task_id="task", sops_task_id=1, node_id="a", **arguments)


def enos_run(**arguments: Any) -> Any:
    return EnosTriggerFlowOperator(task_id="task", flow_id=1, **arguments)


def enos_flow_sensor(**arguments: Any) -> Any:
    return EnosFlowInstanceSensor(task_id="task", enos_flow_instance_id="1-1", **arguments)


def enos_task_sensor(**arguments: Any) -> Any:
    return EnosTaskInstanceSensor(task_id="task", enos_task_instance_id="1-1", **arguments)


_SENSOR = ("poke_interval", "timeout", "max_outage_seconds")
_ENOS = ("rerun_wait_seconds", "settle_seconds")
_WAIT = ("poll_interval_seconds", "timeout_seconds", "max_outage_seconds")
ARGUMENTS = [
    *((run, name) for name in (*_WAIT, "start_timeout_seconds", "revoke_wait_seconds")),
    *((mirror, name) for name in _WAIT),
    *((task_sensor, name) for name in _SENSOR),
    *((node_sensor, name) for name in _SENSOR),
    *((enos_run, name) for name in (*_WAIT, *_ENOS)),
    *((enos_flow_sensor, name) for name in (*_SENSOR, *_ENOS)),
    *((enos_task_sensor, name) for name in (*_SENSOR, *_ENOS)),
]
#: Without any time these would do nothing.
NOT_ZERO = {"poll_interval_seconds", "timeout_seconds", "start_timeout_seconds", "poke_interval"}


@pytest.mark.parametrize(("make", "name"), ARGUMENTS)
class TestArgument:
    def test_takes_numbers_and_timedeltas(self, make: Callable[..., Any], name: str) -> None:
        for value in (3600, 3600.0, timedelta(hours=1)):
            found = getattr(make(**{name: value}), name)
            assert (found, type(found)) == (3600.0, float)

    @pytest.mark.parametrize("value", [-1, timedelta(seconds=-1), math.nan, True, "60"])
    def test_refuses_the_rest_when_the_dag_is_parsed(self, make: Callable[..., Any], name: str, value: Any) -> None:
        with pytest.raises((ValueError, TypeError), match=rf"^{name} is "):
            make(**{name: value})

    def test_refuses_the_output_of_another_task(self, make: Callable[..., Any], name: str) -> None:
        output = SopsCreateTaskOperator(task_id="other", template_id=1).output
        with pytest.raises(TypeError, match=rf"^{name} is .*other tasks' outputs cannot be used here"):
            make(**{name: output})

    def test_refuses_zero_where_that_makes_no_sense(self, make: Callable[..., Any], name: str) -> None:
        if name in NOT_ZERO:
            with pytest.raises(ValueError, match=rf"{name} is 0; it must be .* above 0"):
                make(**{name: 0})
        else:
            assert getattr(make(**{name: 0}), name) == 0.0

"""SopsTaskSensor: alike in poke, in reschedule and deferred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.sensors.sops import SopsTaskSensor
from airflow_provider_sops.sops.models import TaskState
from tests.dag_run import FinishedRun, run_dag
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]

WAYS: list[Any] = [
    pytest.param({"mode": "poke", "deferrable": False}, id="poke"),
    pytest.param({"mode": "reschedule", "deferrable": False}, id="reschedule"),
    pytest.param({"deferrable": True}, id="deferrable"),
]


@pytest.fixture
def started(hook: SopsHook, templates: dict[str, int]) -> Callable[..., int]:
    """Start a task from a template by the template's name."""

    def start(template: str, **arguments: Any) -> int:
        sops_task_id = hook.create_task(templates[template], "sensed", **arguments).task_id
        hook.start_task(sops_task_id)
        return sops_task_id

    return start


def sense(dag_id: str, **arguments: Any) -> FinishedRun:
    with DAG(dag_id=f"sense_{dag_id}", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        SopsTaskSensor(task_id="wait", **{"poke_interval": 0.2, "timeout": 60, **arguments})
    return run_dag(dag)


@pytest.mark.parametrize("way", WAYS)
def test_returns_the_outputs(started: Callable[..., int], way: dict[str, Any]) -> None:
    sops_task_id = started("linear", constants={"${who}": "Bob", "${seconds}": 1})
    run = sense("outputs", sops_task_id=sops_task_id, **way)
    assert run.state_of("wait") == "success"
    assert run.xcom("wait")["who"] == "Bob"
    assert run.xcom("wait", "sops_task_id") == sops_task_id
    assert run.xcom("wait", "sops_task_state") == "FINISHED"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_a_failed_task_fails_or_skips(
    started: Callable[..., int], way: dict[str, Any], soft_fail: bool, state: str
) -> None:
    run = sense("failure", sops_task_id=started("fail"), soft_fail=soft_fail, **way)
    assert run.state_of("wait") == state


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_an_unknown_task_fails_or_skips(sops_default: Any, way: dict[str, Any], soft_fail: bool, state: str) -> None:
    assert sense("unknown", sops_task_id=987654, soft_fail=soft_fail, **way).state_of("wait") == state


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_a_timeout_fails_or_skips_and_revokes_nothing(
    started: Callable[..., int], hook: SopsHook, way: dict[str, Any], soft_fail: bool, state: str
) -> None:
    sops_task_id = started("pause")
    run = sense("timeout", sops_task_id=sops_task_id, timeout=1, soft_fail=soft_fail, **way)
    assert run.state_of("wait") == state
    assert hook.get_task_status(sops_task_id, fresh=True).state == TaskState.RUNNING


@pytest.mark.parametrize("way", WAYS)
def test_a_revoked_task_fails(started: Callable[..., int], hook: SopsHook, way: dict[str, Any]) -> None:
    sops_task_id = started("pause")
    wait_for_state(hook, sops_task_id, TaskState.RUNNING)
    hook.operate_task(sops_task_id, "revoke")
    assert sense("revoked", sops_task_id=sops_task_id, **way).state_of("wait") == "failed"

"""SopsTaskSensor: alike in poke, in reschedule and deferred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sensors.sops import SopsTaskSensor
from airflow_provider_sops.sops.models import TaskDetail, TaskState, TaskStatus
from tests.dag_run import FinishedRun, run_dag
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable


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


def test_a_poke_reads_the_task_once_and_the_next_one_of_the_same_sensor_not_at_all() -> None:
    sops = mock.create_autospec(SopsHook, instance=True)
    sops.get_task_detail.return_value = TaskDetail.read({"id": 7, "pipeline_tree": {}})
    sops.get_task_status.return_value = TaskStatus.read({"id": "7", "state": "RUNNING", "children": {}})

    def sensor() -> SopsTaskSensor:
        made = SopsTaskSensor(task_id="wait", sops_task_id=7, mode="reschedule")
        made.hook = sops
        return made

    for _ in range(3):
        assert not sensor().poke(PlainTaskInstance().context)
    assert (sops.get_task_detail.call_count, sops.get_task_status.call_count) == (3, 3)
    lasting = sensor()
    for _ in range(3):
        assert not lasting.poke(PlainTaskInstance().context)
    assert (sops.get_task_detail.call_count, sops.get_task_status.call_count) == (4, 6)


@pytest.mark.parametrize("way", WAYS)
def test_a_revoked_task_fails(started: Callable[..., int], hook: SopsHook, way: dict[str, Any]) -> None:
    sops_task_id = started("pause")
    wait_for_state(hook, sops_task_id, TaskState.RUNNING)
    hook.operate_task(sops_task_id, "revoke")
    assert sense("revoked", sops_task_id=sops_task_id, **way).state_of("wait") == "failed"

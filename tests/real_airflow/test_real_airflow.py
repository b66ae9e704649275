"""The operators where they belong: on a scheduler's workers and in a triggerer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.models import TaskState

if TYPE_CHECKING:
    from demo.local_sops import LocalSops
    from tests.real_airflow.conftest import RealAirflow

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def ended(airflow: RealAirflow, dag_id: str, task_id: str) -> str:
    """Wait for the end of a task and return its state."""
    states = ("success", "failed", "upstream_failed")

    def state() -> str | None:
        found = airflow.metadata.state_of(dag_id, task_id)
        return found if found in states else None

    return str(airflow.metadata.wait_until(state, f"{dag_id}.{task_id} ends"))


def test_a_deferred_flow_and_a_deferred_sensor_return_the_outputs(
    real_airflow: RealAirflow, local_sops: LocalSops
) -> None:
    real_airflow.trigger("real_deferred")
    real_airflow.metadata.wait_until(
        lambda: real_airflow.metadata.state_of("real_deferred", "run") == "deferred", "the task defers"
    )
    assert real_airflow.metadata.xcom("real_deferred", "run", "sops_task_url").startswith(local_sops.url)
    assert ended(real_airflow, "real_deferred", "sense") == "success"
    assert real_airflow.metadata.xcom("real_deferred", "run")["version"] == "7"
    assert real_airflow.metadata.xcom("real_deferred", "sense") == real_airflow.metadata.xcom("real_deferred", "run")


def test_the_log_tells_each_change_of_a_node_once_and_no_secret(
    real_airflow: RealAirflow, local_sops: LocalSops
) -> None:
    """Stands on the run of the test before: a real run is slow."""
    log = real_airflow.log_of("real_deferred", "run")
    for name in ("compile", "test", "publish"):
        assert log.count(f'{name}\\" FINISHED') + log.count(f'"{name}" FINISHED') == 1
    everything = "\n".join(path.read_text(errors="replace") for path in real_airflow.home.rglob("*.log"))
    assert local_sops.app_secret not in everything


def test_a_failed_flow_fails_the_task_and_names_the_node(real_airflow: RealAirflow) -> None:
    real_airflow.trigger("real_failure")
    assert ended(real_airflow, "real_failure", "run") == "failed"
    assert "定时时间需晚于当前时间" in real_airflow.log_of("real_failure", "run")


@pytest.mark.parametrize("waits", ["deferred", "running"])
def test_a_task_that_a_person_marks_failed_revokes_its_flow(
    real_airflow: RealAirflow, local_sops: LocalSops, monkeypatch: pytest.MonkeyPatch, waits: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", local_sops.connection_json())
    metadata = real_airflow.metadata
    dag_id = f"real_kill_{waits}"
    real_airflow.trigger(dag_id)
    metadata.wait_until(lambda: "ask a person" in real_airflow.log_of(dag_id, "run"), "the node that waits is seen")
    sops_task_id = metadata.xcom(dag_id, "run", "sops_task_id")
    real_airflow.mark_failed(dag_id, "run")
    with SopsHook() as hook:
        metadata.wait_until(
            lambda: hook.get_task_status(sops_task_id, fresh=True).state == TaskState.REVOKED, "SOPS is told to revoke"
        )

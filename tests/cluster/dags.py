"""The DAGs that a cluster runs in each round, against local_sops: every way to run and to wait for a flow."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG

from airflow_provider_sops.dag_generator import SopsDag
from airflow_provider_sops.operators.sops import SopsCreateTaskOperator, SopsRunTaskOperator, SopsStartTaskOperator
from airflow_provider_sops.sensors.sops import SopsTaskSensor

_FLOWS = int(os.environ.get("CLUSTER_FLOWS", "8"))
_LINEAR, _PARALLEL, _FAIL, _LONG = 1, 2, 12, 17
_ROLLOUT = Path(__file__).with_name("rollout.json")
_DAG: dict[str, Any] = {
    "schedule": None,
    "start_date": pendulum.datetime(2026, 1, 1, tz="UTC"),
    "catchup": False,
    "is_paused_upon_creation": False,
    # A kill of a worker costs a try.
    "default_args": {"retries": 6, "retry_delay": timedelta(seconds=2)},
}
_EVERY_SECONDS = 4

with DAG("cluster_deferred", **_DAG):
    SopsRunTaskOperator.partial(
        task_id="flow", template_id=_LONG, deferrable=True, poll_interval_seconds=_EVERY_SECONDS
    ).expand(constants=[{"${seconds}": str(4 + 4 * number)} for number in range(_FLOWS)])

with DAG("cluster_worker", **_DAG):
    for _number in range(2):
        SopsRunTaskOperator(
            task_id=f"flow_{_number}",
            template_id=_PARALLEL,
            constants={"${compile_seconds}": str(15 + 10 * _number)},
            deferrable=False,
            poll_interval_seconds=_EVERY_SECONDS,
        )

with DAG("cluster_sensors", **_DAG):
    _create = SopsCreateTaskOperator(task_id="create", template_id=_LINEAR, constants={"${seconds}": "20"})
    _start = SopsStartTaskOperator(task_id="start", sops_task_id=_create.output)
    _WAYS: dict[str, dict[str, Any]] = {
        "deferred": {"deferrable": True},
        "poke": {"deferrable": False},
        "reschedule": {"deferrable": False, "mode": "reschedule"},
    }
    for _name, _way in _WAYS.items():
        _start >> SopsTaskSensor(task_id=_name, sops_task_id=_create.output, poke_interval=_EVERY_SECONDS, **_way)

with DAG("cluster_failing", **{**_DAG, "default_args": {"retries": 2, "retry_delay": timedelta(seconds=2)}}):
    SopsRunTaskOperator(task_id="flow", template_id=_FAIL, deferrable=True, poll_interval_seconds=_EVERY_SECONDS)

for _mode in ("watch", "native"):
    SopsDag(
        f"cluster_{_mode}",
        pipeline=_ROLLOUT,
        mode=_mode,
        constants={"${seconds}": 8},
        poll_interval_seconds=_EVERY_SECONDS,
        **_DAG,
    )

"""The DAGs that the tests run in a real Airflow, against local_sops."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.sensors.sops import SopsTaskSensor

_ARGUMENTS: dict[str, Any] = {"schedule": None, "start_date": pendulum.datetime(2026, 1, 1, tz="UTC"), "catchup": False}
_PARALLEL, _PAUSE, _FAIL = 2, 11, 12

with DAG(dag_id="real_deferred", **_ARGUMENTS):
    run = SopsRunTaskOperator(
        task_id="run",
        template_id=_PARALLEL,
        constants={"${version}": "7"},
        deferrable=True,
        defer_after_seconds=0,
        poll_interval_seconds=1,
    )
    run >> SopsTaskSensor(
        task_id="sense",
        sops_task_id="{{ ti.xcom_pull(task_ids='run', key='sops_task_id') }}",
        deferrable=True,
        poke_interval=1,
    )

with DAG(dag_id="real_failure", **_ARGUMENTS):
    SopsRunTaskOperator(
        task_id="run", template_id=_FAIL, deferrable=True, defer_after_seconds=0, poll_interval_seconds=1
    )

for _deferrable in (True, False):
    with DAG(dag_id=f"real_kill_{'deferred' if _deferrable else 'running'}", **_ARGUMENTS):
        SopsRunTaskOperator(
            task_id="run", template_id=_PAUSE, deferrable=_deferrable, defer_after_seconds=0, poll_interval_seconds=1
        )

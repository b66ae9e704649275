"""Flows of several lengths, each waited for in several ways; a benchmark takes the times."""

from __future__ import annotations

from typing import Any

from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import DAG

from airflow_provider_sops.operators.sops import SopsRunTaskOperator

_LINEAR = 1
#: The arguments of each way to wait; the last one is how most remote-job operators ask.
_WAYS: dict[str, dict[str, Any]] = {
    "deferred": {"deferrable": True},
    "at_once": {"deferrable": True, "defer_after_seconds": 0},
    "running": {"deferrable": False},
    "fixed_30": {"deferrable": True, "defer_after_seconds": 0, "poll_interval_seconds": 30},
}

for _seconds in (1, 3, 10, 60, 600):
    _flow: dict[str, Any] = {"template_id": _LINEAR, "constants": {"${seconds}": str(_seconds)}}
    for _way, _arguments in _WAYS.items():
        with DAG(f"operator_path_{_way}_{_seconds}", schedule=None):
            SopsRunTaskOperator(task_id="flow", **_flow, **_arguments)

    with DAG(f"operator_path_http_{_seconds}", schedule=None):
        _begin = SopsRunTaskOperator(task_id="begin", **_flow, wait_for_completion=False)
        _ended = "ended/{{ ti.xcom_pull(task_ids='begin', key='sops_task_id') }}"
        _begin >> HttpSensor(task_id="flow", endpoint=_ended, deferrable=True, poke_interval=10)

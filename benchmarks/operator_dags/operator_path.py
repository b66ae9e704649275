"""One flow, waited for in the triggerer or on a worker; a benchmark takes the times."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_sops.operators.sops import SopsRunTaskOperator

_PARALLEL = 2

for _deferrable in (True, False):
    with DAG(f"operator_path_{'deferred' if _deferrable else 'running'}", schedule=None):
        SopsRunTaskOperator(task_id="flow", template_id=_PARALLEL, deferrable=_deferrable)

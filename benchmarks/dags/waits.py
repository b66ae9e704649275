"""A thousand tasks, which a benchmark defers by hand: none of them ever runs on a worker."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("waits", schedule=None):
    EmptyOperator.partial(task_id="wait").expand_kwargs([{"doc": str(number)} for number in range(1000)])

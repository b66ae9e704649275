"""The DAGs of drawn flows: a DAG file when it lies in a folder with their arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, TaskGroup, task_group

from airflow_provider_sops.dag_generator import SopsDag, SopsTaskGroup

#: The groups around the flow of a mapped DAG, and the map index whose flow is looked at.
MAPPED_GROUP = "each.inside.flow"
MAPPED_INDEX = 1


def mapped_dag(dag_id: str, **arguments: Any) -> DAG:
    """Build a DAG that has the flow in a group inside a group that is mapped over three values."""
    with DAG(dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:

        @task_group
        def each(number: int) -> None:
            with TaskGroup("inside"):
                SopsTaskGroup("flow", **arguments)

        each.expand(number=[1, 2, 3])
    return dag


def watching_dag(**arguments: Any) -> SopsDag:
    """Build the DAG that watches one flow."""
    return SopsDag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), **arguments)


for path in sorted(Path(__file__).parent.glob("tree_*.json")):
    watching_dag(**json.loads(path.read_text()))

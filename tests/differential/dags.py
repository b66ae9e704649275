"""The DAGs of drawn flows: a DAG file when it lies in a folder with their arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pendulum

from airflow_provider_sops.dag_generator import SopsDag


def watching_dag(**arguments: Any) -> SopsDag:
    """Build the DAG that watches one flow."""
    return SopsDag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), **arguments)


for path in sorted(Path(__file__).parent.glob("tree_*.json")):
    watching_dag(**json.loads(path.read_text()))

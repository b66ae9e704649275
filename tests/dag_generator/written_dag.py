"""Reads a tree and writes its DAG as Airflow stores it, in a process that imports as little as it can."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.serialization import serialized_objects

from airflow_provider_sops.dag_generator import SopsDag

if TYPE_CHECKING:
    from airflow_provider_sops.dag_generator.options import Mode


def main(mode: Mode) -> None:
    """Read from the standard input and write to the standard output."""
    started = pendulum.datetime(2026, 1, 1, tz="UTC")
    dag = SopsDag("flow", pipeline=json.load(sys.stdin), mode=mode, template_id=7, schedule=None, start_date=started)
    # The class that writes a DAG has had this name since Airflow 3.2.
    name = "DagSerialization" if hasattr(serialized_objects, "DagSerialization") else "SerializedDAG"
    serialization: Any = getattr(serialized_objects, name)
    # Airflow itself writes the DAG's own fields in the order of a set, and sorts them to tell versions apart.
    sys.stdout.write(json.dumps(serialization.to_dict(dag), sort_keys=True))

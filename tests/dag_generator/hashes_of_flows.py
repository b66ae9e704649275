"""A program that prints the hash of the DAG of each flow in both modes; its arguments are files with trees."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pendulum
from airflow.serialization import serialized_objects

from airflow_provider_sops.dag_generator import SopsDag


def main() -> None:
    """Print one JSON object: hashes by file and mode."""
    hashes = {f"{path} {mode}": dag_hash(path, mode) for path in sys.argv[1:] for mode in ("watch", "native")}
    sys.stdout.write(f"{json.dumps(hashes)}\n")


def dag_hash(path: str, mode: Any) -> str:
    """Return a hash of what Airflow stores of a flow's DAG."""
    dag = SopsDag(
        "flow",
        pipeline=json.loads(Path(path).read_text(encoding="utf-8")),
        mode=mode,
        template_id=1,
        stages=True,
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    )
    return hashlib.sha256(serialised(dag).encode()).hexdigest()


def serialised(dag: SopsDag) -> str:
    """Return a DAG as Airflow stores it."""
    # The class that writes a DAG has had this name since Airflow 3.2.
    name = "DagSerialization" if hasattr(serialized_objects, "DagSerialization") else "SerializedDAG"
    serialization: Any = getattr(serialized_objects, name)
    return json.dumps(serialization.to_dict(dag), sort_keys=True)


if __name__ == "__main__":
    main()

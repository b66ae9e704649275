"""Every example DAG runs to success against local_sops, just as it is shipped."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from tests.dag_run import run_dag

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db", "sops_default")]

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "example_dags").glob("*.py"))


def dags_of(path: Path) -> list[DAG]:
    """Return the DAGs that a file defines."""
    values = runpy.run_path(str(path)).values()
    dags = {id(value.dag): value.dag for value in values if isinstance(value, BaseOperator)}
    return list(dags.values())


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_runs_to_success(path: Path) -> None:
    dags: list[Any] = dags_of(path)
    assert dags, f"{path.name} defines no DAG"
    for dag in dags:
        run = run_dag(dag)
        states = {ti.task_id: ti.state for ti in run.dag_run.get_task_instances()}
        assert run.state == "success", states


def test_there_are_examples() -> None:
    assert EXAMPLES

"""Every example DAG runs to success against local_sops and an EnOS for tests, just as it is shipped."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from tests.dag_run import run_dag
from tests.enos_server.plays import RUNNING, SUCCESS, Play, TaskPlay
from tests.example_files import EXAMPLES, FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.enos_server import EnosServer

pytest_plugins = ("tests.enos_server.fixtures",)
pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db", "sops_default", "report_flow")]


@pytest.fixture
def report_flow(enos_default: EnosServer) -> None:
    """The EnOS flow that the examples run, which comes to a good end soon."""
    enos_default.add_flow(1, Play((RUNNING, SUCCESS), {"extract": TaskPlay((RUNNING, SUCCESS))}), name="daily report")


def dags_of(path: Path) -> list[DAG]:
    """Return the DAGs that a file defines."""
    values = runpy.run_path(str(path)).values()
    found = (value if isinstance(value, DAG) else getattr(value, "dag", None) for value in values)
    dags = {id(dag): dag for dag in found if isinstance(dag, DAG)}
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


def test_no_file_of_the_folder_is_an_import_error() -> None:
    """Those that need a later Airflow have no DAG on an earlier one."""
    for path in FOLDER.glob("*.py"):
        assert bool(dags_of(path)) is (path in EXAMPLES)

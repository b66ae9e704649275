"""The code of docs/enos.md does what the page says, on an EnOS for tests."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING, Any

import pytest

from tests.dag_run import run_dag
from tests.docs.dag_files import load_dag_file, write_dag_file
from tests.docs.pages import ROOT, Page
from tests.enos_server.plays import RUNNING, SUCCESS, Play, TaskPlay

if TYPE_CHECKING:
    from pathlib import Path

    from tests.enos_server import EnosServer

pytest_plugins = ("tests.enos_server.fixtures",)
pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]


def test_the_flows_run_and_their_logs_are_read(
    enos_default: EnosServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flow_id in (3377, 3378):
        enos_default.add_flow(flow_id, Play((RUNNING, SUCCESS), {"extract": TaskPlay((SUCCESS,), log="42 rows")}))
    file = write_dag_file(Page(ROOT / "docs/enos.md"), tmp_path)
    dag: Any = load_dag_file(file).dags["enos_page"]
    for task in dag.tasks:
        setattr(task, "poll_interval_seconds" if hasattr(task, "poll_interval_seconds") else "poke_interval", 0.1)

    run = run_dag(dag)

    assert run.state == "success"
    assert {task_id: run.state_of(task_id) for task_id in dag.task_ids} == dict.fromkeys(
        ["report", "begin", "wait", "integration"], "success"
    )
    assert run.xcom("report")["parameters"] == [{"key": "region", "value": "east"}]
    capsys.readouterr()
    runpy.run_path(str(file))["print_logs"](run.xcom("report", "enos_flow_instance_id"))
    assert capsys.readouterr().out == "extract SUCCESS 42 rows\n"

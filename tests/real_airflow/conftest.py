"""A real Airflow of the version under test: scheduler and triggerer as programs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from demo.airflow_api import AirflowApi
from demo.airflow_processes import AirflowProcesses, AirflowSettings, choose_port
from demo.child_process import ChildProcess
from tests.real_airflow.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.local_sops import LocalSops

_DAGS_FILE = Path(__file__).with_name("dags.py")


@dataclass(frozen=True)
class RealAirflow:
    """A running Airflow.

    :param trigger: starts a run of a DAG.
    :param mark_failed: ends a task instance as a person does.
    """

    home: Path
    metadata: Metadata
    trigger: Callable[[str], None]
    mark_failed: Callable[[str, str], None]

    def log_of(self, dag_id: str, task_id: str) -> str:
        """Return everything that a task wrote to its log, on the worker and in the triggerer."""
        files = sorted((self.home / "logs" / f"dag_id={dag_id}").glob(f"**/task_id={task_id}/**/*"))
        return "\n".join(path.read_text() for path in files if path.is_file())


@pytest.fixture(scope="module")
def real_airflow(local_sops: LocalSops, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    """An Airflow whose connection ``sops_default`` is local_sops."""
    folder = tmp_path_factory.mktemp("real_airflow")
    dags_folder = folder / "dags"
    dags_folder.mkdir()
    (dags_folder / _DAGS_FILE.name).write_text(_DAGS_FILE.read_text())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    start = start_airflow_3 if AIRFLOW_V_3_0_PLUS else start_airflow_2
    with ExitStack() as running:
        yield start(folder / "home", dags_folder, local_sops, environment, running)


def start_airflow_3(
    home: Path, dags_folder: Path, sops: LocalSops, environment: dict[str, str], running: ExitStack
) -> RealAirflow:
    settings = AirflowSettings(
        home=home,
        dags_folder=dags_folder,
        port=choose_port(0),
        connections={"sops_default": sops.connection_json()},
    )
    processes = running.enter_context(AirflowProcesses(settings, environment))
    api = running.enter_context(AirflowApi(settings.url, user=settings.user, password=settings.password))
    metadata = Metadata(home / "airflow.db", processes.check)

    def trigger(dag_id: str) -> None:
        metadata.wait_until(lambda: api.knows_dag(dag_id), f"DAG {dag_id} is parsed")
        run_ids[dag_id] = api.trigger(dag_id)

    run_ids: dict[str, str] = {}
    return RealAirflow(
        home, metadata, trigger, lambda dag_id, task_id: api.mark_failed(dag_id, run_ids[dag_id], task_id)
    )


def start_airflow_2(
    home: Path, dags_folder: Path, sops: LocalSops, environment: dict[str, str], running: ExitStack
) -> RealAirflow:
    home.mkdir()
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW_CONN_SOPS_DEFAULT": sops.connection_json(),
        # The SequentialExecutor looks for `airflow` on PATH.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
    }
    command = str(Path(sys.executable).with_name("airflow"))

    def airflow(*arguments: str) -> None:
        subprocess.run([command, *arguments], env=environment, check=True, capture_output=True)

    airflow("db", "migrate")
    processes = [
        running.enter_context(
            ChildProcess(
                f"airflow {name}",
                [command, name, "--skip-serve-logs"],
                log_path=home / f"{name}.log",
                environment=environment,
            )
        )
        for name in ("scheduler", "triggerer")
    ]

    def check() -> None:
        for process in processes:
            process.check()

    metadata = Metadata(home / "airflow.db", check)
    airflow("dags", "reserialize")
    return RealAirflow(home, metadata, lambda dag_id: airflow("dags", "trigger", dag_id), metadata.end)

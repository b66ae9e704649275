"""A SOPS flow run by a whole Airflow: how long that takes, and what it costs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]

from benchmarks.counting_proxy import CountingProxy
from benchmarks.databases import epoch_seconds, read_rows
from benchmarks.local_sops import local_sops
from benchmarks.patience import wait_until
from benchmarks.progress import say
from demo.airflow_api import AirflowApi
from demo.airflow_processes import AirflowProcesses, AirflowSettings, choose_port
from demo.progress import RunFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

#: The name of the snapshot beside the DAG file.
SNAPSHOT_FILE = "flow.json"
_RUN_SECONDS = 900.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FINISHED = re.compile(r"^(\S+Z) .*Workload finished .*?duration=([0-9.]+).*?workload_id=([0-9a-f-]+)", re.MULTILINE)


@dataclass(frozen=True)
class Stint:
    """A worker process, which began or ended or ran a task.

    :param began: like ``ended`` in seconds since the epoch.
    """

    task_id: str
    began: float
    ended: float

    def within(self, began: float, ended: float) -> float:
        """Return for how many seconds of a period it ran."""
        return max(0.0, min(self.ended, ended) - max(self.began, began))


@dataclass(frozen=True)
class FlowRun:
    """One DAG run.

    :param began: like ``ended`` in seconds since the epoch.
    :param cpu_seconds: by program.
    :param requests: by SOPS's call.
    """

    run_id: str
    began: float
    ended: float
    stints: list[Stint]
    cpu_seconds: Mapping[str, float]
    requests: Mapping[str, int]


class FlowInAirflow:
    """A local_sops behind a counting door, and a whole Airflow with DAGs of one flow.

    :param folder: the templates in its sub-folder ``templates``, if any, are local_sops's too.
    :param template_id: the flow, whose snapshot lies beside the DAG file.
    :param dag_file: text of the DAG file.
    """

    def __init__(self, folder: Path, running: ExitStack, *, template_id: int, dag_file: str) -> None:
        self.folder = folder
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
        templates = folder / "templates"
        templates.mkdir(exist_ok=True)
        sops = running.enter_context(local_sops(folder, environment, "--templates", str(templates)))
        self._door = running.enter_context(CountingProxy(sops.url))
        connection = json.dumps({**json.loads(sops.connection_json()), "host": self._door.url})
        dags = folder / "dags"
        dags.mkdir()
        snapshot_environment = {**environment, "AIRFLOW_CONN_SOPS_DEFAULT": connection}
        _take_snapshot(template_id, dags / SNAPSHOT_FILE, snapshot_environment, folder)
        (dags / "flow_dags.py").write_text(dag_file)
        settings = AirflowSettings(
            home=folder / "airflow", dags_folder=dags, port=choose_port(0), connections={"sops_default": connection}
        )
        self._airflow = running.enter_context(AirflowProcesses(settings, environment))
        self.api = running.enter_context(AirflowApi(settings.url, user=settings.user, password=settings.password))

    def run(self, dag_id: str, *, outcome_task_id: str) -> FlowRun:
        """Run a DAG once.

        :param outcome_task_id: the task whose log tells why a run failed.
        :raises RunFailedError: the run did not succeed.
        """
        say(f"running {dag_id}")
        patience: dict[str, Any] = {"within_seconds": _RUN_SECONDS, "check": self._airflow.check}
        wait_until(lambda: self.api.knows_dag(dag_id), f"{dag_id} is parsed", **patience)
        requests, cpu = self._door.requests.copy(), _cpu_seconds()
        run_id = self.api.trigger(dag_id)
        wait_until(lambda: self.api.run_state(dag_id, run_id) in ("success", "failed"), f"{dag_id} ends", **patience)
        used = {name: seconds - cpu.get(name, 0.0) for name, seconds in _cpu_seconds().items()}
        if self.api.run_state(dag_id, run_id) == "failed":
            raise RunFailedError("\n".join([f"{dag_id} failed", *self.api.task_log(dag_id, run_id, outcome_task_id)]))
        query = "SELECT start_date, end_date FROM dag_run WHERE dag_id = ? AND run_id = ?"
        ((began, ended),) = read_rows(self._database, query, dag_id, run_id)
        return FlowRun(
            run_id=run_id,
            began=epoch_seconds(began),
            ended=epoch_seconds(ended),
            stints=self._stints(dag_id, run_id),
            cpu_seconds=used,
            requests=dict(self._door.requests - requests),
        )

    def _stints(self, dag_id: str, run_id: str) -> list[Stint]:
        """Read what the scheduler's log, whose workers write into it, says of the worker processes of a run."""
        query = "SELECT id, task_id FROM task_instance WHERE dag_id = ? AND run_id = ?"
        names = {
            str(instance).replace("-", ""): name for instance, name in read_rows(self._database, query, dag_id, run_id)
        }
        log = _COLOURS.sub("", (self.folder / "airflow/scheduler.log").read_text())
        stints = []
        for moment, duration, instance in _FINISHED.findall(log):
            task_id = names.get(instance.replace("-", ""))
            if task_id is not None:
                ended = datetime.fromisoformat(moment).timestamp()
                stints.append(Stint(task_id, ended - float(duration), ended))
        return stints

    @property
    def _database(self) -> Path:
        return self.folder / "airflow/airflow.db"


def _take_snapshot(template_id: int, path: Path, environment: Mapping[str, str], folder: Path) -> None:
    command = [str(Path(sys.executable).with_name("airflow-sops")), "snapshot", str(template_id), "--output", str(path)]
    home = {"AIRFLOW_HOME": str(folder / "snapshot_home")}
    subprocess.run(command, env={**environment, **home}, check=True, stdout=subprocess.DEVNULL)


def _cpu_seconds() -> dict[str, float]:
    """Return the processor time of Airflow's programs so far, with all that they have started and that has ended."""
    used = {}
    for program in psutil.Process().children():
        words = program.cmdline()
        name = next((name for name in ("scheduler", "triggerer") if name in words), None)
        if name is not None:
            used[name] = sum(_cpu_of(process) for process in (program, *program.children(recursive=True)))
    return used


def _cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)

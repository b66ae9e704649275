"""What it costs a whole Airflow to show a large flow node by node while SOPS runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]

from benchmarks.counting_proxy import CountingProxy
from benchmarks.databases import epoch_seconds, read_rows
from benchmarks.local_sops import lifetimes, local_sops
from benchmarks.patience import wait_until
from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target
from demo.airflow_api import AirflowApi
from demo.airflow_processes import AirflowProcesses, AirflowSettings, choose_port
from demo.progress import RunFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.scope import Scope

#: Four parallel branches of fifty quick nodes each, and the two gateways around them.
_TEMPLATE = 200
_PACES = ("free", "flow")
_RUN_SECONDS = 900.0
_LATE_SECONDS = 60.0
_DAG_FILE = """\
from pathlib import Path

from airflow_provider_sops.dag_generator import SopsDag

for pace in {paces!r}:
    globals()[pace] = SopsDag(
        f"watched_{{pace}}", pipeline=Path(__file__).with_name("flow.json"), pace=pace, schedule=None
    )
"""
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
class Watch:
    """One watched run.

    :param sops_seconds: how long SOPS ran the flow.
    :param late_seconds: from the end of the SOPS task to the end of the DAG run.
    :param waiting_slot_seconds: worker time from the moment at which the whole flow waits until SOPS has ended.
    :param cpu_seconds: by program.
    :param requests: by SOPS's call.
    """

    pace: str
    sops_seconds: float
    late_seconds: float
    run_seconds: float
    stints: list[Stint]
    waiting_slot_seconds: float
    cpu_seconds: Mapping[str, float]
    requests: Mapping[str, int]


class _Watched:
    """A local_sops behind a counting door, and a whole Airflow with the flow's DAGs."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self._folder = folder
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
        sops = running.enter_context(local_sops(folder, environment))
        self._door = running.enter_context(CountingProxy(sops.url))
        connection = json.dumps({**json.loads(sops.connection_json()), "host": self._door.url})
        dags = folder / "dags"
        dags.mkdir()
        _take_snapshot(dags / "flow.json", {**environment, "AIRFLOW_CONN_SOPS_DEFAULT": connection}, folder)
        (dags / "watched_flow.py").write_text(_DAG_FILE.format(paces=_PACES))
        settings = AirflowSettings(
            home=folder / "airflow", dags_folder=dags, port=choose_port(0), connections={"sops_default": connection}
        )
        self._airflow = running.enter_context(AirflowProcesses(settings, environment))
        self._api = running.enter_context(AirflowApi(settings.url, user=settings.user, password=settings.password))

    def run(self, pace: str) -> Watch:
        """Run the flow once and watch it.

        :raises RunFailedError: the run did not succeed.
        """
        dag_id = f"watched_{pace}"
        say(f"running {dag_id}")
        patience: dict[str, Any] = {"within_seconds": _RUN_SECONDS, "check": self._airflow.check}
        wait_until(lambda: self._api.knows_dag(dag_id), f"{dag_id} is parsed", **patience)
        requests, cpu = self._door.requests.copy(), _cpu_seconds()
        run_id = self._api.trigger(dag_id)
        wait_until(lambda: self._api.run_state(dag_id, run_id) in ("success", "failed"), f"{dag_id} ends", **patience)
        used = {name: seconds - cpu.get(name, 0.0) for name, seconds in _cpu_seconds().items()}
        if self._api.run_state(dag_id, run_id) == "failed":
            raise RunFailedError("\n".join([f"{dag_id} failed", *self._api.task_log(dag_id, run_id, "flow")]))
        flow = lifetimes(self._folder)[int(self._api.xcom(dag_id, run_id, "start", "sops_task_id"))]
        query = "SELECT start_date, end_date FROM dag_run WHERE dag_id = ? AND run_id = ?"
        ((began, ended),) = read_rows(self._database, query, dag_id, run_id)
        stints = self._stints(dag_id, run_id)
        waits_from = min((stint.ended for stint in stints if stint.task_id == "flow"), default=flow.began)
        return Watch(
            pace=pace,
            sops_seconds=flow.ended - flow.began,
            late_seconds=epoch_seconds(ended) - flow.ended,
            run_seconds=epoch_seconds(ended) - epoch_seconds(began),
            stints=stints,
            waiting_slot_seconds=sum(stint.within(waits_from, flow.ended) for stint in stints),
            cpu_seconds=used,
            requests=dict(self._door.requests - requests),
        )

    def _stints(self, dag_id: str, run_id: str) -> list[Stint]:
        """Read what the scheduler's log, whose workers write into it, says of the worker processes of a run."""
        query = "SELECT id, task_id FROM task_instance WHERE dag_id = ? AND run_id = ?"
        names = {
            str(instance).replace("-", ""): name for instance, name in read_rows(self._database, query, dag_id, run_id)
        }
        log = _COLOURS.sub("", (self._folder / "airflow/scheduler.log").read_text())
        stints = []
        for moment, duration, instance in _FINISHED.findall(log):
            task_id = names.get(instance.replace("-", ""))
            if task_id is not None:
                ended = datetime.fromisoformat(moment).timestamp()
                stints.append(Stint(task_id, ended - float(duration), ended))
        return stints

    @property
    def _database(self) -> Path:
        return self._folder / "airflow/airflow.db"


def run(_scope: Scope) -> Result:
    """Watch the flow at each pace, one after the other."""
    with tempfile.TemporaryDirectory(prefix="watched-flow-") as name, ExitStack() as running:
        say("starting local_sops and a whole Airflow")
        watched = _Watched(Path(name), running)
        watches = [watched.run(pace) for pace in _PACES]
    free = watches[0]
    notes = [
        "Beyond SOPS: from the end of the SOPS task to the end of the DAG run.",
        "Slots while waiting: worker time from the moment at which `flow` waits until SOPS has ended.",
        "CPU: of all processes of the program during the run; the scheduler's has the workers in it.",
    ]
    return Result(
        [Table("A flow of 200 nodes, watched by a whole Airflow", [_row(watch) for watch in watches], notes)],
        [
            Target('pace="free": seconds from the end of SOPS to the end of the run', free.late_seconds, _LATE_SECONDS),
            Target("worker-slot seconds while waiting", max(watch.waiting_slot_seconds for watch in watches), 0),
        ],
        details=[asdict(watch) for watch in watches],
    )


def _row(watch: Watch) -> Row:
    return {
        "": f'pace="{watch.pace}"',
        "SOPS s": watch.sops_seconds,
        "run s": watch.run_seconds,
        "beyond SOPS s": watch.late_seconds,
        "worker processes": len(watch.stints),
        "slot-seconds": sum(stint.ended - stint.began for stint in watch.stints),
        "while waiting": watch.waiting_slot_seconds,
        "scheduler CPU s": watch.cpu_seconds["scheduler"],
        "triggerer CPU s": watch.cpu_seconds["triggerer"],
        "requests": sum(watch.requests.values()),
        "for status": watch.requests.get("get_tasks_status", 0) + watch.requests.get("get_task_status", 0),
    }


def _take_snapshot(path: Path, environment: Mapping[str, str], folder: Path) -> None:
    command = [str(Path(sys.executable).with_name("airflow-sops")), "snapshot", str(_TEMPLATE), "--output", str(path)]
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

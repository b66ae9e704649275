"""How long a flow waits for Airflow: before it begins and after it has ended."""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.databases import epoch_seconds
from benchmarks.kinds_of_airflow import KINDS, airflow_of_kind
from benchmarks.local_sops import ends_by_http_status, lifetimes, local_sops
from benchmarks.patience import wait_until
from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target, medians_of
from benchmarks.waiting.deferred_tasks import ROOT
from benchmarks.waiting.trial import median
from demo.airflow_api import AirflowApi
from demo.airflow_processes import AirflowSettings, choose_port
from demo.progress import RunFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scope import Scope
    from demo.airflow_processes import AirflowProcesses

_TASK_ID = "flow"
#: As in the DAG file.
_WAYS = {
    "deferred": "deferrable",
    "at_once": "deferrable, deferred at once",
    "running": "on the worker",
    "fixed_30": "deferrable, asked about every 30 s",
    "http": "HttpSensor, deferrable, every 10 s",
}
_PEER = "http"
#: The most that the end of a flow of so many seconds may take to be noticed, by default.
_LIMITS = {3: 3.5, 60: 6.0, 600: 11.0}
#: How much longer than its flow a run may take.
_RUN_SECONDS = 180.0
#: Between two starts, so that a run is not measured while the workers of others start.
_APART_SECONDS = 7.0
#: Longer flows run beside the others from the beginning.
_LONG_SECONDS = 300
#: So that nothing waits for a slot.
_PARALLELISM = 12


@dataclass(frozen=True)
class Times:
    """One run.

    :param begin_seconds: from the start of the Airflow task until the SOPS task runs.
    :param end_seconds: from the end of the SOPS task until the Airflow task has succeeded; not a number if it failed.
    """

    way: str
    flow_seconds: int
    begin_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class _Run:
    """A DAG run that has been started."""

    way: str
    flow_seconds: int
    dag_id: str
    run_id: str


def run(scope: Scope) -> Result:
    """Run flows of several lengths some times in each way in a whole Airflow."""
    with tempfile.TemporaryDirectory(prefix="operator-") as name, ExitStack() as running:
        folder = Path(name)
        say("starting local_sops and a whole Airflow")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
        sops = running.enter_context(local_sops(folder, environment))
        ends = running.enter_context(ends_by_http_status(folder))
        settings = AirflowSettings(
            home=folder / "airflow",
            dags_folder=ROOT / "benchmarks/operator_dags",
            port=choose_port(0),
            connections={
                "sops_default": sops.connection_json(),
                "http_default": json.dumps({"conn_type": "http", "host": ends}),
            },
            parallelism=_PARALLELISM,
        )
        airflow = running.enter_context(airflow_of_kind(scope.airflow, settings, environment))
        api = running.enter_context(AirflowApi(settings.url, user=settings.user, password=settings.password))
        started = [_start(api, airflow, way, seconds) for way, seconds in order(scope)]
        times = [_times(api, airflow, folder, each) for each in started]
    return Result(
        [
            Table(
                f"SopsRunTaskOperator in a whole Airflow with {KINDS[scope.airflow]}",
                _rows(times, scope),
                _notes(scope),
            )
        ],
        targets(times),
        details=[asdict(one) for one in times],
    )


def order(scope: Scope) -> list[tuple[str, int]]:
    """Return what is run, in order: the long flows first, in all ways some times, on a worker only once."""
    long = [seconds for seconds in scope.flow_seconds if seconds >= _LONG_SECONDS]
    once = [(way, seconds) for seconds in long for way in _WAYS]
    again = [(way, seconds) for way, seconds in once if way != "running"] * (scope.repeats - 1)
    short = [(way, seconds) for seconds in scope.flow_seconds if seconds not in long for way in _WAYS]
    return once + again + short * scope.repeats


def _start(api: AirflowApi, airflow: AirflowProcesses, way: str, seconds: int) -> _Run:
    dag_id = f"operator_path_{way}_{seconds}"
    known: dict[str, Any] = {"within_seconds": _RUN_SECONDS, "check": airflow.check}
    wait_until(lambda: api.knows_dag(dag_id), f"{dag_id} is parsed", **known)
    say(f"starting {dag_id}")
    run_id = api.trigger(dag_id)
    time.sleep(_APART_SECONDS)
    return _Run(way, seconds, dag_id, run_id)


def _times(api: AirflowApi, airflow: AirflowProcesses, folder: Path, run: _Run) -> Times:
    """Return the times of a run once it has ended.

    :raises RunFailedError: it did not succeed, although it waited as this package does.
    """
    dag_id, run_id = run.dag_id, run.run_id
    patience: dict[str, Any] = {"within_seconds": run.flow_seconds + _RUN_SECONDS, "check": airflow.check}
    wait_until(lambda: api.run_state(dag_id, run_id) in ("success", "failed"), f"{dag_id} ends", **patience)
    has_failed = api.run_state(dag_id, run_id) == "failed"
    if has_failed and run.way != _PEER:
        raise RunFailedError("\n".join([f"{dag_id} failed", *api.task_log(dag_id, run_id, _TASK_ID)]))
    tasks = api.task_times(dag_id, run_id)
    first = next(iter(tasks.keys() - {_TASK_ID}), _TASK_ID)
    flow = lifetimes(folder)[int(api.xcom(dag_id, run_id, first, "sops_task_id"))]
    began, ended = epoch_seconds(tasks[first][0]), epoch_seconds(tasks[_TASK_ID][1])
    return Times(run.way, run.flow_seconds, flow.began - began, math.nan if has_failed else ended - flow.ended)


def _rows(times: Sequence[Times], scope: Scope) -> list[Row]:
    return [
        {
            "": f"flow of {seconds} s, {name}",
            "task start to flow running s": median(one.begin_seconds for one in chosen),
            "flow end to success s": median(one.end_seconds for one in chosen),
            "longest": max((one.end_seconds for one in chosen if not math.isnan(one.end_seconds)), default=math.nan),
            "runs": len(chosen),
            "failed": sum(math.isnan(one.end_seconds) for one in chosen),
        }
        for seconds in scope.flow_seconds
        for way, name in _WAYS.items()
        if (chosen := [one for one in times if (one.way, one.flow_seconds) == (way, seconds)])
    ]


def _notes(scope: Scope) -> list[str]:
    return [
        f"{medians_of(scope.repeats)}, where there were so many runs; one is started every {_APART_SECONDS:g} s.",
        "HttpSensor follows a task that starts the flow, and reads no SOPS: it is told of the end by an HTTP status.",
        "Failed: Airflow may fail a task whose trigger fires before its worker has gone; ours wait for that.",
    ]


def targets(times: Sequence[Times]) -> list[Target]:
    """Return what the ends of deferred flows, waited for by default, must not take longer than."""
    noticed = {
        seconds: [one.end_seconds for one in times if (one.way, one.flow_seconds) == ("deferred", seconds)]
        for seconds in _LIMITS
    }
    return [
        Target(f"flow of {seconds} s, deferrable: flow end to success in s", median(noticed[seconds]), limit)
        for seconds, limit in _LIMITS.items()
        if noticed[seconds]
    ]

"""How long a flow waits for Airflow: before it begins and after it has ended."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.databases import epoch_seconds, read_rows
from benchmarks.local_sops import lifetimes, local_sops
from benchmarks.patience import wait_until
from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, medians_of
from benchmarks.waiting.deferred_tasks import ROOT
from demo.airflow_api import AirflowApi
from demo.airflow_processes import AirflowProcesses, AirflowSettings, choose_port
from demo.progress import RunFailedError

if TYPE_CHECKING:
    from benchmarks.scope import Scope

_TASK_ID = "flow"
#: As in the DAG file.
_WAYS = {
    "deferred": "deferrable",
    "at_once": "deferrable, deferred at once",
    "running": "on the worker",
    "fixed_30": "deferrable, asked about every 30 s",
}
#: How much longer than its flow a run may take.
_RUN_SECONDS = 180.0


@dataclass(frozen=True)
class Times:
    """One run.

    :param begin_seconds: from the start of the Airflow task until the SOPS task runs.
    :param end_seconds: from the end of the SOPS task until the Airflow task has succeeded.
    """

    way: str
    flow_seconds: int
    begin_seconds: float
    end_seconds: float


def run(scope: Scope) -> Result:
    """Run flows of several lengths some times in each way in a whole Airflow, each length by itself."""
    with tempfile.TemporaryDirectory(prefix="operator-") as name, ExitStack() as running:
        folder = Path(name)
        say("starting local_sops and a whole Airflow")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
        sops = running.enter_context(local_sops(folder, environment))
        settings = AirflowSettings(
            home=folder / "airflow",
            dags_folder=ROOT / "benchmarks/operator_dags",
            port=choose_port(0),
            connections={"sops_default": sops.connection_json()},
        )
        airflow = running.enter_context(AirflowProcesses(settings, environment))
        api = running.enter_context(AirflowApi(settings.url, user=settings.user, password=settings.password))
        times = [
            one
            for _ in range(scope.repeats)
            for seconds in scope.flow_seconds
            for one in _measure(api, airflow, folder, seconds)
        ]
    rows: list[Row] = [
        {
            "": f"flow of {seconds} s, {name}",
            "task start to flow running s": median(one.begin_seconds for one in chosen),
            "flow end to success s": median(one.end_seconds for one in chosen),
            "longest": max(one.end_seconds for one in chosen),
        }
        for seconds in scope.flow_seconds
        for way, name in _WAYS.items()
        if (chosen := [one for one in times if (one.way, one.flow_seconds) == (way, seconds)])
    ]
    notes = [f"{medians_of(scope.repeats)}. Each flow is run in all ways side by side."]
    return Result(
        [Table("SopsRunTaskOperator in a whole Airflow", rows, notes)], details=[asdict(one) for one in times]
    )


def _measure(api: AirflowApi, airflow: AirflowProcesses, folder: Path, seconds: int) -> list[Times]:
    """Run a flow once in each way, all at the same time.

    :raises RunFailedError: a run did not succeed.
    """
    say(f"running flows of {seconds} s")
    patience: dict[str, Any] = {"within_seconds": seconds + _RUN_SECONDS, "check": airflow.check}
    runs = {}
    for way in _WAYS:
        dag_id = f"operator_path_{way}_{seconds}"
        wait_until(lambda dag_id=dag_id: api.knows_dag(dag_id), f"{dag_id} is parsed", **patience)  # type: ignore[misc]
        runs[way] = (dag_id, api.trigger(dag_id))
    return [_times(api, folder, way, seconds, dag_id, run_id, patience) for way, (dag_id, run_id) in runs.items()]


def _times(
    api: AirflowApi, folder: Path, way: str, seconds: int, dag_id: str, run_id: str, patience: dict[str, Any]
) -> Times:
    wait_until(lambda: api.run_state(dag_id, run_id) in ("success", "failed"), f"{dag_id} ends", **patience)
    if api.run_state(dag_id, run_id) == "failed":
        raise RunFailedError("\n".join([f"{dag_id} failed", *api.task_log(dag_id, run_id, _TASK_ID)]))
    flow = lifetimes(folder)[int(api.xcom(dag_id, run_id, _TASK_ID, "sops_task_id"))]
    query = "SELECT start_date, end_date FROM task_instance WHERE dag_id = ? AND run_id = ?"
    ((began, ended),) = read_rows(folder / "airflow/airflow.db", query, dag_id, run_id)
    return Times(way, seconds, flow.began - epoch_seconds(began), epoch_seconds(ended) - flow.ended)

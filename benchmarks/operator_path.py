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
_WAYS = {"deferred": "in the triggerer", "running": "on the worker"}
_RUN_SECONDS = 180.0


@dataclass(frozen=True)
class Times:
    """One run.

    :param begin_seconds: from the start of the Airflow task until the SOPS task runs.
    :param end_seconds: from the end of the SOPS task until the Airflow task has succeeded.
    """

    way: str
    begin_seconds: float
    end_seconds: float


def run(scope: Scope) -> Result:
    """Run the flow some times in each way, one after another, in a whole Airflow."""
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
        times = [_measure(api, airflow, folder, way) for _ in range(scope.repeats) for way in _WAYS]
    rows: list[Row] = [
        {
            "": f"waiting {_WAYS[way]}",
            "task start to flow running s": median(one.begin_seconds for one in times if one.way == way),
            "flow end to success s": median(one.end_seconds for one in times if one.way == way),
        }
        for way in _WAYS
    ]
    notes = [f"{medians_of(scope.repeats)}; a flow of six seconds, asked about every 10 s, which is the default."]
    return Result(
        [Table("SopsRunTaskOperator in a whole Airflow", rows, notes)], details=[asdict(one) for one in times]
    )


def _measure(api: AirflowApi, airflow: AirflowProcesses, folder: Path, way: str) -> Times:
    """Run the flow once.

    :raises RunFailedError: the run did not succeed.
    """
    dag_id = f"operator_path_{way}"
    say(f"running {dag_id}")
    patience: dict[str, Any] = {"within_seconds": _RUN_SECONDS, "check": airflow.check}
    wait_until(lambda: api.knows_dag(dag_id), f"{dag_id} is parsed", **patience)
    run_id = api.trigger(dag_id)
    wait_until(lambda: api.run_state(dag_id, run_id) in ("success", "failed"), f"{dag_id} ends", **patience)
    if api.run_state(dag_id, run_id) == "failed":
        raise RunFailedError("\n".join([f"{dag_id} failed", *api.task_log(dag_id, run_id, _TASK_ID)]))
    flow = lifetimes(folder)[int(api.xcom(dag_id, run_id, _TASK_ID, "sops_task_id"))]
    query = "SELECT start_date, end_date FROM task_instance WHERE dag_id = ? AND run_id = ?"
    ((began, ended),) = read_rows(folder / "airflow/airflow.db", query, dag_id, run_id)
    return Times(way, flow.began - epoch_seconds(began), epoch_seconds(ended) - flow.ended)

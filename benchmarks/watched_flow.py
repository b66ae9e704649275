"""What it costs a whole Airflow to show a large flow node by node while SOPS runs it."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.flow_in_airflow import SNAPSHOT_FILE, FlowInAirflow, Stint
from benchmarks.local_sops import lifetimes
from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.scope import Scope

#: Four parallel branches of fifty quick nodes each, and the two gateways around them.
_TEMPLATE = 200
_PACES = ("free", "flow")
_LATE_SECONDS = 60.0
_DAG_FILE = f"""\
from pathlib import Path

from airflow_provider_sops.dag_generator import SopsDag

for pace in {_PACES!r}:
    globals()[pace] = SopsDag(
        f"watched_{{pace}}", pipeline=Path(__file__).with_name({SNAPSHOT_FILE!r}), pace=pace, schedule=None
    )
"""


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


def run(_scope: Scope) -> Result:
    """Watch the flow at each pace, one after the other."""
    with tempfile.TemporaryDirectory(prefix="watched-flow-") as name, ExitStack() as running:
        say("starting local_sops and a whole Airflow")
        airflow = FlowInAirflow(Path(name), running, template_id=_TEMPLATE, dag_file=_DAG_FILE)
        watches = [_watch(airflow, pace) for pace in _PACES]
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


def _watch(airflow: FlowInAirflow, pace: str) -> Watch:
    dag_id = f"watched_{pace}"
    run = airflow.run(dag_id, outcome_task_id="flow")
    flow = lifetimes(airflow.folder)[int(airflow.api.xcom(dag_id, run.run_id, "start", "sops_task_id"))]
    waits_from = min((stint.ended for stint in run.stints if stint.task_id == "flow"), default=flow.began)
    return Watch(
        pace=pace,
        sops_seconds=flow.ended - flow.began,
        late_seconds=run.ended - flow.ended,
        run_seconds=run.ended - run.began,
        stints=run.stints,
        waiting_slot_seconds=sum(stint.within(waits_from, flow.ended) for stint in run.stints),
        cpu_seconds=run.cpu_seconds,
        requests=run.requests,
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

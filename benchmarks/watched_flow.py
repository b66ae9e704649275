"""The cost for a whole Airflow of showing a large flow node by node while SOPS runs it."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.building.graph import PARALLEL, FlowGraph
from benchmarks.building.web_tree import node_id, web_tree
from benchmarks.flow_in_airflow import SNAPSHOT_FILE, FlowInAirflow, Stint
from benchmarks.local_sops import lifetimes
from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target, medians_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.scope import Scope

_BRANCHES = 4
_TEMPLATE = 4000
_PACES = ("free", "flow")
_LATE_SECONDS = 60.0
_MOST_REQUESTS = 60
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
    :param waiting_seconds: from the moment at which the workers that have begun ``start`` and ``flow`` are gone until
        SOPS has ended.
    :param waiting_slot_seconds: worker time in these seconds.
    :param cpu_seconds: by program.
    :param requests: by SOPS's call.
    """

    pace: str
    sops_seconds: float
    late_seconds: float
    run_seconds: float
    stints: list[Stint]
    waiting_seconds: float
    waiting_slot_seconds: float
    cpu_seconds: Mapping[str, float]
    requests: Mapping[str, int]


def run(scope: Scope) -> Result:
    """Watch the flow at each pace, in turn."""
    watches: dict[str, list[Watch]] = {pace: [] for pace in _PACES}
    with tempfile.TemporaryDirectory(prefix="watched-flow-") as name, ExitStack() as running:
        say("starting local_sops and a whole Airflow")
        _write_template(Path(name) / "templates", scope)
        airflow = FlowInAirflow(Path(name), running, template_id=_TEMPLATE, dag_file=_DAG_FILE)
        for _ in range(scope.slow_repeats):
            for pace, watched in watches.items():
                watched.append(_watch(airflow, pace))
    late_seconds = median(watch.late_seconds for watch in watches["free"])
    waiting_slot_seconds = max(watch.waiting_slot_seconds for watched in watches.values() for watch in watched)
    most_requests = max(sum(watch.requests.values()) for watched in watches.values() for watch in watched)
    nodes = _BRANCHES * scope.branch_nodes
    notes = [
        f"{medians_of(scope.slow_repeats)}, run in turn.",
        "Beyond SOPS: from the end of the SOPS task to the end of the DAG run.",
        "Waiting: from the end of the workers that have begun `start` and `flow` until SOPS has ended.",
        "CPU: of all processes of the program during the run; the scheduler's has the workers in it.",
    ]
    return Result(
        [
            Table(
                f"A flow of {nodes} nodes, watched by a whole Airflow", [_row(each) for each in watches.values()], notes
            )
        ],
        [
            Target('pace="free": seconds from the end of SOPS to the end of the run', late_seconds, _LATE_SECONDS),
            Target(f"{nodes} nodes: requests, at most", most_requests, _MOST_REQUESTS),
            Target("worker-slot seconds while waiting, at most", waiting_slot_seconds, 0),
        ],
        details=[asdict(watch) for watched in watches.values() for watch in watched],
    )


def _write_template(folder: Path, scope: Scope) -> None:
    """Write the flow to where local_sops finds it: parallel branches, and the two gateways around them."""
    flow = FlowGraph.of_branches(_BRANCHES, scope.branch_nodes)
    tree = web_tree(flow)
    (fork,) = (number for number, kind in enumerate(flow.kinds) if kind == PARALLEL)
    for source, target in flow.edges:
        if source == fork:
            tree["activities"][node_id(target)]["component"] = {
                "code": "sleep_timer",
                "version": "legacy",
                "data": {"bk_timing": _literal(str(scope.first_node_seconds)), "force_check": _literal(value=True)},
            }
    folder.mkdir()
    template = {"id": _TEMPLATE, "name": "watched", "pipeline_tree": tree}
    (folder / "watched.json").write_text(json.dumps(template))


def _literal(value: str | bool) -> dict[str, Any]:
    return {"hook": False, "need_render": True, "value": value}


def _watch(airflow: FlowInAirflow, pace: str) -> Watch:
    dag_id = f"watched_{pace}"
    run = airflow.run(dag_id, outcome_task_id="flow")
    flow = lifetimes(airflow.folder)[int(airflow.api.xcom(dag_id, run.run_id, "start", "sops_task_id"))]
    begun = [min(stint.ended for stint in run.stints if stint.task_id == task_id) for task_id in ("start", "flow")]
    waits_from = max(begun)
    return Watch(
        pace=pace,
        sops_seconds=flow.ended - flow.began,
        late_seconds=run.ended - flow.ended,
        run_seconds=run.ended - run.began,
        stints=run.stints,
        waiting_seconds=flow.ended - waits_from,
        waiting_slot_seconds=sum(stint.within(waits_from, flow.ended) for stint in run.stints),
        cpu_seconds=run.cpu_seconds,
        requests=run.requests,
    )


def _row(watched: Sequence[Watch]) -> Row:
    return {
        "": f'pace="{watched[0].pace}"',
        "SOPS s": median(watch.sops_seconds for watch in watched),
        "run s": median(watch.run_seconds for watch in watched),
        "beyond SOPS s": median(watch.late_seconds for watch in watched),
        "worker processes": median(len(watch.stints) for watch in watched),
        "slot-seconds": median(sum(stint.ended - stint.began for stint in watch.stints) for watch in watched),
        "waiting s": median(watch.waiting_seconds for watch in watched),
        "slot-seconds waiting": median(watch.waiting_slot_seconds for watch in watched),
        "scheduler CPU s": median(watch.cpu_seconds["scheduler"] for watch in watched),
        "triggerer CPU s": median(watch.cpu_seconds["triggerer"] for watch in watched),
        "requests": median(sum(watch.requests.values()) for watch in watched),
        "for status": median(_status_requests(watch.requests) for watch in watched),
    }


def _status_requests(requests: Mapping[str, int]) -> int:
    return requests.get("get_tasks_status", 0) + requests.get("get_task_status", 0)

"""The cost of a flow run by Airflow, next to the same flow watched."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.flow_in_airflow import SNAPSHOT_FILE, FlowInAirflow
from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, medians_of

if TYPE_CHECKING:
    from benchmarks.flow_in_airflow import FlowRun
    from benchmarks.scope import Scope

#: Six activities, one of them a subprocess of two, with a parallel part and a decision.
_TEMPLATE = 38
_NODES = 7
_WAYS = {
    "watched": {"mode": "watch"},
    "native": {"mode": "native"},
    "native, all in SOPS": {"mode": "native", "converters": "none"},
}
_DAG_FILE = f"""\
from pathlib import Path

from airflow_provider_sops.dag_generator import ConverterRegistry, SopsDag

for number, arguments in enumerate({list(_WAYS.values())!r}):
    if "converters" in arguments:
        arguments["converters"] = ConverterRegistry()
    globals()[f"flow_{{number}}"] = SopsDag(
        f"flow_{{number}}", pipeline=Path(__file__).with_name({SNAPSHOT_FILE!r}), schedule=None, **arguments
    )
"""


@dataclass(frozen=True)
class Way:
    """The runs of one way to run the flow."""

    name: str
    runs: list[FlowRun]

    def row(self) -> Row:
        """Return the medians."""
        runs = self.runs
        return {
            "": self.name,
            "run s": statistics.median(run.ended - run.began for run in runs),
            "SOPS tasks": statistics.median(run.requests.get("create_task", 0) for run in runs),
            "requests": statistics.median(sum(run.requests.values()) for run in runs),
            "worker processes": statistics.median(len(run.stints) for run in runs),
            "worker s/node": statistics.median(
                sum(stint.ended - stint.began for stint in run.stints) / _NODES for run in runs
            ),
            "scheduler CPU s": statistics.median(run.cpu_seconds["scheduler"] for run in runs),
            "triggerer CPU s": statistics.median(run.cpu_seconds["triggerer"] for run in runs),
        }


def run(scope: Scope) -> Result:
    """Run the flow in each way, in turn."""
    ways = [Way(name, []) for name in _WAYS]
    with tempfile.TemporaryDirectory(prefix="native-flow-") as name, ExitStack() as running:
        say("starting local_sops and a whole Airflow")
        airflow = FlowInAirflow(Path(name), running, template_id=_TEMPLATE, dag_file=_DAG_FILE)
        for _ in range(scope.slow_repeats):
            for number, way in enumerate(ways):
                outcome_task_id = "flow" if way.name == "watched" else "end"
                way.runs.append(airflow.run(f"flow_{number}", outcome_task_id=outcome_task_id))
    notes = [
        f"{medians_of(scope.slow_repeats)}, run in turn; {_NODES} nodes in the flow and its subprocess.",
        "Worker s: how long worker processes lived; scheduler CPU has the workers in it.",
    ]
    title = "A flow of seven nodes, watched and run by a whole Airflow"
    return Result([Table(title, [way.row() for way in ways], notes)], [], details=[asdict(way) for way in ways])

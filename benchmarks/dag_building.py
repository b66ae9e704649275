"""What a flow's DAG file costs Airflow: built, serialised and parsed, beside the same flow in other hands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.building.dag_files import BY_HAND, COSMOS, DAG_FACTORY, SOPS_DAG, write_dag_file
from benchmarks.building.graph import FlowGraph
from benchmarks.building.shapes import SHAPES
from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target

if TYPE_CHECKING:
    from benchmarks.scope import Scope

_PROGRAM = Path(__file__).parent / "building/costs_of_file.py"
_GROWTH_PROGRAM = Path(__file__).parent / "building/growth_of_shape.py"
#: The time to build twice as large a flow, at most; more is not linear.
_SLOWER_WHEN_DOUBLED = 2.3
#: The other generators load code of theirs into every program of the Airflow beside them, so they have an environment
#: of their own, beside this one. All sides are measured there.
_PYTHON = Path(f"{sys.prefix.removesuffix('-bench')}-peers/bin/python")
_FASTER_THAN_GENERATORS = 3
#: A flow that is small, whose imports weigh most.
_SMALL_FLOW_NODES = 100
_SLOWER_THAN_BY_HAND = 3


_GROWTH_NOTE = "Processor time. In a SopsTaskGroup of your own DAG, each edge also costs Airflow a look at all tasks."


@dataclass(frozen=True)
class Costs:
    """One process's measurements of one DAG file."""

    parse_seconds: float
    build_seconds: float
    serialise_seconds: float
    serialised_bytes: int
    tasks: int
    edges: int


@dataclass(frozen=True)
class _Summary:
    """Medians of several processes' measurements of one DAG file."""

    parse_ms: float
    build_ms: float
    serialise_ms: float
    serialised_bytes: int
    tasks: int
    edges: int

    @classmethod
    def of(cls, costs: list[Costs]) -> _Summary:
        return cls(
            parse_ms=1000 * median(each.parse_seconds for each in costs),
            build_ms=1000 * median(each.build_seconds for each in costs),
            serialise_ms=1000 * median(each.serialise_seconds for each in costs),
            serialised_bytes=costs[0].serialised_bytes,
            tasks=costs[0].tasks,
            edges=costs[0].edges,
        )


def run(scope: Scope) -> Result:
    """Measure each file some times, all in turn, each time in a new process."""
    cases = [(kind, nodes) for nodes in scope.nodes for kind in (SOPS_DAG, BY_HAND)]
    cases += [(kind, scope.peer_nodes) for kind in (COSMOS, DAG_FACTORY)]
    found: dict[tuple[str, int], list[Costs]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory(prefix="dag-building-") as name:
        folder = Path(name)
        files = {
            (kind, nodes): write_dag_file(kind, FlowGraph.of(nodes), folder / f"{kind}-{nodes}")
            for kind, nodes in cases
        }
        # An installed package has its bytecode; a checkout has it after the first import.
        for file in files.values():
            _costs(file, folder)
        for repeat in range(scope.repeats):
            say(f"building DAGs: {repeat + 1} of {scope.repeats}")
            for case, file in files.items():
                found[case].append(_costs(file, folder))
    summaries = {case: _Summary.of(costs) for case, costs in found.items()}
    notes = [
        f"Medians of {scope.repeats} new processes, which had loaded what Airflow's dag-processor has; processor time.",
        "parse: the whole file, imports and all. build: the file again, imported already. Each in one DAG file.",
        f"{_versions()}, on the same Airflow and Python.",
    ]
    growth = _growth(scope)
    return Result(
        [
            Table("DAGs of one flow", [_row(*case, summary) for case, summary in summaries.items()], notes),
            Table("Time to build DAGs of flows of any shape", growth, [_GROWTH_NOTE]),
        ],
        [
            *_targets(summaries, scope.peer_nodes),
            *(
                Target(
                    f"{row['shape']}, {row['mode']}: time to build for twice the nodes",
                    _doubled(row),
                    _SLOWER_WHEN_DOUBLED,
                )
                for row in growth
            ),
        ],
        details=[[*case, [asdict(each) for each in costs]] for case, costs in found.items()],
    )


def _row(kind: str, nodes: int, summary: _Summary) -> Row:
    return {
        "": kind,
        "nodes": nodes,
        "tasks": summary.tasks,
        "edges": summary.edges,
        "build ms": summary.build_ms,
        "serialise ms": summary.serialise_ms,
        "parse ms": summary.parse_ms,
        "serialised kB": summary.serialised_bytes / 1000,
    }


def _growth(scope: Scope) -> list[Row]:
    """Build flows of each shape, each twice as large as the one before it."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="dag-growth-") as name:
        folder = Path(name)
        for shape, tree_of in SHAPES.items():
            files = [folder / f"{shape}-{nodes}.json" for nodes in scope.growing_nodes]
            for file, nodes in zip(files, scope.growing_nodes, strict=True):
                file.write_text(json.dumps(tree_of(nodes)))
            for mode in ("watch", "native"):
                say(f"building DAGs: {shape}, {mode}")
                answer = _run([str(_GROWTH_PROGRAM), mode, *map(str, files)], folder)
                seconds = json.loads(answer.splitlines()[-1])
                columns = {f"{nodes} nodes: s": each for nodes, each in zip(scope.growing_nodes, seconds, strict=True)}
                rows.append({"shape": shape, "mode": mode, **columns})
    return rows


def _doubled(row: Row) -> float:
    """Return how much longer the largest flow takes than the one of half its nodes."""
    *_, half, whole = row.values()
    return float(whole) / float(half)


def _targets(summaries: dict[tuple[str, int], _Summary], nodes: int) -> list[Target]:
    ours, by_hand = summaries[SOPS_DAG, nodes], summaries[BY_HAND, nodes]
    size = ours.serialised_bytes / by_hand.serialised_bytes
    small, small_by_hand = (summaries[kind, _SMALL_FLOW_NODES] for kind in (SOPS_DAG, BY_HAND))
    return [
        Target(f"{nodes} nodes: time to build, by hand = 1", ours.build_ms / by_hand.build_ms, 1.5),
        Target(f"{nodes} nodes: serialised size, by hand = 1", size, 1.3),
        Target(
            f"{_SMALL_FLOW_NODES} nodes: time to parse, by hand = 1",
            small.parse_ms / small_by_hand.parse_ms,
            _SLOWER_THAN_BY_HAND,
        ),
        *(
            Target(
                f"{nodes} nodes: time to parse, {kind} = 1",
                ours.parse_ms / summaries[kind, nodes].parse_ms,
                1 / _FASTER_THAN_GENERATORS,
            )
            for kind in (COSMOS, DAG_FACTORY)
        ),
    ]


def _costs(file: Path, folder: Path) -> Costs:
    return Costs(**json.loads(_run(["-P", str(_PROGRAM), str(file)], folder).splitlines()[-1]))


def _versions() -> str:
    program = "import sys; from importlib.metadata import version; print(*(f'{n} {version(n)}' for n in sys.argv[1:]))"
    return " and ".join(_run(["-c", program, name]).strip() for name in (COSMOS, DAG_FACTORY))


def _run(arguments: list[str], folder: Path | None = None) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    environment = {key: value for key, value in kept.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "DO_NOT_TRACK": "true"}
    if folder is not None:
        environment["AIRFLOW_HOME"] = str(folder / "home")
    done = subprocess.run([str(_PYTHON), *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout

"""A program that tells what a DAG file costs Airflow; its argument is the file's path, its last line is JSON.

Times are processor time, which other programs on the machine disturb least. Airflow's dag-processor parses each file
in a process of its own, with what is imported here already loaded; what the file imports besides is paid each time.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow.dag_processing.manager  # noqa: F401 - what the dag-processor has loaded
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.serialization.serialized_objects import DagSerialization

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Parse the file, build its DAG again and serialise it."""
    file = Path(sys.argv[1])
    bags: list[BundleDagBag] = []
    parse_seconds = _seconds(lambda: bags.append(_parse(file)))
    (bag,) = bags
    if bag.import_errors or len(bag.dags) != 1:
        raise SystemExit(f"{file} cannot be parsed: {bag.import_errors}")
    (dag,) = bag.dags.values()
    code = compile(file.read_text(), file, "exec")
    measured = {
        "parse_seconds": parse_seconds,
        "build_seconds": _seconds(lambda: _execute(code, file)),
        "serialise_seconds": _seconds(lambda: DagSerialization.to_dict(dag)),
        "serialised_bytes": len(json.dumps(DagSerialization.to_dict(dag))),
        "tasks": len(dag.tasks),
        "edges": sum(len(task.downstream_task_ids) for task in dag.tasks),
    }
    print(json.dumps(measured))


def _parse(file: Path) -> BundleDagBag:
    return BundleDagBag(dag_folder=file, bundle_path=file.parent, bundle_name="files", load_op_links=False)


def _execute(code: Any, file: Path) -> None:
    exec(code, {"__name__": "flow_dag", "__file__": str(file)})  # noqa: S102 - our own file


def _seconds(work: Callable[[], object]) -> float:
    """Return the processor time of some work that begins without rubbish of earlier work."""
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()

"""The additional parse time of a DAG file that uses the package."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, medians_of

if TYPE_CHECKING:
    from benchmarks.scope import Scope

_TASKS = (1, 100)
_AIRFLOW_ALONE = "EmptyOperator"
#: The import and the task of each kind of file.
_FILES = {
    _AIRFLOW_ALONE: (
        "from airflow.providers.standard.operators.empty import EmptyOperator",
        'EmptyOperator(task_id=f"task_{number}")',
    ),
    "SopsRunTaskOperator": (
        "from airflow_provider_sops.operators.sops import SopsRunTaskOperator",
        'SopsRunTaskOperator(task_id=f"task_{number}", template_id=1, deferrable=True)',
    ),
    "HttpSensor": (
        "from airflow.providers.http.sensors.http import HttpSensor",
        'HttpSensor(task_id=f"task_{number}", endpoint="ended", deferrable=True)',
    ),
}
#: Airflow's dag-processor has this loaded when it forks for a file. It parses each file in a process of its own, so
#: imports are paid again each time.
_PARSE = """
import sys, time
from pathlib import Path
import airflow.dag_processing.manager
from airflow.dag_processing.dagbag import BundleDagBag
file = Path(sys.argv[1])
began = time.perf_counter()
bag = BundleDagBag(dag_folder=file, bundle_path=file.parent, bundle_name="files", load_op_links=False)
seconds = time.perf_counter() - began
assert not bag.import_errors and len(bag.dags) == 1, bag.import_errors
print(f"{seconds * 1000:.3f}")
"""


def run(scope: Scope) -> Result:
    """Parse a file of each kind in turn, each time in a new interpreter."""
    times: dict[tuple[str, int], list[float]] = {(name, tasks): [] for tasks in _TASKS for name in _FILES}
    with tempfile.TemporaryDirectory(prefix="parse-") as folder:
        for repeat in range(scope.repeats):
            say(f"parsing: {repeat + 1} of {scope.repeats}")
            for (name, tasks), milliseconds in times.items():
                milliseconds.append(_parse(name, tasks, Path(folder)))
    rows: list[Row] = [
        {
            "": name,
            "tasks": tasks,
            "ms": median(milliseconds),
            "added ms": median(milliseconds) - median(times[_AIRFLOW_ALONE, tasks]),
        }
        for (name, tasks), milliseconds in times.items()
    ]
    notes = [
        f"{medians_of(scope.repeats)}, each in a new interpreter that has loaded what Airflow's dag-processor has.",
        "Added: to the same file with Airflow's EmptyOperator.",
    ]
    return Result(
        [Table("Parse of a DAG file, imports and all", rows, notes)],
        details=[[*case, milliseconds] for case, milliseconds in times.items()],
    )


def _parse(name: str, tasks: int, folder: Path) -> float:
    """Parse a file and return how many milliseconds that took."""
    import_line, task = _FILES[name]
    file = folder / "dag.py"
    file.write_text(
        f"from airflow.sdk import DAG\n{import_line}\n"
        f'with DAG("parsed", schedule=None):\n    for number in range({tasks}):\n        {task}\n'
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    environment |= {"AIRFLOW_HOME": str(folder / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, "-c", _PARSE, str(file)], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout.splitlines()[-1])

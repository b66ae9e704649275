"""What importing parts of the package brings along, and what it must not."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "airflow_provider_sops"
#: Services and pictures: to be read, tested and reused without Airflow and without a network.
CORES = ("sops", "enos", "drawing")
#: Linked into local_sops, which knows nothing of this package.
PICTURE = PACKAGE / "drawing/picture"

# What a DAG file has imported before it comes to us.
PLAIN_AIRFLOW = "from airflow.providers.common.compat.sdk import DAG, BaseOperator, BaseSensorOperator"


def modules_after(statements: str) -> set[str]:
    """Return the names of all modules that a new interpreter holds after ``statements``."""
    code = f"{statements}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def imported_packages(path: Path) -> set[str]:
    """Return the top-level packages that a file imports anywhere, inside functions and type blocks too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def offenders(paths: Iterable[Path], forbidden: set[str]) -> dict[str, set[str]]:
    """Return which of the forbidden packages each file imports; those that import none are left out."""
    found = {path.relative_to(ROOT).as_posix(): imported_packages(path) & forbidden for path in paths}
    assert found, "there are no such files"
    return {name: packages for name, packages in found.items() if packages}


def test_parsing_a_dag_file_brings_no_asyncio_client_and_no_form_library() -> None:
    ours = "\n".join(
        f"from airflow_provider_sops.{kind}.{name} import *"
        for kind in ("operators", "sensors")
        for name in ("sops", "enos")
    )

    added = modules_after(f"{PLAIN_AIRFLOW}\n{ours}") - modules_after(PLAIN_AIRFLOW)

    assert {"airflow_provider_sops.operators.sops", "airflow_provider_sops.sensors.enos"} <= added
    assert added & {"aiohttp", "flask_appbuilder", "wtforms"} == set()


def test_parsing_a_dag_file_brings_nothing_that_only_a_running_task_needs() -> None:
    package = "airflow_provider_sops"
    loaded = modules_after(f"from {package}.operators.sops import *; from {package}.sensors.sops import *")

    assert {f"{package}.operators.sops.run", f"{package}.sensors.sops"} <= loaded
    waits = tuple(f"waiting.{name}" for name in ("event", "follow", "model", "outage", "repeat"))
    late = ("hooks.sops", "polling", "sops.models", "sops.pipeline_tree", "triggers", *waits)
    assert {name for name in loaded for part in late if f"{name}.".startswith(f"{package}.{part}.")} == set()


def test_a_generated_dag_brings_no_operator_that_it_does_not_use() -> None:
    package = "airflow_provider_sops"
    loaded = modules_after(f"import {package}.dag_generator.watch.builder, {package}.dag_generator.dag")
    unused = ("operators.sops.run", "operators.sops.operate", "sops.endpoints", "dag_generator.safe_patterns")

    assert {f"{package}.operators.sops.create", f"{package}.dag_generator.params"} <= loaded
    assert loaded & {f"{package}.{name}" for name in unused} == set()


def test_a_wait_looks_nodes_up_without_all_that_is_known_of_trees() -> None:
    package = "airflow_provider_sops.sops.pipeline_tree"
    loaded = modules_after("import airflow_provider_sops.sops.task_wait")

    modules = {package, *(f"{package}.{name}" for name in ("nodes", "node_reading", "levels"))}
    assert {name for name in loaded if name.startswith(package)} <= modules


def test_the_core_layers_know_no_airflow_and_open_no_socket() -> None:
    files = [path for core in CORES for path in (PACKAGE / core).rglob("*.py")]

    assert offenders(files, {"aiohttp", "airflow", "asyncio", "http", "httpx", "requests", "socket", "urllib3"}) == {}


def test_the_package_imports_nothing_that_is_not_shipped_with_it() -> None:
    not_shipped = {"benchmarks", "demo", "example_dags", "local_sops", "scripts", "tests"}

    assert offenders(PACKAGE.rglob("*.py"), not_shipped) == {}


def test_what_local_sops_shares_with_the_package_needs_nothing_else_of_it() -> None:
    assert offenders(PICTURE.rglob("*.py"), {"airflow_provider_sops"}) == {}
    assert (ROOT / "local_sops/local_sops/page/drawing").resolve() == PICTURE

"""What importing parts of the package brings along, and what it must not."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "airflow_provider_sops"

# What a DAG file has imported before it comes to us.
PLAIN_AIRFLOW = "from airflow.providers.common.compat.sdk import DAG, BaseOperator, BaseSensorOperator"


def modules_after(statements: str) -> set[str]:
    """Return the names of all modules that a new interpreter holds after ``statements``."""
    code = f"{statements}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_parsing_a_dag_file_brings_no_asyncio_client_and_no_form_library() -> None:
    ours = "\n".join(
        f"import airflow_provider_sops.{kind}.{name}" for kind in ("operators", "sensors") for name in ("sops", "enos")
    )

    added = modules_after(f"{PLAIN_AIRFLOW}\n{ours}") - modules_after(PLAIN_AIRFLOW)

    assert {"airflow_provider_sops.operators.sops", "airflow_provider_sops.sensors.enos"} <= added
    assert added & {"aiohttp", "flask_appbuilder", "wtforms"} == set()


def imported_packages(path: Path) -> set[str]:
    """Return the top-level packages that a file imports anywhere, inside functions and type blocks too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


CORES = [path for core in ("sops", "enos") for path in sorted((PACKAGE / core).rglob("*.py"))]


@pytest.mark.parametrize("path", CORES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_core_layers_know_no_airflow_and_open_no_socket(path: Path) -> None:
    forbidden = {"aiohttp", "airflow", "asyncio", "http", "httpx", "requests", "socket", "urllib3"}

    assert imported_packages(path) & forbidden == set()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_the_package_imports_nothing_that_is_not_shipped_with_it(path: Path) -> None:
    assert imported_packages(path) & {"benchmarks", "demo", "example_dags", "local_sops", "scripts", "tests"} == set()

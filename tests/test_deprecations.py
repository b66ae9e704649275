"""No module of the package, and no example DAG, imports what this Airflow calls deprecated."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.example_files import EXAMPLES

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "airflow_provider_sops"
AIRFLOW_3 = version("apache-airflow").startswith("3.")
#: Modules about what Airflow 2 does not have at all; nothing there imports them.
ONLY_AIRFLOW_3 = frozenset(
    {
        "airflow_provider_sops.bundles.sops",
        "airflow_provider_sops.dag_generator.converters.people",
        *(
            f"airflow_provider_sops.plugins.{path.stem}"
            for path in (PACKAGE / "plugins").glob("*.py")
            if path.stem not in ("__init__", "sops_tab")
        ),
    }
)

# Airflow sends warnings to its own log once it is imported, so it comes before `catch_warnings`. A fresh
# interpreter, because a module that another test imported already would warn no more.
IMPORT_AND_LIST_WARNINGS = """
import importlib, json, runpy, sys, warnings
import airflow.configuration
from airflow.exceptions import AirflowProviderDeprecationWarning

OLD = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, AirflowProviderDeprecationWarning)
seen = {}
for name in sys.argv[1:]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runpy.run_path(name) if name.endswith(".py") else importlib.import_module(name)
    seen[name] = [
        f"{item.filename}:{item.lineno}: {item.category.__name__}: {item.message}"
        for item in caught
        if issubclass(item.category, OLD)
    ]
print(json.dumps(seen))
"""


def import_and_list_warnings(*names: str) -> dict[str, list[str]]:
    """Import modules by name, and run files by path, in a new interpreter; return the deprecations of each."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_AND_LIST_WARNINGS, *names], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return seen


def package_modules() -> list[str]:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if AIRFLOW_3 or name not in ONLY_AIRFLOW_3]


def caused_here(seen: dict[str, list[str]]) -> list[str]:
    """Return the warnings that point at a line of ours; Airflow's own modules may warn as they like."""
    places = (f"{PACKAGE}/", f"{ROOT / 'example_dags'}/")
    return [text for warnings in seen.values() for text in warnings if text.startswith(places)]


def test_no_module_of_the_package_imports_what_is_deprecated() -> None:
    assert caused_here(import_and_list_warnings(*package_modules())) == []


def test_no_example_dag_uses_what_is_deprecated() -> None:
    assert EXAMPLES
    assert caused_here(import_and_list_warnings(*map(str, EXAMPLES))) == []


def test_an_import_that_airflow_3_calls_deprecated_is_noticed_there(tmp_path: Path) -> None:
    module = tmp_path / "imports_what_is_deprecated.py"
    module.write_text("from airflow.hooks.base import BaseHook\n")

    (warnings,) = import_and_list_warnings(str(module)).values()

    assert any(text.startswith(str(module)) for text in warnings) is AIRFLOW_3

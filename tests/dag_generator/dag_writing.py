"""Runs ``written_dag`` in a process with a hash seed of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def written_dag(tree: str, *, seed: int, bytecode: Path, mode: str = "watch") -> str:
    """Return the DAG of a tree as Airflow stores it.

    :param tree: the tree, as JSON.
    :param bytecode: a folder for the bytecode, the same for all processes. Most of their time these import: all but
        the first find the bytecode of the first, and garbage, for which Python would look all the while, there is none.
    """
    script = f"import gc; gc.disable(); from tests.dag_generator.written_dag import main; main({mode!r})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=tree,
        env={**environment, "PYTHONHASHSEED": str(seed)},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()[-1]

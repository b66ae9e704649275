"""The Python of a page as one DAG file, loaded as Airflow loads DAG files.

A page's blocks are run from top to bottom, as somebody would who copies them into a file: a block may use what those
before it have defined. The flow that pages call ``rollout.json`` lies beside the file. What else a block may be, the
comment above it says:

- ``<!-- inside a DAG -->``: it stands inside ``with DAG(...):``, which the page leaves out;
- ``<!-- from example_dags/x.py -->``: it is a part of that file, in which a line ``...`` stands for what is left out.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.docs.pages import ROOT, CodeBlock, Page

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.providers.common.compat.sdk import DAG

INSIDE_A_DAG = "inside a DAG"
_EXCERPT = re.compile(r"from (\S+)")
_SNAPSHOT = ROOT / "example_dags/sops_pipeline_watch.json"
# Airflow's own is 2, which often does not reach the line of the page.
_DEEP_TRACEBACKS = {"AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH": "20"}
# Pages begin with a heading, so the first line is free for what the blocks' surroundings need.
_PREAMBLE = (
    "import pendulum; from airflow.providers.common.compat.sdk import DAG as _Dag;"
    " _dag = _Dag({name!r}, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz='UTC'))"
)


@dataclass(frozen=True)
class LoadedFile:
    """What Airflow found in a DAG file.

    :param errors: why Airflow would not take the file; empty if it does.
    """

    dags: dict[str, DAG]
    errors: str


def excerpt_of(block: CodeBlock) -> Path | None:
    """Return the file that a block is a part of."""
    found = _EXCERPT.fullmatch(block.note)
    return ROOT / found[1] if found else None


def python_blocks(page: Page) -> list[CodeBlock]:
    """Return the blocks that make up the DAG file of a page."""
    return [block for block in page.code_blocks if block.language == "python" and excerpt_of(block) is None]


def write_dag_file(page: Page, folder: Path) -> Path:
    """Write the Python of a page into a file, each line at its number in the page, beside a snapshot."""
    lines = [""] * len(page.path.read_text(encoding="utf-8").splitlines())
    name = page.path.stem.lower().replace("-", "_")
    for block in python_blocks(page):
        code = block.text.splitlines()
        start = block.line - 1
        if block.note == INSIDE_A_DAG:
            lines[0] = _PREAMBLE.format(name=f"{name}_page")
            lines[start - 1] = "with _dag:"
            code = [f"    {line}" for line in code]
        lines[start : start + len(code)] = code
    file = folder / f"{name}.py"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.copy(_SNAPSHOT, folder / "rollout.json")
    return file


def load_dag_file(file: Path) -> LoadedFile:
    """Load a DAG file as Airflow's DAG processor does, with all its checks."""
    with mock.patch.dict(os.environ, _DEEP_TRACEBACKS):
        bag = _dag_bag(file)
    return LoadedFile(dict(bag.dags), "\n".join(bag.import_errors.values()))


def _dag_bag(file: Path) -> Any:
    if AIRFLOW_V_3_0_PLUS:
        from airflow.dag_processing.dagbag import DagBag

        return DagBag(file, safe_mode=False, bundle_path=file.parent, bundle_name="docs")
    models: Any = importlib.import_module("airflow.models.dagbag")
    return models.DagBag(file, include_examples=False, safe_mode=False)

"""The example of README.md does what the page says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.dag_run import run_dag
from tests.docs.dag_files import load_dag_file, write_dag_file
from tests.docs.pages import ROOT, Page

if TYPE_CHECKING:
    from pathlib import Path

README = Page(ROOT / "README.md")


@pytest.mark.integration
@pytest.mark.usefixtures("airflow_db", "sops_default")
def test_the_example_runs_and_logs_what_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    dag: Any = load_dag_file(write_dag_file(README, tmp_path)).dags["deploy"]
    dag.get_task("deploy").poll_interval_seconds = 0.2
    with caplog.at_level("INFO"):
        run = run_dag(dag)

    assert run.state == "success"
    assert run.xcom("announce") == "Deployed: version 1.4.2: compiled and tested"
    (shown,) = [block.text for block in README.code_blocks if block.text.startswith("SOPS task ")]
    # Airflow 3 writes a task's log to the standard output.
    written = capsys.readouterr().out + caplog.text
    assert not [line for line in shown.splitlines() if not re.search(pattern_of(line), written)]


def pattern_of(line: str) -> str:
    """Return a pattern for a line of a log, in which addresses and numbers are those of the run."""
    with_address = re.sub(r"https\S+", "ADDRESS", line)
    return re.sub(r"\d+", r"\\d+", re.escape(with_address)).replace("ADDRESS", r"https?://\S+")

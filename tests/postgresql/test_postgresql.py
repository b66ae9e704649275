"""On PostgreSQL, which unlike SQLite refuses some texts: every operator, sensor, flow and trigger of this package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT
from tests.postgresql.postgresql import run_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The address of a server."""
    with run_postgresql() as address:
        yield address


def test_every_odd_value_can_be_stored(postgresql: str, tmp_path: Path) -> None:
    """A process has one metadata database, from the first import of Airflow on: so the cases run in another one."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgresql,
    }
    cases = sorted(map(str, Path(__file__).parent.glob("cases_*.py")))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "tmp")]
    done = subprocess.run(
        [*command, *cases],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        pytest.fail(done.stdout.decode(errors="replace"), pytrace=False)

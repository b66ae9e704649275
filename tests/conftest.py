"""
What every test stands on: an Airflow home of its own, and on request a database and a running local_sops.

Airflow reads its home and configuration when it is first imported, so both are set before any test module is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tenacity

from tests.aged_sops import run_local_sops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_sops.hooks.sops import SopsHook
    from demo.local_sops import LocalSops

ROOT = Path(__file__).resolve().parent.parent
_OWN_AIRFLOW_HOME = "AIRFLOW_HOME" not in os.environ

if _OWN_AIRFLOW_HOME:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(os.environ["AIRFLOW_HOME"]) / "dags")
os.environ["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] = "False"
Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).mkdir(parents=True, exist_ok=True)


@pytest.fixture(autouse=True)
def no_known_passwords() -> None:
    """Forget the passwords of the last test's tasks: another server has the same ids."""
    from airflow_provider_sops.sops.known_passwords import memory

    memory.clear()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next try of a failed call follow soon; how long the pauses are is the matter of those who make them."""
    from airflow_provider_sops.service import retrying
    from airflow_provider_sops.waiting import patience

    monkeypatch.setattr(patience, "_LONGEST_PAUSES_SECONDS", (0.05, 0.05))
    monkeypatch.setattr(retrying, "_growing_pause", tenacity.wait_fixed(0.05))


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """The home that every Airflow in these tests uses."""
    return Path(os.environ["AIRFLOW_HOME"])


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> None:
    """A migrated SQLite metadata database in the home; ``dag.test()`` and the scheduler's parts need one."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session")
def local_sops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSops]:
    """A SOPS on the engine that SOPS itself runs on, one for the whole session: no test may count its tasks."""
    with run_local_sops(tmp_path_factory.mktemp("local_sops")) as sops:
        yield sops


@pytest.fixture
def sops_default(local_sops: LocalSops, monkeypatch: pytest.MonkeyPatch) -> LocalSops:
    """``local_sops`` behind the connection id ``sops_default``, for this test."""
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", local_sops.connection_json())
    return local_sops


@pytest.fixture
def hook(sops_default: LocalSops) -> Iterator[SopsHook]:
    """A hook on ``local_sops``, to look at it with."""
    from airflow_provider_sops.hooks.sops import SopsHook

    with SopsHook() as hook:
        yield hook


@pytest.fixture
def templates(hook: SopsHook) -> dict[str, int]:
    """Ids of local_sops's templates by name."""
    return {item.name: item.id for item in hook.get_template_list() if item.id is not None}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """All that was logged so far, whichever way Airflow's loggers write it."""
    caplog.set_level("DEBUG")

    def read() -> str:
        return "".join((caplog.text, *capfd.readouterr()))

    return read


def pytest_unconfigure() -> None:
    """Remove the home that was made for this run."""
    if _OWN_AIRFLOW_HOME:
        shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)

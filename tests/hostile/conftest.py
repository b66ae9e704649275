"""Connections to the hostile server, and at the end of the run: how many kinds were tried, and how many held."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tenacity

from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.service import retrying
from tests.hostile.server import HostileServer, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The total time of one request where a module does not set ``REQUEST_SECONDS``.
_PATIENT_SECONDS = 10.0
_KIND = "hostile kind"
_held: dict[str, bool] = defaultdict(lambda: True)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try for each call, no proxy of the machine's own, and nothing is waited for."""
    monkeypatch.setattr(retrying, "_TRIES", 1)
    monkeypatch.setattr(retrying, "_growing_pause", tenacity.wait_none())
    monkeypatch.setenv("NO_PROXY", "*")
    enos_tokens.forget_tokens()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make an address that of ``sops_default`` and ``enos_default``."""

    def to(url: str, **extra: Any) -> None:
        limits = {"timeout_seconds": _PATIENT_SECONDS, "max_answer_mb": 1, **extra}
        sops_extra = {"bk_username": "admin", "bk_biz_id": "2", **limits}
        enos_extra = {"user_id": "u1", "org_id": "o1", **limits}
        common = {"host": url, "login": "airflow", "password": "app-secret"}
        for name, given in (("sops", sops_extra), ("enos", enos_extra)):
            connection = {"conn_type": name, **common, "extra": given}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}_DEFAULT", json.dumps(connection))

    return to


@pytest.fixture
def server(connect: Callable[..., None], request: pytest.FixtureRequest) -> Iterator[HostileServer]:
    """The server, behind both connections; what it does is for the test to say."""
    with HostileServer(answer(b"{}", status="404 Not Found")) as running:
        connect(running.url, timeout_seconds=getattr(request.module, "REQUEST_SECONDS", _PATIENT_SECONDS))
        yield running


@pytest.fixture(autouse=True)
def _kind_is_counted(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    if hasattr(request.node, "callspec"):
        record_property(_KIND, f"{request.node.originalname}[{request.node.callspec.id.partition(' | ')[0]}]")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, so that a run can leave them out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.hostile)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a kind as held as long as none of its tests has failed."""
    for name, kind in report.user_properties:
        if name == _KIND and isinstance(kind, str):
            _held[kind] = _held[kind] and not report.failed


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many kinds were tried, how many held, and which did not."""
    if not _held:
        return
    terminalreporter.section("hostile server")
    fallen = sorted(kind for kind, held in _held.items() if not held)
    terminalreporter.write_line(f"{len(_held)} kinds of answers tried, {len(_held) - len(fallen)} held")
    for kind in fallen:
        terminalreporter.write_line(f"did not hold: {kind}")

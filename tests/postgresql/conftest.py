"""For the cases: a local_sops of their own with the odd flow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops import node_wait, task_failure, task_wait
from demo.local_sops import start_local_sops
from tests.conftest import ROOT
from tests.postgresql.odd_flow import odd_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_sops import LocalSops

_PLUGINS = Path(__file__).with_name("plugins")


@pytest.fixture(autouse=True)
def failures_confirmed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a failure count once it has lasted for a moment: nothing here goes on after one."""
    for module in (task_failure, task_wait, node_wait):
        monkeypatch.setattr(module, "CONFIRMATION_SECONDS", 0.3)


@pytest.fixture(scope="session")
def local_sops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSops]:
    """A local_sops that has the odd flow and its plugin."""
    folder = tmp_path_factory.mktemp("odd_sops")
    templates = folder / "templates"
    templates.mkdir()
    (templates / "odd.json").write_text(json.dumps(odd_template()))
    sops = start_local_sops(
        os.environ.get("LOCAL_SOPS_COMMAND", str(ROOT / ".venvs/local-sops/bin/local-sops")),
        data_folder=folder / "data",
        log_path=folder / "local_sops.log",
        environment=os.environ,
        options=("--plugins", str(_PLUGINS), "--templates", str(templates)),
    )
    yield sops
    try:
        sops.process.check()
    finally:
        sops.process.stop()

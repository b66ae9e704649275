"""The program in this process, and what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Done:
    """What a run of the program left behind."""

    code: int
    out: str
    err: str


class AirflowSops:
    """Runs ``airflow-sops`` in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.folder = folder

    def __call__(self, *arguments: str) -> Done:
        self._capsys.readouterr()
        code = main(arguments)
        written = self._capsys.readouterr()
        return Done(code, written.out, written.err)


@pytest.fixture
def airflow_sops(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AirflowSops:
    monkeypatch.chdir(tmp_path)
    return AirflowSops(capsys, tmp_path)

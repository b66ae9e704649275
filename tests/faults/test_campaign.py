"""The short campaign: a fixed seed, the same promises as the long one (``python -m tests.faults``)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.aged_sops import local_sops_command
from tests.faults.campaign import Campaign

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

_SEED = 20261121
_RUNS = 150


def test_nothing_runs_twice_nothing_is_lost_nothing_leaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = Campaign(_SEED, command=local_sops_command(), folder=tmp_path).run(range(_RUNS))
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *result.stories, result.summary, ""]))
    assert result.runs == _RUNS
    assert result.faults > _RUNS
    assert not result.violations

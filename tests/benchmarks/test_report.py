"""What a benchmark hands over: text for people, JSON for programs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from benchmarks.report import Circumstances, Result, Row, Table, Target, write_json

if TYPE_CHECKING:
    from pathlib import Path


def test_a_table_aligns_names_to_the_left_and_figures_to_the_right() -> None:
    rows: list[Row] = [
        {"": "short", "requests": 12.0, "seconds": 0.12345},
        {"": "a long name", "requests": 123456.7, "seconds": 5},
    ]

    assert str(Table("Some title", rows, ["A note."])).splitlines() == [
        "Some title",
        "",
        "               requests  seconds",
        "  short              12    0.123",
        "  a long name    123457        5",
        "  A note.",
    ]


def test_a_figure_that_was_not_taken_is_a_dash_in_text() -> None:
    assert str(Table("Some title", [{"": "name", "p50": math.nan}])).splitlines()[-1] == "  name    -"


@pytest.mark.parametrize(("value", "verdict"), [(0.9, "met"), (1.0, "met"), (1.1, "MISSED"), (math.nan, "MISSED")])
def test_a_target_is_met_up_to_its_limit(value: float, verdict: str) -> None:
    target = Target("seconds", value, 1.0)

    assert target.is_met is (verdict == "met")
    assert str(target).split()[0] == verdict


def test_the_file_says_null_for_a_figure_that_was_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "results.json"
    circumstances = Circumstances(distributions={"aiohttp": "1.2.3"})

    write_json(file, circumstances, {"waits": Result([Table("Some title", [{"p50": math.nan, "p99": 1.5}])])})

    written = json.loads(file.read_text())
    assert written["results"]["waits"]["tables"][0]["rows"] == [{"p50": None, "p99": 1.5}]
    assert written["circumstances"]["distributions"] == {"aiohttp": "1.2.3"}

"""The Chinese pages say what the English ones do, as far as that can be compared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT, Page

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = [
    (ROOT / "README.md", ROOT / "README.zh-CN.md"),
    (ROOT / "local_sops/README.md", ROOT / "local_sops/README.zh-CN.md"),
    *((ROOT / "docs" / path.name, path) for path in sorted((ROOT / "docs/zh").glob("*.md"))),
]
#: For those who change the project or judge it by figures.
ENGLISH_ALONE = {"architecture.md", "benchmarks.md"}
pairs = pytest.mark.parametrize(
    ("english", "chinese"), PAIRS, ids=[str(chinese.relative_to(ROOT)) for _, chinese in PAIRS]
)


def outside_of_code(path: Path) -> str:
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def headings(path: Path) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", outside_of_code(path), re.MULTILINE)]


def tables(path: Path) -> list[int]:
    """Return how many rows each table has."""
    return [len(each.splitlines()) for each in re.findall(r"(?:^\|.*\n)+", outside_of_code(path), re.MULTILINE)]


def options(path: Path) -> list[set[str]]:
    """Return the code in the first cell of each row of a table: keys, options, arguments."""
    cells = re.findall(r"^\|([^|\n]*)\|", outside_of_code(path), re.MULTILINE)
    return [found for cell in cells if (found := set(re.findall(r"`([^`]+)`", cell)))]


def code_blocks(path: Path) -> list[tuple[str, str, str]]:
    return [(block.language, block.note, block.text) for block in Page(path).code_blocks]


def test_every_guide_is_there_in_chinese() -> None:
    guides = {path.name for path in (ROOT / "docs").glob("*.md")}

    assert {chinese.name for english, chinese in PAIRS if english.parent.name == "docs"} == guides - ENGLISH_ALONE


@pairs
def test_headings_are_the_same_in_number_and_depth(english: Path, chinese: Path) -> None:
    assert headings(chinese) == headings(english)


@pairs
def test_blocks_of_code_are_the_same(english: Path, chinese: Path) -> None:
    assert code_blocks(chinese) == code_blocks(english)


@pairs
def test_tables_have_the_same_rows_and_options(english: Path, chinese: Path) -> None:
    assert tables(chinese) == tables(english)
    assert options(chinese) == options(english)


@pairs
def test_each_page_links_to_the_other_on_top(english: Path, chinese: Path) -> None:
    assert "[English](" in "".join(chinese.read_text(encoding="utf-8").splitlines()[:3])
    assert "[中文](" in "".join(english.read_text(encoding="utf-8").splitlines()[:3])

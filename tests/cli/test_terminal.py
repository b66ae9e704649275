from __future__ import annotations

import io
from typing import Any

import pytest

from airflow_provider_sops.cli import terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal without colours that takes the results."""
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    monkeypatch.setattr(terminal, "_results", stream)
    return stream


def test_a_table_has_a_head_and_numbers_on_the_right(screen: Terminal) -> None:
    terminal.write_table(("NODE", "SECONDS"), [("compile", "5"), ("[b]test", "120")], numbers=["SECONDS"])

    assert [line.rstrip() for line in screen.getvalue().splitlines()] == [
        "NODE     SECONDS",
        "compile        5",
        "[b]test      120",
    ]


def test_a_table_without_rows_is_not_shown(screen: Terminal) -> None:
    terminal.write_table(("ID", "NAME"), [])

    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('say "hello" \\ 主机', 'say "hello" \\ 主机'),
        ("two\nlines\t\x1b[31m", "two\\u000alines\\u0009\\u001b[31m"),
        ("x" * 1000, f"{'x' * 500}…"),
    ],
)
def test_a_name_is_shown_as_it_is_but_for_what_acts_on_a_terminal(name: str, shown: str) -> None:
    assert terminal.one_line(name) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("1.2", '"1.2"'),
        (1.2, "1.2"),
        (True, "true"),
        (None, "null"),
        ({"主机": ["a"]}, '{"主机": ["a"]}'),
        ("two\nlines \x1b[31m", '"two\\nlines \\u001b[31m"'),
        ("x" * 1000, f'"{"x" * 499}… (1002 characters)'),
    ],
)
def test_an_output_is_shown_as_json_on_one_line(value: Any, shown: str) -> None:
    assert terminal.json_line(value) == shown

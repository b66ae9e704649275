from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.service.text import quoted, shortened, shown_words


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    text = shortened("x" * 5000)

    assert text.startswith("x" * 2000 + "…")
    assert text.endswith("(5000 characters)")
    assert shortened("x" * 2000) == "x" * 2000


def test_a_tab_is_kept_and_an_empty_text_stays_empty() -> None:
    assert shortened("a\tb") == "a\tb"
    assert shortened("") == ""


@given(st.text())
def test_a_quoted_text_is_one_printable_line_in_quotes(text: str) -> None:
    line = quoted(text)

    assert (line[0], line[-1], len(line.splitlines())) == ('"', '"', 1)


def test_long_words_are_cut_and_lines_are_joined() -> None:
    assert shown_words("one\n\n   two") == "one two"
    assert shown_words("x" * 900) == "x" * 500 + "..."

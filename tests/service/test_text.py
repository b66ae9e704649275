from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.service.text import log_entry, quoted, shortened, shown_words, visible, web_address, word
from tests.service.odd_texts import LONG_TEXTS, ODD_TEXTS, is_harmless

ANY = st.text() | st.sampled_from(ODD_TEXTS) | st.lists(st.sampled_from(ODD_TEXTS)).map("".join)


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    text = shortened("x" * 5000)

    assert text.startswith("x" * 2000 + "…")
    assert text.endswith("(5000 characters)")
    assert shortened("x" * 2000) == "x" * 2000


def test_a_tab_is_kept_and_an_empty_text_stays_empty() -> None:
    assert shortened("a\tb") == "a\tb"
    assert shortened("") == ""


@given(ANY)
def test_a_quoted_text_is_one_printable_line_in_quotes(text: str) -> None:
    line = quoted(text)

    assert (line[0], line[-1], len(line.splitlines())) == ('"', '"', 1)
    assert is_harmless(line)


@given(ANY)
def test_whatever_is_shown_is_harmless(text: str) -> None:
    assert all(is_harmless(show(text)) for show in (quoted, shortened, shown_words, word, log_entry))
    assert is_harmless(visible(text), longest=10 * len(text))
    assert len(word(text).splitlines()) <= 1
    assert len(shown_words(text).splitlines()) <= 1


@given(ANY)
def test_a_further_line_cannot_pass_for_a_log_line(text: str) -> None:
    for shown in (shortened(text), log_entry(text)):
        assert all(line.startswith("  ") for line in shown.split("\n")[1:])
    assert log_entry(shortened(text)) == shortened(text)


def test_every_character_that_controls_or_hides_is_escaped() -> None:
    escaped = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    for number in (*range(0x3000), *range(0xD800, 0xE000), *range(0xFE00, 0x11100), *range(0xE0000, 0xE0100)):
        character = chr(number)
        if unicodedata.category(character) in escaped and character not in "\t\n":
            assert visible(character) == (f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}")
    assert visible("Ünïcode, 中文, emoji 🎉, עברית\tand\nlines") == "Ünïcode, 中文, emoji 🎉, עברית\tand\nlines"


def test_long_words_are_cut_and_lines_are_joined() -> None:
    assert shown_words("one\n\n   two") == "one two"
    assert shown_words("x" * 900) == "x" * 500 + "..."
    assert word(" RUN\nNING\t") == r" RUN\u000aNING\u0009"
    assert word("x" * 5000) == "x" * 100 + "…"
    assert len(quoted("x" * 10**6)) == 503
    for text in LONG_TEXTS:
        assert all(is_harmless(show(text)) for show in (quoted, shortened, shown_words, word, log_entry))


@pytest.mark.parametrize(
    "address",
    [
        "http://sops.example.com/taskflow/execute/2/?instance_id=7",
        "https://sops.example.com:8443/o/bk_sops/#/x/中文",
        "http://[::1]:8000/",
    ],
)
def test_a_web_address_is_kept(address: str) -> None:
    assert web_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//evil.example.com/",
        "/taskflow/execute/2/",
        "http:///nowhere",
        "http://sops.example.com@evil.example.com/",
        "http://evil.example.com\\@sops.example.com/",
        "http://sops.example.com/\u202egpj",
        "http://sops.example.com/\x1b[2J",
        "http://sops.example.com/ and more",
        "http://sops.example.com/\nnext line",
        "http://sops.example.com/'onclick='",
        "http://[::1/",
        "http://sops.example.com/" + "x" * 5000,
    ],
)
def test_anything_else_is_none(address: str) -> None:
    assert web_address(address) == ""

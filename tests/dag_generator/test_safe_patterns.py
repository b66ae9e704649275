"""Which regular expressions of SOPS may check values on Airflow's API server."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.dag_generator.safe_patterns import is_safe_pattern

IP_ADDRESS = r"^((25[0-5]|2[0-4]\d|[01]?\d?\d)\.){3}(25[0-5]|2[0-4]\d|[01]?\d?\d)$"
#: Texts on which expressions with many ways to match are slowest.
LONG_TEXTS = ["a" * 20_000 + "!", "1" * 20_000 + "!", "1.1." * 5_000 + "!", "a1 " * 7_000]


@pytest.mark.parametrize(
    "pattern",
    [
        "^.+$",
        r"^[\s\S]*$",
        r"^[a-zA-Z0-9_]{1,50}$",
        r"^[\u4e00-\u9fa5]+$",
        r"^(prod|test)$",
        r"^(\d{1,3}\.){3}\d{1,3}$",
        r"^(\d+|all)$",
        IP_ADDRESS,
        "[0-9]{1,3}",
    ],
)
def test_usual_expressions_are_and_they_are_quick(pattern: str) -> None:
    assert is_safe_pattern(pattern)
    for text in LONG_TEXTS:
        re.search(pattern, text)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "[",
        "^(a+)+$",
        "^(a*)*$",
        "^(a|a)+$",
        "^(a|a){20}$",
        "^(a{0,9}){9}$",
        "^(a?){20}$",
        "^a?" * 20,
        r"^\w+\w+$",
        r"\d+$",
        "^a|b$",
        "^a" * 300,
    ],
)
def test_slow_ones_are_not(pattern: str) -> None:
    assert not is_safe_pattern(pattern)


@pytest.mark.parametrize("pattern", ["^(?<=a)b", "^(?P<n>a)$", "(?i)a", r"^\p{L}$", r"^(a)\1$", r"^\bfoo$", r"^a++$"])
def test_those_that_javascript_and_python_read_differently_are_not(pattern: str) -> None:
    assert not is_safe_pattern(pattern)


PARTS = st.sampled_from(["a", r"\d", ".", "[ab]", "(a|b)", "(a|ab)", "(ab?)", "(a+)"])
COUNTS = st.sampled_from(["", "?", "+", "*", "{3}", "{0,9}", "{2,}", "+?"])


@given(parts=st.lists(st.tuples(PARTS, COUNTS), min_size=1, max_size=5), anchored=st.booleans())
def test_whatever_is_accepted_is_quick(parts: list[tuple[str, str]], *, anchored: bool) -> None:
    pattern = f"{'^' if anchored else ''}{''.join(map(''.join, parts))}$"
    if is_safe_pattern(pattern):
        for text in LONG_TEXTS:
            re.search(pattern, text)


@given(st.text())
def test_any_text_gets_an_answer(pattern: str) -> None:
    assert is_safe_pattern(pattern) in (True, False)

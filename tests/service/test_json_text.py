from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.service.json_text import read_json


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": "\\u0000", "b\\u0000": "\\uD83D\\ude80 \\uDFFF"}', {"a": "␀", "b␀": r"🚀 \udfff"}),
        (b'["NaN", NaN, Infinity, -Infinity, 1e999, -1e999]', ["NaN", "NaN", *["Infinity", "-Infinity"] * 2]),
        (
            b"[18446744073709551615, 18446744073709551616, -9223372036854775809]",
            [2**64 - 1, f"{2**64}", f"{-(2**63) - 1}"],
        ),
        pytest.param(b"[" + b"7" * 100_000 + b"]", ["7" * 100_000], id="100 000 digits"),
        (b'["\xff\xed\xa0\x80"]', ["\ufffd" * 4]),
        (b'["tab\there", "nul\0here"]', ["tab\there", "nul␀here"]),
        (b"\xef\xbb\xbf[1]", [1]),
        ("\ufeff[1]".encode(), [1]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'["\\\\u0000"]', [r"\u0000"]),
    ],
)
def test_odd_characters_and_numbers_cost_themselves_alone(content: bytes, value: Any) -> None:
    assert read_json(content) == value


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", b'{"a": "\xe4\xb8', "[" * 5000, "nul", "['a']"])
def test_what_is_no_json_is_a_value_error(content: bytes | str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own words
        read_json(content)

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.service.json_text import read_json
from airflow_provider_sops.service.storable import (
    LONGEST_DEEP_TEXT,
    MOST_LEVELS,
    storable,
    storable_text,
    without_reserved_keys,
)

ODD_TEXTS = st.text() | st.text(alphabet=st.characters(categories=None) | st.sampled_from("\0\ud800\udfff")).map(
    lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
)
ODD_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, -math.inf])
    | ODD_TEXTS
)
ODD_JSON = st.recursive(
    ODD_LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(ODD_TEXTS | st.sampled_from(["a\0", "a␀"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def nested(levels: int, core: Any = "core") -> Any:
    value = core
    for level in range(levels):
        value = {"in": value} if level % 2 else [value]
    return value


def depth_of(value: Any) -> int:
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, (dict, list))]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for each in value for text in texts_in(each)]
    return [text for key, each in value.items() for text in (key, *texts_in(each))] if isinstance(value, dict) else []


def numbers_in(value: Any) -> list[int | float]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, (int, float)) else [number for each in inner for number in numbers_in(each)]


class TestAnyValue:
    @given(ODD_JSON, st.integers(0, MOST_LEVELS + 40))
    def test_everything_can_be_kept_and_nothing_changes_twice(self, value: Any, levels: int) -> None:
        kept = storable(nested(levels, value))

        json.dumps(kept, allow_nan=False, ensure_ascii=False).encode()
        assert not any("\0" in text for text in texts_in(kept))
        assert all(-(2**63) <= number < 2**64 for number in numbers_in(kept) if isinstance(number, int))
        assert depth_of(kept) <= MOST_LEVELS
        assert storable(kept) is kept

    @given(ODD_JSON)
    def test_lists_and_objects_keep_their_sizes(self, value: Any) -> None:
        kept = storable(value)

        if isinstance(value, (dict, list)):
            assert len(kept) == len(value)

    @given(ODD_JSON)
    def test_a_json_text_is_read_as_its_value_would_be_kept(self, value: Any) -> None:
        text = json.dumps(value)

        assert read_json(text) == read_json(text.encode()) == storable(json.loads(text))

    def test_a_json_text_that_is_nested_too_deep_is_cut(self) -> None:
        assert depth_of(read_json("[" * 300 + "]" * 300)) == MOST_LEVELS


class TestTexts:
    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("binary \0 rubbish", "binary ␀ rubbish"),
            ("disk \udc80 full", r"disk \udc80 full"),
            ("both \0\ud800", r"both ␀\ud800"),
        ],
    )
    def test_nul_becomes_its_symbol_and_half_a_surrogate_pair_its_escape(self, text: str, kept: str) -> None:
        assert storable_text(text) == kept

    @pytest.mark.parametrize("text", ["", "plain", "定时 🚀", "tab\tnewline\n\x1b[31m"])
    def test_any_other_text_stays_the_same_object(self, text: str) -> None:
        assert storable_text(text) is text


class TestValues:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            True,
            0,
            -1.5,
            2**64 - 1,
            -(2**63),
            "定时",
            [],
            {},
            {"a": [1, {"b": None}], "": ["x"]},
            nested(MOST_LEVELS),
        ],
        ids=repr,
    )
    def test_what_can_be_kept_stays_the_same_object(self, value: Any) -> None:
        assert storable(value) is value

    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            (math.nan, "NaN"),
            (math.inf, "Infinity"),
            (-math.inf, "-Infinity"),
            (2**64, "18446744073709551616"),
            (-(2**63) - 1, "-9223372036854775809"),
            pytest.param(10**5000, hex(10**5000), id="5000 digits"),
        ],
    )
    def test_a_number_that_cannot_be_kept_becomes_its_text(self, value: Any, kept: str) -> None:
        assert storable({"a": [value]}) == {"a": [kept]}

    def test_keys_that_become_alike_are_numbered_and_lose_no_value(self) -> None:
        value = {"a␀": 1, "a\0": 2, "b\ud800": 3, r"b\ud800": 4, "c": 5, "c\0": 6, "a␀ (2)": 7}

        assert storable(value) == {"a␀": 1, "a␀ (3)": 2, r"b\ud800 (2)": 3, r"b\ud800": 4, "c": 5, "c␀": 6, "a␀ (2)": 7}
        assert list(storable(value).values()) == [1, 2, 3, 4, 5, 6, 7]

    def test_the_value_itself_is_not_changed(self) -> None:
        value = {"a": ["\0"]}

        assert storable(value) == {"a": ["␀"]}
        assert value == {"a": ["\0"]}


class TestReservedKeys:
    """Objects that Airflow would take for records of its own."""

    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            ({"__classname__": 1, "a": 2}, {"__classname___": 1, "a": 2}),
            ([{"b": {"__id__": 1}}], [{"b": {"__id___": 1}}]),
            ({"__type": "dict", "__var": {"a": 1}}, {"__type_": "dict", "__var": {"a": 1}}),
            ({"__id__": 1, "__id___": 2}, {"__id___ (2)": 1, "__id___": 2}),
        ],
    )
    def test_get_an_underscore_more(self, value: Any, kept: Any) -> None:
        assert without_reserved_keys(value) == kept

    @given(ODD_JSON)
    def test_leave_no_such_object_and_nothing_changes_twice(self, value: Any) -> None:
        kept = without_reserved_keys({"__id__": storable(value), "__type": value, "__var": [value]})

        assert set(kept) == {"__id___", "__type_", "__var"}
        assert without_reserved_keys(kept) is kept

    @pytest.mark.parametrize(
        "value", [{"__type": "query"}, {"__var": 1}, {"id": {"__version__": 1}}, [], "__id__", None]
    )
    def test_leave_everything_else_the_same_object(self, value: Any) -> None:
        assert without_reserved_keys(value) is value


class TestDepth:
    def test_what_stands_too_deep_becomes_its_json(self) -> None:
        kept = storable(nested(MOST_LEVELS - 1, [[{"a\0": [1, None, True]}, "x\0", math.nan]]))

        for _ in range(MOST_LEVELS - 1):
            kept = kept["in"] if isinstance(kept, dict) else kept[0]
        assert kept == ['[{"a␀": [1, null, true]}, "x␀", "NaN"]']

    @pytest.mark.parametrize(
        "core",
        [
            pytest.param("x" * 10_000_000, id="long text"),
            pytest.param([0] * 1_000_000, id="long list"),
            pytest.param(nested(100_000), id="very deep"),
        ],
    )
    def test_the_json_of_what_stands_too_deep_is_cut(self, core: Any) -> None:
        (text,) = texts_in_chain(storable(nested(MOST_LEVELS + 1, core)))

        assert len(text) == LONGEST_DEEP_TEXT
        assert text.endswith("…")


def texts_in_chain(value: Any) -> list[str]:
    """The text at the end of lists and objects of one item each."""
    while not isinstance(value, str):
        (value,) = value.values() if isinstance(value, dict) else value
    return [value]

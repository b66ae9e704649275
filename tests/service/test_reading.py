from __future__ import annotations

import datetime
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.service.reading import (
    OpenEnum,
    read_id,
    read_int,
    read_list,
    read_mapping,
    read_text,
    read_time,
)
from tests.sops.builders import ANY_JSON


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-11-20 18:34:08 +0800", "2026-11-20T10:34:08+00:00", id="status and detail"),
        pytest.param("2026-11-20 18:34:08+0800", "2026-11-20T10:34:08+00:00", id="clocked task"),
        pytest.param("2026-11-20 18:34:08 +08:00", "2026-11-20T10:34:08+00:00", id="offset with a colon"),
        pytest.param("2026-11-20T10:34:13.084Z", "2026-11-20T10:34:13.084+00:00", id="task list"),
        pytest.param("2019-01-17 04:13:08", "2019-01-17T04:13:08+00:00", id="detail of 2019, which is UTC"),
        pytest.param("2026-11-20 05:00:00 -0330", "2026-11-20T08:30:00+00:00", id="west of UTC"),
    ],
)
def test_a_time_is_read_in_every_format_of_sops_and_knows_its_zone(text: str, moment: str) -> None:
    read = read_time(text)

    assert read == datetime.datetime.fromisoformat(moment)
    assert read is not None
    assert read.utcoffset() is not None


def test_a_time_keeps_the_servers_own_offset() -> None:
    read = read_time("2026-11-20 18:34:08 +0800")

    assert read is not None
    assert read.isoformat() == "2026-11-20T18:34:08+08:00"


@pytest.mark.parametrize("value", [None, "", "soon", "2026-13-40 00:00:00", 1700000000, [], {}])
def test_what_is_no_time_reads_as_unset(value: Any) -> None:
    assert read_time(value) is None


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("3", 3), (None, 0), ("", 0), ("many", 0), ([], 0), (1e400, 0)])
def test_a_number_may_come_as_text_and_anything_else_is_the_default(value: Any, number: int) -> None:
    assert read_int(value) == number


@pytest.mark.parametrize(("value", "read"), [(12, 12), ("12", 12), ("", None), (None, None), (-4, None), ("x", None)])
def test_an_id_comes_as_number_or_text(value: Any, read: int | None) -> None:
    assert read_id(value) == read


@pytest.mark.parametrize(("value", "text"), [(None, ""), ("", ""), ("定时", "定时"), (7, "7"), ("🚀", "🚀")])
def test_a_text_is_kept_and_null_is_empty(value: Any, text: str) -> None:
    assert read_text(value) == text


@pytest.mark.parametrize("value", [2**63, -(2**63), "9" * 30, "9" * 500, 1e300, float("nan")])
def test_a_number_beyond_64_bits_is_none(value: Any) -> None:
    assert read_int(value, default=-1) == -1
    assert read_id(value) is None


def test_a_text_loses_what_no_database_takes() -> None:
    assert read_text("binary \0 rubbish") == "binary ␀ rubbish"
    assert read_text({"a\0": float("nan")}) == "{'a␀': 'NaN'}"
    assert read_text(10**5000) == hex(10**5000)


def test_half_a_surrogate_pair_which_utf8_cannot_hold_becomes_its_escape() -> None:
    assert read_text("disk \udc80 full") == r"disk \udc80 full"


@given(ANY_JSON)
def test_no_value_whatever_stops_a_reader(value: Any) -> None:
    assert isinstance(read_int(value), int)
    assert isinstance(read_list(value), list)
    assert isinstance(dict(read_mapping(value)), dict)
    assert read_text(value).encode().decode() == read_text(value)
    assert "\0" not in read_text(value)
    number = read_id(value)
    assert number is None or number >= 0
    assert read_time(value) is None or isinstance(value, str)


@given(st.datetimes(timezones=st.timezones()).map(str) | st.text(alphabet="0123456789-: +TZW.", max_size=30))
def test_a_text_like_a_time_reads_as_a_zone_aware_time_or_not_at_all(text: str) -> None:
    read = read_time(text)

    assert read is None or read.utcoffset() is not None


class Light(OpenEnum):
    RED = "RED"
    GREEN = "GREEN"


def test_known_words_are_members_and_others_are_kept() -> None:
    unknown = Light("BLUE")

    assert Light("RED") is Light.RED
    assert (unknown, unknown.name, unknown.value, type(unknown)) == ("BLUE", "BLUE", "BLUE", Light)
    assert unknown == Light("BLUE")
    assert list(Light) == [Light.RED, Light.GREEN]
    assert pickle.loads(pickle.dumps(unknown)) == unknown

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from local_sops.plans.cron import Cron, InvalidCronError

ZONE = ZoneInfo("Asia/Shanghai")
FRIDAY = datetime(2026, 11, 20, 18, 40, 30, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        ({}, "2026-11-20 18:41"),
        ({"minute": "*/15"}, "2026-11-20 18:45"),
        ({"minute": 0, "hour": "2"}, "2026-11-21 02:00"),
        ({"minute": "0", "hour": "9", "day_of_week": "mon-fri"}, "2026-11-23 09:00"),
        ({"minute": "0", "hour": "0", "day_of_month": "31"}, "2026-12-31 00:00"),
        ({"minute": "0", "hour": "0", "day_of_month": "29", "month_of_year": "2"}, "2028-02-29 00:00"),
        ({"unknown": "x"}, "2026-11-20 18:41"),
    ],
)
def test_the_next_due_time_is_in_the_zone_of_the_server(fields: dict[str, Any], due: str) -> None:
    found = Cron.read(fields).next_after(FRIDAY, ZONE)
    assert f"{found.astimezone(ZONE):%Y-%m-%d %H:%M}" == due
    assert found.tzinfo is UTC


def test_a_due_time_is_not_due_again() -> None:
    cron = Cron.read({"minute": "*/10"})
    first = cron.next_after(FRIDAY, ZONE)
    assert (cron.next_after(first, ZONE) - first).total_seconds() == 600


def test_the_day_of_the_week_is_named_before_that_of_the_month() -> None:
    cron = Cron.read({"minute": "0, 30", "day_of_week": "1", "day_of_month": "2", "month_of_year": "3"})
    assert cron.text(ZONE) == "0,30 * 1 2 3 (m/h/d/dM/MY) Asia/Shanghai"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"minute": "banana"}, "Invalid weekday literal 'banana'."),
        ({"hour": "24"}, "Invalid end range: 24 > 23."),
        ({"minute": ""}, "empty part"),
        ({"day_of_month": "31", "month_of_year": "2"}, "never occurs"),
    ],
)
def test_what_is_no_cron_is_refused_in_the_parsers_words(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidCronError, match=reason.replace(".", r"\.")):
        Cron.read(fields)

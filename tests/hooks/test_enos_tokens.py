from __future__ import annotations

import datetime

import time_machine

from airflow_provider_sops.hooks.enos_tokens import fresh_timestamp

NOW = datetime.datetime(2026, 3, 1, 2, tzinfo=datetime.UTC)


def milliseconds(moment: datetime.datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_no_two_requests_of_one_millisecond_have_the_same_timestamp() -> None:
    with time_machine.travel(NOW, tick=False):
        stamps = [int(fresh_timestamp()) for _ in range(100)]

    assert len(set(stamps)) == 100
    assert max(stamps) - milliseconds(NOW) < 200


def test_a_clock_that_was_set_back_counts_at_once() -> None:
    with time_machine.travel(NOW + datetime.timedelta(days=8), tick=False):
        fresh_timestamp()
    with time_machine.travel(NOW, tick=False):
        assert int(fresh_timestamp()) == milliseconds(NOW)

"""How long to pause between two looks: a tenth of the age, within limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.waiting.pace import LONGEST_PAUSE_SECONDS, pause_seconds, poll_arguments


@pytest.mark.parametrize(
    ("age", "pause"), [(-3600, 1.5), (0, 1.5), (15, 1.5), (20, 2.0), (57, 5.5), (60, 6.0), (100, 10.0), (1e12, 10.0)]
)
def test_it_grows_with_the_age_from_one_and_a_half_seconds_to_the_longest_one(age: float, pause: float) -> None:
    assert pause_seconds(age, LONGEST_PAUSE_SECONDS) == pause


def test_a_shorter_limit_holds_from_the_beginning() -> None:
    assert pause_seconds(0, 0.2) == 0.2


@given(st.floats(0, 1e9))
def test_an_end_is_noticed_within_two_seconds_or_a_tenth_of_the_run_time(age: float) -> None:
    assert pause_seconds(age, 1e9) <= max(2.0, 0.1 * age + 0.25)


def test_pauses_have_few_lengths() -> None:
    assert len({pause_seconds(age / 10, LONGEST_PAUSE_SECONDS) for age in range(10_000)}) == 18


def test_a_number_of_seconds_is_kept_as_it_is() -> None:
    assert poll_arguments(30.0) == {"poll_interval_seconds": 30.0}
    assert poll_arguments(None) == {"poll_interval_seconds": 10.0, "paced": True}

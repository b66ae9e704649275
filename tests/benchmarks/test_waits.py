"""How trials are put together and what is taken from them."""

from __future__ import annotations

import math

import pytest

from benchmarks.scope import FULL, QUICK, Scope
from benchmarks.waiting.sides import SIDES
from benchmarks.waiting.trial import Case, after, median, percentile
from benchmarks.waits import YoungCost, groups


def test_the_sides_of_one_number_of_waits_run_at_the_same_time_unless_they_are_too_many() -> None:
    assert [[case.waits for case in group] for group in groups([*FULL.waits, FULL.crowd])] == [
        [1, 1, 1, 100, 100, 100, 1000, 1000, 1000],
        [3000],
        [3000],
        [3000],
    ]


@pytest.mark.parametrize(
    ("scope", "many"), [(FULL, 1000), (QUICK, 100), (Scope(waits=(1, 5000)), 1), (Scope(waits=(5000, 9000)), 5000)]
)
def test_single_trials_have_as_many_waits_as_one_triggerer_takes(scope: Scope, many: int) -> None:
    assert scope.many == many


@pytest.mark.parametrize(("percent", "value"), [(1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(percent: float, value: float) -> None:
    assert percentile(range(1, 101), percent) == value


def test_the_only_value_is_every_percentile_and_no_value_is_none() -> None:
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7.0
    assert math.isnan(percentile([], 50))


def test_a_median_is_taken_of_the_trials_that_gave_a_number() -> None:
    assert median([3.0, math.nan, 1.0]) == 2.0
    assert math.isnan(median([math.nan, math.nan]))


def test_times_are_in_order_and_those_before_the_end_or_without_one_are_left_out() -> None:
    ends = {1: 10.0, 2: 20.0, 3: 30.0, 4: 40.0}

    assert after(ends, {1: 15.0, 2: 21.0, 3: 29.0, 9: 50.0}) == (1.0, 5.0)


def test_every_side_has_every_number_of_waits() -> None:
    cases = [case for group in groups(FULL.waits) for case in group]

    assert set(cases) == {Case(side, waits) for side in SIDES for waits in FULL.waits}
    assert len(cases) == len(set(cases))


def test_to_notice_an_end_in_half_the_time_takes_twice_the_requests() -> None:
    cost = YoungCost(
        "HttpSensor", 1000, 10, noticed_p50_seconds=4.0, noticed_p99_seconds=8.0, resumed_p99_seconds=9.0, lost=0
    )

    assert cost.requests_noticing_after(2.0) == 2000

"""What the benchmark of the operator runs, and what it promises."""

from __future__ import annotations

from collections import Counter

from benchmarks.operator_path import Times, order, targets
from benchmarks.scope import FULL, QUICK

WAYS = {"deferred", "at_once", "running", "fixed_30", "http"}


def test_every_length_runs_in_every_way_as_often_as_a_median_needs() -> None:
    counted = Counter(order(FULL))

    assert set(counted) == {(way, seconds) for way in WAYS for seconds in FULL.flow_seconds}
    assert {counted[run] for run in counted if run != ("running", 600)} == {FULL.repeats}


def test_long_flows_begin_first_and_hold_only_one_worker() -> None:
    seconds = [seconds for _, seconds in order(FULL)]

    assert 600 not in seconds[seconds.index(1) :]
    assert Counter(order(FULL))["running", 600] == 1


def test_a_small_run_has_the_short_flows_once() -> None:
    assert Counter(order(QUICK)) == Counter((way, seconds) for way in WAYS for seconds in QUICK.flow_seconds)


def test_a_target_is_about_the_median_of_the_default_way() -> None:
    times = [Times("deferred", 3, 0.0, end) for end in (1.0, 3.0, 50.0)] + [Times("http", 3, 0.0, 99.0)]

    (target,) = targets(times)

    assert (target.value, target.limit, target.is_met) == (3.0, 3.5, True)

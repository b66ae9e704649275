"""The cost of waiting, and the delay until a task's end is noticed, for three ways to wait for the same tasks."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target, medians_of
from benchmarks.scope import WAITS_PER_TRIGGERER
from benchmarks.waiting.sides import HTTP_SENSOR, SIDES, SOPS
from benchmarks.waiting.trial import Case, median, percentile, trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scope import Scope
    from benchmarks.waiting.deferred_tasks import PreparedHomes
    from benchmarks.waiting.trial import Ends, Reading

#: How many waits run at a time, so that no side waits for a processor: more are measured one side after another.
_AT_A_TIME = 4 * WAITS_PER_TRIGGERER
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Cost:
    """One trial of one side.

    :param cpu_microseconds: of all triggerer processes, for one wait and one interval.
    :param runner_megabytes: resident memory of all runner processes.
    """

    side: str
    waits: int
    requests_per_minute: float
    cpu_microseconds: float
    runner_megabytes: float
    noticed_p50_seconds: float
    noticed_p99_seconds: float
    resumed_p50_seconds: float
    resumed_p99_seconds: float
    lost: int

    def __str__(self) -> str:
        return (
            f"{self.requests_per_minute:.0f} requests/min, {self.cpu_microseconds:.0f} us,"
            f" {self.runner_megabytes:.0f} MB, noticed p99 {self.noticed_p99_seconds:.2f} s, lost {self.lost}"
        )


def run(homes: PreparedHomes, scope: Scope) -> Result:
    """Compare the sides for each number of waits."""
    costs: dict[Case, list[Cost]] = {Case(side, waits): [] for waits in scope.waits for side in SIDES}
    for repeat in range(scope.repeats):
        say(f"waits: {repeat + 1} of {scope.repeats}")
        for group in groups(scope.waits):
            for case, cost in zip(group, _measure(homes, group, scope), strict=True):
                say(f"{case}: {cost}")
                costs[case].append(cost)
    tables = [
        _table([costs[Case(side, waits)] for side in SIDES], waits, scope.interval_seconds) for waits in scope.waits
    ]
    targets = _targets(costs[Case(SOPS, scope.many)], costs[Case(HTTP_SENSOR, scope.many)], scope)
    return Result(tables, targets, [asdict(cost) for repeated in costs.values() for cost in repeated])


def run_crowd(homes: PreparedHomes, scope: Scope) -> Result:
    """Compare the sides where the waits need several triggerers."""
    return run(homes, replace(scope, waits=(scope.crowd,)))


def groups(numbers: Sequence[int]) -> list[list[Case]]:
    """Return the cases for some numbers of waits, divided into what can run at a time.

    All sides of a number are in one group, unless they are too many: then each is a group.
    """
    divided: list[list[Case]] = []
    for waits in numbers:
        cases = [Case(side, waits) for side in SIDES]
        if waits * len(cases) > _AT_A_TIME:
            divided += [[case] for case in cases]
        elif divided and sum(case.waits for case in [*divided[-1], *cases]) <= _AT_A_TIME:
            divided[-1] += cases
        else:
            divided.append(cases)
    return divided


def _measure(homes: PreparedHomes, cases: Sequence[Case], scope: Scope) -> list[Cost]:
    """Let tasks wait for some intervals, then let them all end, spread over as many.

    Were they to end much faster, it would be Airflow's handling of the events that is measured: while a triggerer's
    supervisor is busy with them, it takes no log lines, and the triggers stand still.
    """
    with trials(homes, cases, scope.interval_seconds) as running:
        time.sleep(scope.interval_seconds)
        say(f"counting for {scope.intervals} intervals of {scope.interval_seconds:g} s")
        before = [trial.reading() for trial in running]
        time.sleep(scope.intervals * scope.interval_seconds)
        after = [trial.reading() for trial in running]
        say("ending the tasks")
        for trial in running:
            trial.end_tasks(within_seconds=scope.intervals * scope.interval_seconds)
        ends = [trial.ends(patience_seconds=_PATIENCE_SECONDS) for trial in running]
    readings = zip(cases, before, after, ends, strict=True)
    return [_cost(case, earlier, later, noticed, scope.intervals) for case, earlier, later, noticed in readings]


def _cost(case: Case, before: Reading, after: Reading, ends: Ends, intervals: int) -> Cost:
    return Cost(
        side=case.side.name,
        waits=case.waits,
        requests_per_minute=(after.requests - before.requests) / (after.at - before.at) * 60,
        cpu_microseconds=(after.cpu_seconds - before.cpu_seconds) / case.waits / intervals * 1e6,
        runner_megabytes=after.runner_megabytes,
        noticed_p50_seconds=percentile(ends.noticed, 50),
        noticed_p99_seconds=percentile(ends.noticed, 99),
        resumed_p50_seconds=percentile(ends.resumed, 50),
        resumed_p99_seconds=percentile(ends.resumed, 99),
        lost=ends.lost,
    )


def _table(sides: Sequence[Sequence[Cost]], waits: int, interval_seconds: float) -> Table:
    rows: list[Row] = [
        {
            "": costs[0].side,
            "requests/min": median(cost.requests_per_minute for cost in costs),
            "CPU us/wait/interval": median(cost.cpu_microseconds for cost in costs),
            "runner MB": median(cost.runner_megabytes for cost in costs),
            "noticed p50 s": median(cost.noticed_p50_seconds for cost in costs),
            "noticed p99 s": median(cost.noticed_p99_seconds for cost in costs),
            "resumed p50 s": median(cost.resumed_p50_seconds for cost in costs),
            "resumed p99 s": median(cost.resumed_p99_seconds for cost in costs),
            "lost": sum(cost.lost for cost in costs),
        }
        for costs in sides
    ]
    triggerers = -(-waits // WAITS_PER_TRIGGERER)
    title = f"{_counted(waits, 'wait')} in {_counted(triggerers, 'triggerer')}, asking every {interval_seconds:g} s"
    order = "one side after another" if waits * len(sides) > _AT_A_TIME else "all sides at the same time"
    notes = [f"{medians_of(len(sides[0]))}, {order}. CPU: of the whole triggerer, which needs some when idle too."]
    return Table(title, rows, notes)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _targets(sops: Sequence[Cost], http_sensor: Sequence[Cost], scope: Scope) -> list[Target]:
    pairs = list(zip(sops, http_sensor, strict=True))
    return [
        Target(
            f"{scope.many} waits: requests, as a share of HttpSensor's",
            median(ours.requests_per_minute / theirs.requests_per_minute for ours, theirs in pairs),
            1 / 45,
        ),
        Target(
            f"{scope.many} waits: CPU, as a share of HttpSensor's",
            median(ours.cpu_microseconds / theirs.cpu_microseconds for ours, theirs in pairs),
            1 / 3,
        ),
        Target(
            f"{scope.many} waits: the end is noticed, p99 in s",
            median(cost.noticed_p99_seconds for cost in sops),
            scope.interval_seconds + 1,
        ),
        Target(f"{scope.many} waits: lost", sum(cost.lost for cost in sops), 0),
    ]

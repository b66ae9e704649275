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
    from collections.abc import Mapping, Sequence

    from benchmarks.scope import Scope
    from benchmarks.waiting.deferred_tasks import PreparedHomes
    from benchmarks.waiting.trial import Ends, Reading

#: How many waits run at a time, so that no side waits for a processor: more are measured one side after another.
_AT_A_TIME = 4 * WAITS_PER_TRIGGERER
_PATIENCE_SECONDS = 60.0
#: New waits end within this time; with the start of the triggerers it is about the first minute of each.
_YOUNG_SECONDS = 40.0
#: How often HttpSensor asks beside new waits, so that it notices ends about as soon.
_YOUNG_INTERVAL_SECONDS = 4.0
#: How many requests a second new waits of one connection may want.
_WANTED_PER_SECOND = 5


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


@dataclass(frozen=True)
class YoungCost:
    """One trial of waits that have just begun, from the start of the triggerers to the last end.

    :param most_per_second: requests in the second with the most of them.
    """

    name: str
    requests: int
    most_per_second: int
    noticed_p50_seconds: float
    noticed_p99_seconds: float
    resumed_p99_seconds: float
    lost: int

    def requests_noticing_after(self, seconds: float) -> float:
        """Return how many requests it would take to notice ends after so many seconds: half as many for twice that."""
        return self.requests * self.noticed_p50_seconds / seconds


#: The figures in a table, by the titles of their columns.
_COLUMNS = {
    "requests/min": "requests_per_minute",
    "CPU us/wait/interval": "cpu_microseconds",
    "runner MB": "runner_megabytes",
    "noticed p50 s": "noticed_p50_seconds",
    "noticed p99 s": "noticed_p99_seconds",
    "resumed p50 s": "resumed_p50_seconds",
    "resumed p99 s": "resumed_p99_seconds",
}
_YOUNG_COLUMNS = {
    "requests": "requests",
    "most in a second": "most_per_second",
    "noticed p50 s": "noticed_p50_seconds",
    "noticed p99 s": "noticed_p99_seconds",
    "resumed p99 s": "resumed_p99_seconds",
}


def run(homes: PreparedHomes, scope: Scope) -> Result:
    """Compare the sides for each number of waits, and for waits that have just begun."""
    old, young = run_old(homes, scope), _run_young(homes, scope)
    return Result([*old.tables, *young.tables], [*old.targets, *young.targets], [*old.details, *young.details])


def run_old(homes: PreparedHomes, scope: Scope) -> Result:
    """Compare the sides for each number of waits, for tasks that began ten minutes ago."""
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
    return run_old(homes, replace(scope, waits=(scope.crowd,), repeats=scope.slow_repeats))


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
    rows = [_row(costs[0].side, costs, _COLUMNS) for costs in sides]
    triggerers = -(-waits // WAITS_PER_TRIGGERER)
    title = (
        f"{_counted(waits, 'wait')} for tasks of ten minutes in {_counted(triggerers, 'triggerer')}, asking every"
        f" {interval_seconds:g} s"
    )
    order = "one side after another" if waits * len(sides) > _AT_A_TIME else "all sides at the same time"
    notes = [f"{medians_of(len(sides[0]))}, {order}. CPU: of the whole triggerer, which needs some when idle too."]
    return Table(title, rows, notes)


def _row(name: str, repeated: Sequence[Cost | YoungCost], columns: Mapping[str, str]) -> Row:
    """Return the medians of repeated trials, and how many waits all of them have lost."""
    medians = {title: median(getattr(cost, figure) for cost in repeated) for title, figure in columns.items()}
    return {"": name, **medians, "lost": sum(cost.lost for cost in repeated)}


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


def _run_young(homes: PreparedHomes, scope: Scope) -> Result:
    """Compare waits that have just begun, all of them or half of them, with HttpSensor's."""
    waits = scope.many
    cases = {
        "SopsTaskTrigger, all new": Case(SOPS, waits, new=waits),
        "SopsTaskTrigger, half new, half of ten minutes": Case(SOPS, waits, new=waits // 2),
        f"HttpSensorTrigger, asking every {_YOUNG_INTERVAL_SECONDS:g} s": Case(
            HTTP_SENSOR, waits, new=waits, interval_seconds=_YOUNG_INTERVAL_SECONDS
        ),
    }
    costs: list[list[YoungCost]] = []
    for repeat in range(scope.repeats):
        say(f"new waits: {repeat + 1} of {scope.repeats}")
        costs.append(_measure_young(homes, cases, scope))
    rows = [_row(repeated[0].name, repeated, _YOUNG_COLUMNS) for repeated in zip(*costs, strict=True)]
    notes = [
        f"{medians_of(scope.repeats)}, all at the same time, from the start of the triggerers to the last end.",
        f"The tasks end within {_YOUNG_SECONDS:g} s, evenly spread.",
        "At the same notice time: asking half as often, HttpSensor would notice an end twice as late.",
    ]
    return Result(
        [Table(f"{_counted(waits, 'wait')} in the first minute", rows, notes)],
        _young_targets(costs, scope),
        [asdict(cost) for repeated in costs for cost in repeated],
    )


def _measure_young(homes: PreparedHomes, cases: Mapping[str, Case], scope: Scope) -> list[YoungCost]:
    with trials(homes, list(cases.values()), scope.interval_seconds) as running:
        say("ending the tasks")
        for trial in running:
            trial.end_tasks(within_seconds=_YOUNG_SECONDS)
        ends = [trial.ends(patience_seconds=_PATIENCE_SECONDS) for trial in running]
        costs = [
            YoungCost(
                name=name,
                requests=trial.reading().requests,
                most_per_second=max(trial.sops.at_seconds.values()),
                noticed_p50_seconds=percentile(noticed.noticed, 50),
                noticed_p99_seconds=percentile(noticed.noticed, 99),
                resumed_p99_seconds=percentile(noticed.resumed, 99),
                lost=noticed.lost,
            )
            for name, trial, noticed in zip(cases, running, ends, strict=True)
        ]
    for cost in costs:
        say(f"{cost.name}: {cost.requests} requests, noticed p50 {cost.noticed_p50_seconds:.2f} s, lost {cost.lost}")
    return costs


def _young_targets(costs: Sequence[Sequence[YoungCost]], scope: Scope) -> list[Target]:
    shares = [new.requests / http.requests_noticing_after(new.noticed_p50_seconds) for new, _, http in costs]
    return [
        Target(
            f"{scope.many} new waits: requests, as a share of HttpSensor's at the same notice time",
            median(shares),
            1 / 8,
        ),
        Target(
            f"{scope.many} new waits: requests in a second, at most",
            max(new.most_per_second for new, _, _ in costs),
            max(2 * _WANTED_PER_SECOND, scope.many / 50),
        ),
        *(
            Target(
                f"{scope.many} {kind} waits: the end is noticed, p99 in s",
                median(one[place].noticed_p99_seconds for one in costs),
                scope.interval_seconds + 1,
            )
            for place, kind in enumerate(("new", "new and old"))
        ),
        Target(f"{scope.many} new waits: lost", sum(cost.lost for one in costs for cost in one[:2]), 0),
    ]

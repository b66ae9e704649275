"""Whether the memory of a triggerer grows while tasks wait in it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target, medians_of
from benchmarks.waiting.sides import SOPS
from benchmarks.waiting.trial import Case, trials

if TYPE_CHECKING:
    from benchmarks.scope import Scope
    from benchmarks.waiting.deferred_tasks import PreparedHomes

#: Short, so that a hundred of them pass in two minutes.
_INTERVAL_SECONDS = 1.0
#: Intervals before the first reading: the interpreter's own memory settles.
_SETTLING_INTERVALS = 10
#: What the resident memory of an idle Python process may vary by.
_NOISE_MEGABYTES = 1.0


@dataclass(frozen=True)
class Memory:
    """The resident megabytes of one runner, interval by interval."""

    readings: list[float]

    @property
    def first(self) -> float:
        """The median of the first tenth."""
        return median(self.readings[: self._tenth])

    @property
    def last(self) -> float:
        """The median of the last tenth."""
        return median(self.readings[-self._tenth :])

    @property
    def growth(self) -> float:
        """How much more the last tenth is."""
        return self.last - self.first

    @property
    def _tenth(self) -> int:
        return max(1, len(self.readings) // 10)


def run(homes: PreparedHomes, scope: Scope) -> Result:
    """Watch the memory of several runners, one after another."""
    measured = []
    for repeat in range(scope.repeats):
        say(f"memory: {repeat + 1} of {scope.repeats}")
        measured.append(_measure(homes, scope))
    growth = median(one.growth for one in measured)
    rows: list[Row] = [
        {
            "": SOPS.name,
            "first MB": median(one.first for one in measured),
            "last MB": median(one.last for one in measured),
            "growth MB": growth,
            "most growth MB": max(one.growth for one in measured),
        }
    ]
    title = f"Memory of the runner with {scope.many} waits over {scope.growth_intervals} intervals"
    notes = [
        f"{medians_of(scope.repeats)} and, under most growth, the greatest of them.",
        f"An interval is {_INTERVAL_SECONDS:g} s; first and last are medians of a tenth of the readings.",
    ]
    target = Target("growth of memory in MB", growth, _NOISE_MEGABYTES)
    return Result([Table(title, rows, notes)], [target], [asdict(one) for one in measured])


def _measure(homes: PreparedHomes, scope: Scope) -> Memory:
    """Read the memory of a new runner once in each interval."""
    readings = []
    with trials(homes, [Case(SOPS, scope.many)], _INTERVAL_SECONDS) as (running,):
        time.sleep(_SETTLING_INTERVALS * _INTERVAL_SECONDS)
        say(f"watching the memory for {scope.growth_intervals} intervals of {_INTERVAL_SECONDS:g} s")
        for _ in range(scope.growth_intervals):
            time.sleep(_INTERVAL_SECONDS)
            readings.append(running.reading().runner_megabytes)
    return Memory(readings)

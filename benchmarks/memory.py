"""Whether the memory of a triggerer grows while tasks wait in it."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target
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


def run(homes: PreparedHomes, scope: Scope) -> Result:
    """Read the runner's memory once in each interval; compare the last tenth of the readings with the first one."""
    readings = []
    with trials(homes, [Case(SOPS, scope.many)], _INTERVAL_SECONDS) as (running,):
        time.sleep(_SETTLING_INTERVALS * _INTERVAL_SECONDS)
        say(f"watching the memory for {scope.growth_intervals} intervals of {_INTERVAL_SECONDS:g} s")
        for _ in range(scope.growth_intervals):
            time.sleep(_INTERVAL_SECONDS)
            readings.append(running.reading().runner_megabytes)
    tenth = max(1, len(readings) // 10)
    first, last = median(readings[:tenth]), median(readings[-tenth:])
    title = f"Memory of the runner with {scope.many} waits over {scope.growth_intervals} intervals"
    rows: list[Row] = [
        {"": SOPS.name, "first MB": first, "last MB": last, "most MB": max(readings), "growth MB": last - first}
    ]
    notes = [f"An interval is {_INTERVAL_SECONDS:g} s; first and last are medians of a tenth of the readings."]
    target = Target("growth of memory in MB", last - first, _NOISE_MEGABYTES)
    return Result([Table(title, rows, notes)], [target], readings)

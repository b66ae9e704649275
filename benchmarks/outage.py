"""What happens to waits during a SOPS outage, and how soon they continue after it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target, medians_of
from benchmarks.waiting.sides import SIDES, SOPS
from benchmarks.waiting.trial import Case, median, percentile, trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scope import Scope
    from benchmarks.waiting.deferred_tasks import PreparedHomes
    from benchmarks.waiting.trial import Ends

#: Longer than the longest pause between two attempts to reach a server that is away, and an interval.
_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class Outage:
    """One side's trial.

    :param noticed_p50_seconds: from the end of the outage until the server told the side that the task has ended.
    :param resumed_p99_seconds: from the end of the outage until Airflow resumed the tasks.
    """

    side: str
    waits: int
    lost: int
    noticed_p50_seconds: float
    noticed_p99_seconds: float
    resumed_p99_seconds: float


def run(homes: PreparedHomes, scope: Scope) -> Result:
    """Expose all sides to an outage, several times."""
    measured = []
    for repeat in range(scope.repeats):
        say(f"outage: {repeat + 1} of {scope.repeats}")
        measured.append(_measure(homes, scope))
    repeated = list(zip(*measured, strict=True))
    title = f"{scope.many} waits, asking every {scope.interval_seconds:g} s, SOPS away for {scope.outage_seconds:g} s"
    notes = [
        f"{medians_of(scope.repeats)}; the lost ones are counted of all.",
        "The server accepts no connection; all tasks have ended when it is back, and times count from then.",
        "Lost: Airflow's task was resumed to fail, or not at all.",
    ]
    lost = sum(one.lost for outages in repeated for one in outages if one.side == SOPS.name)
    return Result(
        [Table(title, [_row(outages) for outages in repeated], notes)],
        [Target("waits lost to an outage", lost, 0)],
        [asdict(outage) for outages in repeated for outage in outages],
    )


def _measure(homes: PreparedHomes, scope: Scope) -> list[Outage]:
    """Stop the server for all sides at the same time; all tasks end at the moment it returns."""
    cases = [Case(side, scope.many) for side in SIDES]
    with trials(homes, cases, scope.interval_seconds) as running:
        time.sleep(scope.interval_seconds)
        say(f"SOPS is away for {scope.outage_seconds:g} s")
        for trial in running:
            trial.sops.go_away()
        time.sleep(scope.outage_seconds)
        say("SOPS is back")
        for trial in running:
            trial.end_tasks(within_seconds=0)
            trial.sops.come_back()
        return [_outage(trial.case, trial.ends(patience_seconds=_PATIENCE_SECONDS)) for trial in running]


def _row(outages: Sequence[Outage]) -> Row:
    return {
        "": outages[0].side,
        "waits": sum(one.waits for one in outages),
        "lost": sum(one.lost for one in outages),
        "noticed p50 s": median(one.noticed_p50_seconds for one in outages),
        "noticed p99 s": median(one.noticed_p99_seconds for one in outages),
        "resumed p99 s": median(one.resumed_p99_seconds for one in outages),
    }


def _outage(case: Case, ends: Ends) -> Outage:
    return Outage(
        side=case.side.name,
        waits=case.waits,
        lost=ends.lost,
        noticed_p50_seconds=percentile(ends.noticed, 50),
        noticed_p99_seconds=percentile(ends.noticed, 99),
        resumed_p99_seconds=percentile(ends.resumed, 99),
    )

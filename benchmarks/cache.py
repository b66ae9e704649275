"""How late the end of a task is noticed if SOPS answers from its caches, as in production."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.local_sops import PARALLEL, lifetimes, local_sops
from benchmarks.patience import happens, wait_until
from benchmarks.progress import say
from benchmarks.report import Result, Row, Table, Target, medians_of
from benchmarks.waiting.sides import SIDES, SOPS
from benchmarks.waiting.trial import Case, after, median, percentile, trials
from benchmarks.waiting.triggerers import Triggerers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scope import Scope
    from benchmarks.waiting.deferred_tasks import DeferredTasks, PreparedHomes
    from demo.local_sops import LocalSops

_CACHE_SECONDS = 10.0
#: Flows begin, and tasks end, spread over this time.
_SPREAD_SECONDS = 2 * _CACHE_SECONDS
_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class Lateness:
    """One trial; a time that was not taken is not a number.

    :param noticed_p50_seconds: from the end of a task until the side was told.
    :param resumed_p50_seconds: from the end of a task until Airflow resumed the waiting task.
    """

    side: str
    server: str
    waits: int
    noticed_p50_seconds: float
    noticed_p99_seconds: float
    resumed_p50_seconds: float
    resumed_p99_seconds: float
    lost: int

    @classmethod
    def of(cls, case: Case, server: str, noticed: Sequence[float], resumed: Sequence[float], lost: int) -> Lateness:
        """Reduce times, which are in order, to percentiles."""
        return cls(
            side=case.side.name,
            server=server,
            waits=case.waits,
            noticed_p50_seconds=percentile(noticed, 50),
            noticed_p99_seconds=percentile(noticed, 99),
            resumed_p50_seconds=percentile(resumed, 50),
            resumed_p99_seconds=percentile(resumed, 99),
            lost=lost,
        )


def run(homes: PreparedHomes, scope: Scope) -> Result:
    """Let all sides wait for the server that only pretends to run flows, and ours for the one that does."""
    measured = []
    for repeat in range(scope.repeats):
        say(f"caches: {repeat + 1} of {scope.repeats}")
        measured.append([*_with_counting_sops(homes, scope), _with_local_sops(homes, scope)])
    repeated = list(zip(*measured, strict=True))
    title = f"Ends where the server caches for {_CACHE_SECONDS:g} s, asking every {scope.interval_seconds:g} s"
    notes = [
        f"{medians_of(scope.repeats)}.",
        "local_sops --cache-like-production runs real flows; it does not say when it told of their ends.",
    ]
    limit = scope.interval_seconds + 1 + _CACHE_SECONDS
    ours, real = (latenesses for latenesses in repeated if latenesses[0].side == SOPS.name)
    targets = [
        Target("the end is noticed, p99 in s", median(one.noticed_p99_seconds for one in ours), limit),
        Target("local_sops: the task is resumed, p99 in s", median(one.resumed_p99_seconds for one in real), limit),
        Target("waits lost", sum(one.lost for one in (*ours, *real)), 0),
    ]
    table = Table(title, [_row(latenesses) for latenesses in repeated], notes)
    return Result([table], targets, [asdict(lateness) for latenesses in repeated for lateness in latenesses])


def _row(latenesses: Sequence[Lateness]) -> Row:
    return {
        "": latenesses[0].side,
        "server": latenesses[0].server,
        "waits": latenesses[0].waits,
        "noticed p50 s": median(one.noticed_p50_seconds for one in latenesses),
        "noticed p99 s": median(one.noticed_p99_seconds for one in latenesses),
        "resumed p50 s": median(one.resumed_p50_seconds for one in latenesses),
        "resumed p99 s": median(one.resumed_p99_seconds for one in latenesses),
        "lost": sum(one.lost for one in latenesses),
    }


def _with_counting_sops(homes: PreparedHomes, scope: Scope) -> list[Lateness]:
    """End many tasks of each side at the same time."""
    cases = [Case(side, scope.many) for side in SIDES]
    with trials(homes, cases, scope.interval_seconds, sops_caches=True) as running:
        time.sleep(_CACHE_SECONDS)
        say("ending the tasks")
        for trial in running:
            trial.end_tasks(within_seconds=_SPREAD_SECONDS)
        ends = [trial.ends(patience_seconds=_PATIENCE_SECONDS) for trial in running]
    return [
        Lateness.of(case, "counting server", noticed.noticed, noticed.resumed, noticed.lost)
        for case, noticed in zip(cases, ends, strict=True)
    ]


def _with_local_sops(homes: PreparedHomes, scope: Scope) -> Lateness:
    """Run real flows, which begin one after another while Airflow waits for all of them."""
    case = Case(SOPS, scope.real_waits)
    with tempfile.TemporaryDirectory(prefix="cache-") as name:
        folder = Path(name)
        tasks = homes.for_tasks(case.waits).copy(folder / "home")
        with local_sops(folder, os.environ, "--cache-like-production") as sops:
            task_ids = _wait_for_flows(tasks, sops, case.waits, scope.interval_seconds)
        ends = {task_id: lifetime.ended for task_id, lifetime in lifetimes(folder).items()}
        resumed = {task_ids[number - 1]: moment for number, moment in tasks.resumed().items()}
    lateness = after(ends, resumed)
    return Lateness.of(case, "local_sops", (), lateness, case.waits - len(lateness))


def _wait_for_flows(tasks: DeferredTasks, sops: LocalSops, waits: int, interval_seconds: float) -> list[int]:
    """Start flows that are waited for, and stay until all waits are resumed; return the ids of the SOPS tasks."""
    connection = {"AIRFLOW_CONN_SOPS_DEFAULT": sops.connection_json()}
    os.environ.update(connection)
    # Airflow reads its settings when it is imported.
    from airflow_provider_sops.hooks.sops import SopsHook

    with SopsHook() as hook:
        task_ids = [hook.create_task(PARALLEL, f"wait {number}").task_id for number in range(waits)]
        tasks.defer([(SOPS.classpath, SOPS.arguments(sops.url, task_id, interval_seconds)) for task_id in task_ids])
        with Triggerers(tasks, connection) as triggerers:
            triggerers.start_another()
            say(f"starting a triggerer: {waits} flows of local_sops")
            wait_until(
                tasks.all_are_taken,
                "a triggerer takes all waits",
                within_seconds=_PATIENCE_SECONDS,
                check=triggerers.check,
            )
            say("starting the flows")
            for task_id in task_ids:
                hook.start_task(task_id)
                time.sleep(_SPREAD_SECONDS / waits)
            happens(lambda: not tasks.still_deferred(), within_seconds=_PATIENCE_SECONDS, check=triggerers.check)
            triggerers.ask_to_stop()
    return task_ids

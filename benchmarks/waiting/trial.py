"""Trials: tasks that wait in real triggerers for a server whose tasks end when they are told to."""

from __future__ import annotations

import contextlib
import json
import math
import random
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.patience import happens, wait_until
from benchmarks.progress import say
from benchmarks.scope import WAITS_PER_TRIGGERER
from benchmarks.waiting.counting_sops import CountingSops
from benchmarks.waiting.triggerers import Triggerers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.waiting.deferred_tasks import DeferredTasks, PreparedHomes
    from benchmarks.waiting.sides import Side

_BEGIN_SECONDS = 600.0
#: Long enough for the longest pause between two looks.
_OLD_SECONDS = 600.0


@dataclass(frozen=True)
class Case:
    """So many waits of one side.

    :param new: how many of them wait for tasks that have just begun; the others' began ten minutes ago.
    :param interval_seconds: how often each asks; ``None`` for what all cases have in common.
    """

    side: Side
    waits: int
    new: int = 0
    interval_seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.waits} x {self.side.name}{f', {self.new} of them new' if self.new else ''}"


@dataclass(frozen=True)
class Reading:
    """What had been used and asked at a moment."""

    at: float
    cpu_seconds: float
    runner_megabytes: float
    requests: int


@dataclass(frozen=True)
class Ends:
    """How the ends of tasks were noticed.

    :param noticed: seconds from the end of a task until its side was told by the server, in order.
    :param resumed: seconds from the end until Airflow had the waiting task scheduled again, in order.
    :param lost: how many tasks ended without their waits being resumed, or were resumed to fail, or before the end.
    """

    noticed: tuple[float, ...]
    resumed: tuple[float, ...]
    lost: int


@dataclass
class Trial:
    """The waits of one case, in an Airflow home of their own, with a server of their own.

    :param sops: the server.
    """

    case: Case
    sops: CountingSops
    _tasks: DeferredTasks = field(repr=False)
    _triggerers: Triggerers = field(repr=False)

    def reading(self) -> Reading:
        """Read all counters."""
        usage = self._triggerers.usage()
        requests = Counter(self.sops.requests).total()
        return Reading(time.monotonic(), usage.cpu_seconds, usage.runner_megabytes, requests)

    def end_tasks(self, *, within_seconds: float) -> None:
        """Let all tasks end, evenly spread from now on, in an order that no side can know."""
        begin = time.time()
        order = list(range(1, self.case.waits + 1))
        random.Random(self.case.waits).shuffle(order)  # noqa: S311 - the same order for each side
        for place, task_id in enumerate(order, 1):
            self.sops.ends[task_id] = begin + within_seconds * place / self.case.waits

    def ends(self, *, patience_seconds: float) -> Ends:
        """Wait until all waits are resumed, at most so long after the last end, and return how late they noticed."""
        happens(
            lambda: not self._tasks.still_deferred(),
            within_seconds=max(self.sops.ends.values()) + patience_seconds - time.time(),
            check=self._triggerers.check,
        )
        resumed = after(self.sops.ends, self._tasks.resumed())
        return Ends(after(self.sops.ends, self.sops.told), resumed, len(self.sops.ends) - len(resumed))

    def start_triggerer(self) -> None:
        """Start one more triggerer, which takes up to a thousand waits."""
        self._triggerers.start_another()

    def wait_for_waits(self, number: int) -> None:
        """Wait until the server was asked about so many tasks.

        :raises OutOfPatienceError: it was not.
        """
        wait_until(
            lambda: len(self.sops.asked) >= number,
            f"{self.case}: the server is asked about {number} tasks",
            within_seconds=_BEGIN_SECONDS,
            check=self._triggerers.check,
        )


@contextlib.contextmanager
def trials(
    homes: PreparedHomes, cases: Sequence[Case], interval_seconds: float, *, sops_caches: bool = False
) -> Iterator[list[Trial]]:
    """Let the tasks of all cases wait side by side as long as the block runs; in it, all waits have begun.

    :param interval_seconds: how often each wait asks, of cases that do not say otherwise.
    :param sops_caches: whether the servers answer from caches.
    :raises ChildFailedError: a triggerer has ended.
    :raises OutOfPatienceError: the waits do not begin.
    """
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="waits-")))
        begun = []
        for number, case in enumerate(cases):
            sops = running.enter_context(CountingSops(caches=sops_caches))
            sops.begun |= dict.fromkeys(range(case.new + 1, case.waits + 1), time.time() - _OLD_SECONDS)
            interval = case.interval_seconds or interval_seconds
            tasks = homes.for_tasks(case.waits).copy(folder / str(number))
            tasks.defer(
                [
                    (case.side.classpath, case.side.arguments(sops.url, task_id, interval))
                    for task_id in range(1, case.waits + 1)
                ]
            )
            triggerers = running.enter_context(Triggerers(tasks, _connections(sops.url)))
            # All of them stop at the same time.
            running.callback(triggerers.ask_to_stop)
            begun.append(Trial(case, sops, tasks, triggerers))
        say(f"starting triggerers: {', '.join(map(str, cases))}")
        _begin(begun)
        yield begun


def _begin(begun: Sequence[Trial]) -> None:
    """Start as many triggerers as the waits need, each as soon as the one before has taken its share."""
    for taken in range(0, max(trial.case.waits for trial in begun), WAITS_PER_TRIGGERER):
        not_all_taken = [trial for trial in begun if trial.case.waits > taken]
        for trial in not_all_taken:
            trial.start_triggerer()
        for trial in not_all_taken:
            trial.wait_for_waits(min(trial.case.waits, taken + WAITS_PER_TRIGGERER))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the value that so many per cent of the values do not exceed; not a number where there is none."""
    return ordered[math.ceil(percent / 100 * len(ordered)) - 1] if ordered else math.nan


def median(values: Iterable[float]) -> float:
    """Return the median of the values that are numbers; not a number where none is."""
    numbers = [value for value in values if not math.isnan(value)]
    return statistics.median(numbers) if numbers else math.nan


def after(ends: Mapping[int, float], moments: Mapping[int, float]) -> tuple[float, ...]:
    """Return how long after their ends the moments are, in order, those before the end left out."""
    return tuple(
        sorted(
            moments[task_id] - ends[task_id]
            for task_id in ends.keys() & moments.keys()
            if moments[task_id] >= ends[task_id]
        )
    )


def _connections(url: str) -> dict[str, str]:
    """Return the Airflow connections of all sides."""
    sops = {
        "conn_type": "sops",
        "host": url,
        "login": "airflow",
        "password": "none is checked",
        "extra": {"bk_username": "admin", "bk_biz_id": 2},
    }
    return {
        "AIRFLOW_CONN_SOPS_DEFAULT": json.dumps(sops),
        "AIRFLOW_CONN_HTTP_DEFAULT": json.dumps({"conn_type": "http", "host": url}),
    }

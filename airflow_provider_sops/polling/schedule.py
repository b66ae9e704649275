"""When to ask about which of many tasks: in few requests, evenly spread, nobody late.

One request asks about up to 50 tasks. A thousand tasks that are asked about every 10 seconds therefore need 20 requests
in 10 seconds, one every half second. This module decides their moments; it neither sends nor sleeps. Time is passed in,
as seconds of any clock that never goes back.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass, field
from typing import TypeVar

from airflow_provider_sops.sops.limits import BATCH_SIZE

_Key = TypeVar("_Key")

#: How long a look that is wanted at once waits for others that could share its request.
COLLECT_SECONDS = 0.5
#: The least distance of requests while looks would be late otherwise.
_CLOSEST_SECONDS = 0.05
#: A request takes along who is due within this share of the pause to the next one. Below 1, so that few late-comers do
#: not pull the next request forward over and over.
_TAKEN_ALONG = 0.9


@dataclass(slots=True)
class PollSchedule:
    """The looks that are waiting for their turn, at most one for each task.

    ``join`` and ``leave`` tell who waits, ``add`` that a look is wanted, ``next_time`` when the next request should be
    sent and ``take`` about whom. The rules: no look is late if that can be helped; requests keep the same distance; who
    has nothing to be late for, because nobody has looked yet, is asked about at the next opportunity.
    """

    _members: Counter[int] = field(default_factory=Counter)
    _intervals: Counter[float] = field(default_factory=Counter)
    #: (due, task id), in order.
    _queue: list[tuple[float, int]] = field(default_factory=list)
    _due: dict[int, float] = field(default_factory=dict)
    #: When those that are wanted at once were added, in order.
    _at_once: dict[int, float] = field(default_factory=dict)
    _last_request: float = -math.inf

    def join(self, task_id: int, interval_seconds: float) -> None:
        """Count one more wait for a task; several may wait for the same one."""
        self._members[task_id] += 1
        self._intervals[interval_seconds] += 1

    def leave(self, task_id: int, interval_seconds: float) -> None:
        """Undo one ``join``."""
        _decrease(self._members, task_id)
        _decrease(self._intervals, interval_seconds)

    @property
    def pause_seconds(self) -> float:
        """The distance of requests that are evenly spread over the shortest interval."""
        requests = max(1, math.ceil(len(self._members) / BATCH_SIZE))
        return min(self._intervals, default=0.0) / requests

    def add(self, task_id: int, now: float, delay_seconds: float) -> None:
        """Want a look at a task; an earlier one that is still waiting stays as it is, if it is sooner.

        :param delay_seconds: when the look is due; 0 means at once, which may be as late as one interval from now
            while there is much to do.
        """
        due = now + (delay_seconds or min(self._intervals, default=0.0))
        if delay_seconds == 0:
            self._at_once.setdefault(task_id, now)
        known = self._due.get(task_id)
        if known is not None:
            if known <= due:
                return
            self._remove(task_id)
        self._due[task_id] = due
        insort(self._queue, (due, task_id))

    def discard(self, task_id: int) -> None:
        """Take back the look at a task, if there is one."""
        if task_id in self._due:
            self._remove(task_id)
            self._at_once.pop(task_id, None)

    def next_time(self) -> float | None:
        """Return when to send the next request; ``None`` if nobody is waiting for a look."""
        if not self._queue:
            return None
        pause = self.pause_seconds
        dues = [due for due, _ in self._queue[::BATCH_SIZE]]
        # The n-th request from now follows n pauses later and must not be late either.
        wanted = min(due - n * pause for n, due in enumerate(dues))
        for added in self._at_once.values():
            wanted = min(wanted, added + COLLECT_SECONDS)
            break
        # Since tasks have ended, the looks that were wanted before are due closer together than the pause is now.
        needed = min((due - self._last_request) / n for n, due in enumerate(dues, 1))
        return max(wanted, self._last_request + min(pause, 2 * COLLECT_SECONDS, max(needed, _CLOSEST_SECONDS)))

    def take(self, now: float) -> list[int]:
        """Return the tasks to ask about in a request that is sent now, at most 50; their looks are done with."""
        if not self._queue:
            return []
        self._last_request = now
        along = _TAKEN_ALONG * self.pause_seconds
        next_ones = self._queue[:BATCH_SIZE]
        limit = max(now, next_ones[0][0]) + along
        wanted = [task_id for due, task_id in next_ones if due <= now + along]
        wanted += self._at_once
        wanted += [task_id for due, task_id in next_ones if due <= limit]
        taken = list(dict.fromkeys(wanted))[:BATCH_SIZE]
        for task_id in taken:
            self.discard(task_id)
        return taken

    def _remove(self, task_id: int) -> None:
        place = bisect_left(self._queue, (self._due.pop(task_id), task_id))
        del self._queue[place]


def _decrease(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]

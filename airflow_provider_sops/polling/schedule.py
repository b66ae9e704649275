"""Schedule status requests for many tasks: few requests, evenly spread, no task late.

One request covers up to 50 tasks. A thousand tasks polled every 10 seconds need 20 requests in 10 seconds, one every
half second. This module decides when to send them; it neither sends nor sleeps. Time is passed in, as seconds of any
monotonic clock.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass, field
from typing import TypeVar

from airflow_provider_sops.sops.endpoints import BATCH_SIZE

_Key = TypeVar("_Key")

#: How long an immediate look waits for others that could share its request.
COLLECT_SECONDS = 0.5
#: The shortest pause between requests when looks would otherwise be late.
_CLOSEST_SECONDS = 0.05
#: A request includes tasks due within this fraction of the pause to the next one. Below 1, so that a few stragglers do
#: not keep pulling the next request forward.
_TAKEN_ALONG = 0.9


@dataclass(slots=True)
class PollSchedule:
    """The pending looks, at most one per task.

    ``join`` and ``leave`` register waits, ``add`` requests a look, ``next_time`` says when to send the next request and
    ``take`` which tasks it covers. The rules: avoid late looks; space requests evenly; include a task that has never
    been looked at in the next possible request.
    """

    _members: Counter[int] = field(default_factory=Counter)
    _intervals: Counter[float] = field(default_factory=Counter)
    #: (due, task id), sorted.
    _queue: list[tuple[float, int]] = field(default_factory=list)
    _due: dict[int, float] = field(default_factory=dict)
    #: When the immediate looks were added, in order.
    _at_once: dict[int, float] = field(default_factory=dict)
    _last_request: float = -math.inf

    def join(self, task_id: int, interval_seconds: float) -> None:
        """Register a wait for a task; a task may have several."""
        self._members[task_id] += 1
        self._intervals[interval_seconds] += 1

    def leave(self, task_id: int, interval_seconds: float) -> None:
        """Undo one ``join``."""
        _decrease(self._members, task_id)
        _decrease(self._intervals, interval_seconds)

    @property
    def pause_seconds(self) -> float:
        """The pause between requests that are evenly spread over the shortest interval."""
        requests = max(1, math.ceil(len(self._members) / BATCH_SIZE))
        return min(self._intervals, default=0.0) / requests

    def add(self, task_id: int, now: float, delay_seconds: float) -> None:
        """Request a look at a task; a pending look that is due sooner is kept.

        :param delay_seconds: when the look is due; 0 means as soon as possible, which under load may be one interval
            from now.
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
        """Cancel the pending look at a task, if any."""
        if task_id in self._due:
            self._remove(task_id)
            self._at_once.pop(task_id, None)

    def next_time(self) -> float | None:
        """Return when to send the next request; ``None`` if no look is pending."""
        if not self._queue:
            return None
        pause = self.pause_seconds
        dues = [due for due, _ in self._queue[::BATCH_SIZE]]
        # The n-th request from now is sent n pauses later and must not be late either.
        wanted = min(due - n * pause for n, due in enumerate(dues))
        for added in self._at_once.values():
            wanted = min(wanted, added + COLLECT_SECONDS)
            break
        # When tasks end, the pause grows, and looks requested earlier are due closer together than that.
        needed = min((due - self._last_request) / n for n, due in enumerate(dues, 1))
        return max(wanted, self._last_request + min(pause, 2 * COLLECT_SECONDS, max(needed, _CLOSEST_SECONDS)))

    def take(self, now: float) -> list[int]:
        """Remove and return the tasks for a request that is sent now, at most 50."""
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

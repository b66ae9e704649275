"""Schedule status requests for many tasks: few requests, evenly spread, no task late.

One request covers up to 50 tasks. A thousand tasks polled every 10 seconds need 20 requests in 10 seconds, one every
half second. This module decides when to send them; it neither sends nor sleeps. Time is passed in, as seconds of any
monotonic clock.

Each task has a pause of its own, which may change from look to look. Where many tasks want short pauses at once, those
that allow it get longer ones, so that a burst of new tasks is no burst of requests.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass, field

from airflow_provider_sops.sops.endpoints import BATCH_SIZE

#: How long an immediate look waits for others that could share its request.
COLLECT_SECONDS = 0.5
#: The shortest pause between requests when looks would otherwise be late.
_CLOSEST_SECONDS = 0.05
#: A request includes tasks due within this fraction of the pause to the next one. Below 1, so that a few stragglers do
#: not keep pulling the next request forward.
_TAKEN_ALONG = 0.9
#: How many looks per second may be wanted before pauses that may become longer do: five full requests.
_MOST_LOOKS_PER_SECOND = 5.0 * BATCH_SIZE
#: So that rounding does not cost a request.
_ROUNDING = 1e-6


@dataclass(slots=True)
class _Pauses:
    """The pause of each task that has one, and what all of them together need."""

    _of: dict[int, float] = field(default_factory=dict)
    _counted: Counter[float] = field(default_factory=Counter)

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._of

    def set(self, task_id: int, seconds: float) -> None:
        self.remove(task_id)
        self._of[task_id] = seconds
        self._counted[seconds] += 1

    def shorten(self, task_id: int, seconds: float) -> None:
        self.set(task_id, min(seconds, self._of[task_id]))

    def remove(self, task_id: int) -> None:
        seconds = self._of.pop(task_id, None)
        if seconds is None:
            return
        self._counted[seconds] -= 1
        if not self._counted[seconds]:
            del self._counted[seconds]

    @property
    def shortest(self) -> float:
        return min(self._counted, default=0.0)

    @property
    def looks_per_second(self) -> float:
        return sum(count / seconds for seconds, count in self._counted.items())


@dataclass(slots=True)
class PollSchedule:
    """The pending looks, at most one per task.

    ``join`` and ``leave`` register waits, ``add`` requests a look, ``next_time`` says when to send the next request and
    ``take`` which tasks it covers. The rules: avoid late looks; space requests evenly; include a task that has never
    been looked at in the next possible request.
    """

    _waits: Counter[int] = field(default_factory=Counter)
    #: The pauses that the waits want, and those that they get.
    _wanted: _Pauses = field(default_factory=_Pauses)
    _pauses: _Pauses = field(default_factory=_Pauses)
    #: (due, task id), sorted.
    _queue: list[tuple[float, int]] = field(default_factory=list)
    _due: dict[int, float] = field(default_factory=dict)
    #: When the immediate looks were added, in order.
    _at_once: dict[int, float] = field(default_factory=dict)
    _last_request: float = -math.inf

    def join(self, task_id: int, interval_seconds: float) -> None:
        """Register a wait for a task; a task may have several.

        :param interval_seconds: the pause between its looks, until a look says otherwise.
        """
        self._waits[task_id] += 1
        if task_id not in self._pauses:
            self._set_pause(task_id, interval_seconds, interval_seconds)

    def leave(self, task_id: int) -> None:
        """Undo one ``join``."""
        self._waits[task_id] -= 1
        if self._waits[task_id] <= 0:
            del self._waits[task_id]
            self._wanted.remove(task_id)
            self._pauses.remove(task_id)

    @property
    def pause_seconds(self) -> float:
        """The pause between requests that are evenly spread over the shortest pause of a task."""
        shortest = self._pauses.shortest
        requests = shortest * self._pauses.looks_per_second / BATCH_SIZE
        return shortest / max(1, math.ceil(requests - _ROUNDING))

    def add(self, task_id: int, now: float, delay_seconds: float, longest_delay_seconds: float | None = None) -> None:
        """Request a look at a task; a pending look that is due sooner is kept.

        :param delay_seconds: when the look is due; 0 means as soon as possible, which under load may be one pause from
            now.
        :param longest_delay_seconds: how late it may be if very many looks are wanted; default: not later.
        """
        if delay_seconds == 0:
            self._at_once.setdefault(task_id, now)
            due = now + self._pauses.shortest
        else:
            due = now + self._paced(task_id, delay_seconds, longest_delay_seconds)
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

    def _paced(self, task_id: int, delay_seconds: float, longest_delay_seconds: float | None) -> float:
        """Return the pause until a look that is wanted after a delay, and remember both as the task's."""
        crowd = max(1.0, self._wanted.looks_per_second / _MOST_LOOKS_PER_SECOND)
        longest = delay_seconds if longest_delay_seconds is None else max(delay_seconds, longest_delay_seconds)
        pause = min(longest, delay_seconds * crowd)
        if task_id in self._due:
            self._wanted.shorten(task_id, delay_seconds)
            self._pauses.shorten(task_id, pause)
        else:
            self._set_pause(task_id, delay_seconds, pause)
        return pause

    def _set_pause(self, task_id: int, wanted_seconds: float, seconds: float) -> None:
        self._wanted.set(task_id, wanted_seconds)
        self._pauses.set(task_id, seconds)

    def _remove(self, task_id: int) -> None:
        del self._queue[bisect_left(self._queue, (self._due.pop(task_id), task_id))]

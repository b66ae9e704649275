"""What a wait is: it says what to ask next and what an answer means, and leaves asking, sleeping and logging to others.

The states of a wait, and what leads from one to the next:

=========== ========================== ==================================================================
State       Question                   Goes on to
=========== ========================== ==================================================================
begun       ``next_look``, at once     *going on*, or *over* if the first answer says so
going on    ``next_look``, one pause   *going on*; *undecided*; *over*; *in outage* after ``miss``
            later
undecided   ``next_look``, seconds     *going on* or *over*: an answer that counts only if a second one
            later                      agrees with it
in outage   ``next_look``, one pause   *going on* with the first answer; *over* after ``max_outage_seconds``
            later
over        none                       the last ``Update`` holds the result
=========== ========================== ==================================================================

A deadline leads from each of them to *over*. Time is passed in, as seconds since the epoch: a wait is tested without
waiting.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from airflow_provider_sops.service.errors import ServiceError

Status = TypeVar("Status", contravariant=True)
Result = TypeVar("Result", covariant=True)


#: How long after the deadline of a wait the answer to its last look may still come.
LAST_ANSWER_SECONDS = 2.0

#: How old an answer may be by the time that all else has been read that it needs. An outage in between can last, and
#: meanwhile people may have repaired the flow.
FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """The next request.

    :param delay_seconds: how long to wait before it.
    :param fresh: whether the server's cache must be bypassed.
    :param with_details: whether to ask for what only a failure needs: error texts and automatic retries.
    :param deadline: when the wait ends even if the request has brought no answer by then, in seconds since the epoch;
        ``None`` for never.
    :param longest_delay_seconds: how long a poll that many waits share may wait before it, where they would need too
        many requests; ``None`` for no longer than ``delay_seconds``.
    """

    delay_seconds: float
    fresh: bool = False
    with_details: bool = False
    deadline: float | None = None
    longest_delay_seconds: float | None = None

    def no_later_than(self, moment: float | None, now: float) -> Look:
        """Return the same request, at a moment at the latest; ``None`` for any time."""
        delay = until_deadline(self.delay_seconds, moment, now)
        if delay >= self.delay_seconds:
            return self
        return replace(self, delay_seconds=delay, longest_delay_seconds=None)

    def seconds_left(self, now: float) -> float | None:
        """Return the time until the deadline; ``None`` if there is none."""
        return None if self.deadline is None else self.deadline - now


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line for the task's log; ``level`` is one of the logging module's."""

    text: str
    level: int = logging.INFO


@dataclass(frozen=True, slots=True)
class Update(Generic[Result]):
    """What one answer, or its absence, changes.

    :param lines: what to log now.
    :param result: how the wait ended, or ``None`` while it goes on.
    """

    lines: tuple[LogLine, ...] = ()
    result: Result | None = None


def is_past(deadline: float | None, now: float) -> bool:
    """Whether there is a deadline and it has come."""
    return deadline is not None and now >= deadline


def until_deadline(delay_seconds: float, deadline: float | None, now: float) -> float:
    """Return a delay, or the time until the deadline if that is shorter."""
    return delay_seconds if deadline is None else min(delay_seconds, max(0.0, deadline - now))


def last_answer_by(deadline: float | None) -> float | None:
    """Return ``Look.deadline`` for a wait whose last look is due at its deadline: the answer needs a moment more."""
    return None if deadline is None else deadline + LAST_ANSWER_SECONDS


class DeadlineReachedError(ServiceError):
    """``Look.deadline`` came before the answer to the look."""


class Wait(Protocol[Status, Result]):
    """A wait without the waiting.

    Ask for ``next_look``, sleep, send the request, then give the answer to ``see`` or the error to ``miss``; repeat
    until one of them returns a result. ``follow`` and ``follow_async`` do that.
    """

    @property
    def is_undecided(self) -> bool:
        """Whether the last answer needs another one within seconds before it means anything."""

    def next_look(self, now: float) -> Look:
        """Return what to ask next, and when."""

    def see(self, status: Status, look: Look, now: float) -> Update[Result]:
        """Take in the answer to a look."""

    def miss(self, error: ServiceError, look: Look, now: float) -> Update[Result]:
        """Take in that a look brought no answer."""

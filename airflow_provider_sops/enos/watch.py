"""Waiting for an instance, without the waiting: what an answer means, when to ask again, when to give up.

The same rules serve a worker that blocks, a sensor that pokes and a trigger in an event loop. The caller sends the
requests, sleeps and logs; an ``InstanceWatch`` decides. Time is passed in, as seconds since the epoch.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_sops.enos.errors import EnosError, EnosInvalidParameterError, EnosNotFoundError
from airflow_provider_sops.enos.verdict import Snapshot, Verdict
from airflow_provider_sops.enos.waiting import LogLine, Outcome, Sight, WaitPolicy, WaitResult

if TYPE_CHECKING:
    from airflow_provider_sops.enos.models import InstanceStatus

#: An instance cannot be read once two answers this far apart say so.
_CONFIRMATION_SECONDS = 3.0


@dataclass
class InstanceWatch:
    """Follows one instance to its end.

    Wait for ``delay_seconds``, ask, then give the answer to ``see`` or the error to ``miss``; repeat until one of them
    returns a result.

    :param policy: the rules.
    :param now: when waiting begins.
    """

    policy: WaitPolicy
    now: float
    _last_answer: float = field(init=False)
    _status: InstanceStatus | None = None
    _nodes: dict[str, InstanceStatus] = field(default_factory=dict)
    _told: Verdict | None = None
    _standstill: tuple[tuple[object, ...], float] | None = None
    _outage_told: bool = False
    _unreadable: int = 0
    _begun: bool = False
    #: Whether the last answer needs another one soon before it means anything.
    is_undecided: bool = False

    def __post_init__(self) -> None:
        self._last_answer = self.now

    def delay_seconds(self, now: float) -> float:
        """Return how long to wait before the next request."""
        if not self._begun:
            return 0.0
        delay = self.policy.poll_interval_seconds
        if self._unreadable:
            delay = min(delay, _CONFIRMATION_SECONDS)
        elif self.is_undecided and self._standstill is not None:
            delay = min(delay, max(0.0, self._standstill[1] + self.policy.settle_seconds - now))
        deadline = self.policy.deadline
        return delay if deadline is None else min(delay, max(0.0, deadline - now))

    def see(self, snapshot: Snapshot, now: float) -> Sight:
        """Take in an answer."""
        lines = [*self._end_of_outage(now), *self._changes(snapshot)]
        self._begun, self._last_answer, self._unreadable = True, now, 0
        self.is_undecided = False
        if snapshot.verdict == Verdict.ENDED:
            return Sight(tuple(lines), self._ended(snapshot))
        if self._standstill is None or self._standstill[0] != snapshot.progress:
            self._standstill = (snapshot.progress, now)
        stood_still = now - self._standstill[1]
        if snapshot.verdict == Verdict.FAILED:
            if stood_still >= self.policy.settle_seconds:
                return Sight(tuple(lines), self._ended(snapshot))
            self.is_undecided = True
        if snapshot.verdict == Verdict.RERUN_DUE and stood_still >= self.policy.rerun_wait_seconds:
            reason = f"EnOS has not run it again within {stood_still:.0f} s although automatic reruns are left"
            return Sight(tuple(lines), self._ended(snapshot, reason))
        lines += self._about_verdict(snapshot)
        return Sight(tuple(lines), self._out_of_time(now))

    def miss(self, error: EnosError, now: float) -> Sight:
        """Take in that a request brought no answer.

        Whatever the error, waiting goes on until ``max_outage_seconds`` without an answer: the instance itself runs on
        in EnOS. Only if EnOS says twice in a row that it does not know the instance, or does not accept the question,
        the wait ends at once.
        """
        self._begun, self.is_undecided = True, False
        lines: list[LogLine] = []
        if isinstance(error, (EnosNotFoundError, EnosInvalidParameterError)):
            self._unreadable += 1
            if self._unreadable > 1:
                return Sight(result=WaitResult(Outcome.UNREADABLE, self._word, str(error)))
            self.is_undecided = True
        else:
            self._unreadable = 0
            lines += self._begin_of_outage(error)
        if now - self._last_answer >= self.policy.max_outage_seconds:
            reason = f"no usable answer for {now - self._last_answer:.0f} s; the last error: {error}"
            return Sight(tuple(lines), WaitResult(Outcome.UNREACHABLE, self._word, reason))
        return Sight(tuple(lines), self._out_of_time(now))

    @property
    def _word(self) -> str:
        return "" if self._status is None else self._status.value

    def _changes(self, snapshot: Snapshot) -> list[LogLine]:
        """Return a line for the instance and for each of its nodes whose status is another than before."""
        lines = []
        if snapshot.status != self._status:
            lines.append(_line("the instance", snapshot.status))
            self._status = snapshot.status
        for label, status in snapshot.nodes.items():
            if self._nodes.get(label) != status and (status.number != 0 or label in self._nodes):
                lines.append(_line(f"task {label}" if label.startswith('"') else label, status))
        self._nodes = dict(snapshot.nodes)
        return lines

    def _about_verdict(self, snapshot: Snapshot) -> list[LogLine]:
        told, self._told = self._told, snapshot.verdict
        if told == snapshot.verdict:
            return []
        texts = {
            Verdict.PAUSED: "it was paused in EnOS; it goes on when somebody resumes it there",
            Verdict.FAILING: "tasks have failed while others still run; waiting for these",
            Verdict.RERUN_DUE: "EnOS has automatic reruns left for what failed; waiting for them",
        }
        return [LogLine(texts[snapshot.verdict])] if snapshot.verdict in texts else []

    def _begin_of_outage(self, error: EnosError) -> list[LogLine]:
        if self._outage_told:
            return []
        self._outage_told = True
        text = "EnOS gives no usable answer, the instance itself runs on; asking again for up to "
        return [LogLine(f"{text}{self.policy.max_outage_seconds:.0f} s: {error}", logging.WARNING)]

    def _end_of_outage(self, now: float) -> list[LogLine]:
        if not self._outage_told:
            return []
        self._outage_told = False
        return [LogLine(f"EnOS answers again after {now - self._last_answer:.0f} s")]

    def _ended(self, snapshot: Snapshot, reason: str = "") -> WaitResult:
        return WaitResult(Outcome.ENDED, snapshot.status.value, reason, snapshot.failed)

    def _out_of_time(self, now: float) -> WaitResult | None:
        deadline = self.policy.deadline
        return WaitResult(Outcome.TIMED_OUT, self._word) if deadline is not None and now >= deadline else None


def _line(what: str, status: InstanceStatus) -> LogLine:
    if status.number is None:
        return LogLine(f"{what} is {status or 'without a status'}, which this package does not know", logging.WARNING)
    return LogLine(f"{what} is {status}", logging.WARNING if status.is_failure else logging.INFO)

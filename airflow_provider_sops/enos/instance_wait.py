"""Waiting for an instance, without the waiting: what an answer means, when to ask again, when to give up.

What the last answer has led to, and the look that follows:

============ ========================================== ===============================================================
State        Next look                                  Goes on to
============ ========================================== ===============================================================
first        at once                                    any other
going on     after ``poll_interval_seconds``            *settling* once tasks have failed and nothing runs; *over* once
                                                        EnOS says that it has ended, or lets an automatic rerun wait for
                                                        more than ``rerun_wait_seconds``
settling     when ``settle_seconds`` are over, or after *over* if it has stood still; *going on* if something has
             ``poll_interval_seconds``                  happened
refused      after ``_CONFIRMATION_SECONDS``            *over* if EnOS refuses again; else *going on*
over         none                                       nothing
============ ========================================== ===============================================================

A missing answer leads to *going on*. The deadline and ``max_outage_seconds`` without an answer end the wait from each
state.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_sops.enos.errors import EnosInvalidParameterError, EnosNotFoundError
from airflow_provider_sops.enos.verdict import Snapshot, Verdict
from airflow_provider_sops.enos.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.waiting.model import (
    DeadlineReachedError,
    LogLine,
    Look,
    Update,
    is_past,
    last_answer_by,
    until_deadline,
)
from airflow_provider_sops.waiting.outage import Outage, OutageEnd

if TYPE_CHECKING:
    from airflow_provider_sops.enos.models import InstanceStatus
    from airflow_provider_sops.service.errors import ServiceError

#: An instance cannot be read once two answers this far apart say so.
_CONFIRMATION_SECONDS = 3.0

_OUTCOMES = {OutageEnd.UNREACHABLE: Outcome.UNREACHABLE, OutageEnd.REFUSED: Outcome.UNREADABLE}


@dataclass
class InstanceWait:
    """Follows one instance to its end; a ``waiting.model.Wait``.

    :param policy: the rules.
    :param now: when waiting begins.
    """

    policy: WaitPolicy
    now: float
    _outage: Outage = field(init=False, repr=False)
    _status: InstanceStatus | None = None
    _nodes: dict[str, InstanceStatus] = field(default_factory=dict)
    _told: Verdict | None = None
    _standstill: tuple[tuple[object, ...], float] | None = None
    _begun: bool = False
    _settling: bool = False

    def __post_init__(self) -> None:
        refusals = (EnosNotFoundError, EnosInvalidParameterError)
        self._outage = Outage("EnOS", "instance", self.now, self.policy.max_outage_seconds, refusals)

    @property
    def is_undecided(self) -> bool:
        """Whether the last answer needs another one soon before it means anything."""
        return self._settling or self._outage.needs_confirmation

    def next_look(self, now: float) -> Look:
        """Return what to ask next, and when."""
        return Look(self._delay_seconds(now), deadline=last_answer_by(self.policy.deadline))

    def _delay_seconds(self, now: float) -> float:
        if not self._begun:
            return 0.0
        delay = self.policy.poll_interval_seconds
        if self._outage.needs_confirmation:
            delay = min(delay, _CONFIRMATION_SECONDS)
        elif self._settling and self._standstill is not None:
            delay = min(delay, max(0.0, self._standstill[1] + self.policy.settle_seconds - now))
        return until_deadline(delay, self.policy.deadline, now)

    def see(self, snapshot: Snapshot, _look: Look, now: float) -> Update[WaitResult]:
        """Take in an answer."""
        lines = [*self._outage.end(now), *self._changes(snapshot)]
        self._begun, self._settling = True, False
        if snapshot.verdict == Verdict.ENDED:
            return Update(tuple(lines), self._ended(snapshot))
        if self._standstill is None or self._standstill[0] != snapshot.progress:
            self._standstill = (snapshot.progress, now)
        stood_still = now - self._standstill[1]
        if snapshot.verdict == Verdict.FAILED:
            if stood_still >= self.policy.settle_seconds:
                return Update(tuple(lines), self._ended(snapshot))
            self._settling = True
        if snapshot.verdict == Verdict.RERUN_DUE and stood_still >= self.policy.rerun_wait_seconds:
            reason = f"EnOS has not run it again within {stood_still:.0f} s although automatic reruns are left"
            return Update(tuple(lines), self._ended(snapshot, reason))
        lines += self._about_verdict(snapshot)
        return Update(tuple(lines), self._out_of_time(now))

    def miss(self, error: ServiceError, _look: Look, now: float) -> Update[WaitResult]:
        """Take in that a request brought no answer."""
        self._begun, self._settling = True, False
        if isinstance(error, DeadlineReachedError):
            return Update(result=WaitResult(Outcome.TIMED_OUT, self._word))
        lines, end, reason = self._outage.go_on(error, now)
        result = WaitResult(_OUTCOMES[end], self._word, reason) if end else self._out_of_time(now)
        return Update(tuple(lines), result)

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

    def _ended(self, snapshot: Snapshot, reason: str = "") -> WaitResult:
        return WaitResult(Outcome.ENDED, snapshot.status.value, reason, snapshot.failed)

    def _out_of_time(self, now: float) -> WaitResult | None:
        return WaitResult(Outcome.TIMED_OUT, self._word) if is_past(self.policy.deadline, now) else None


def _line(what: str, status: InstanceStatus) -> LogLine:
    if status.number is None:
        return LogLine(f"{what} is {status or 'without a status'}, which this package does not know", logging.WARNING)
    return LogLine(f"{what} is {status}", logging.WARNING if status.is_failure else logging.INFO)

"""When the failure of a task counts, and who is told of it.

A task is FAILED while SOPS, a person or another task is about to retry its nodes, and an answer may be older than that.
So a failure counts once the same nodes have been failed for some time:

=========== ================================================================================
Stage       The answer shows
=========== ================================================================================
old         only failures whose nodes were retried just before the wait
new         a failure that no earlier answer has shown, or that has changed since
unconfirmed the same for less than ``CONFIRMATION_SECONDS``
resting     the same for less than the policy's ``failure_rest_seconds``
counts      the same for long enough
=========== ================================================================================
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_sops.service.text import shortened
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.wait_result import FailedNode, Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.waiting.model import LogLine, Update

if TYPE_CHECKING:
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.sops.progress import Progress
    from airflow_provider_sops.waiting.model import Look

#: A failure counts once two answers this far apart agree on it: a node that the server forces to fail and then skips
#: is FAILED in between, and a branch is between two nodes for a moment.
CONFIRMATION_SECONDS = 3.0

#: How old an answer can be: SOPS caches for 10 seconds, and the clocks that count them are not exact.
OLDEST_ANSWER_SECONDS = 15.0


class Stage(StrEnum):
    """How far a failure has come; the table above."""

    OLD = "old"
    NEW = "new"
    UNCONFIRMED = "unconfirmed"
    RESTING = "resting"
    COUNTS = "counts"


@dataclass
class TaskFailure:
    """The failure of a task, as the answers to one wait show it.

    :param policy: the rules of the wait.
    :param began: when the wait began.
    :param progress: names the nodes as the log does.
    """

    policy: WaitPolicy
    began: float
    progress: Progress = field(repr=False)
    #: The nodes as the failure shows them, and since when; ``None`` while there is no failure.
    _marks: frozenset[str] | None = None
    _since: float = 0.0
    #: The nodes as they were when details said that the failure has come to rest; as long as they stay so, details
    #: would say the same again.
    _settled: frozenset[str] | None = None
    _announced: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._announced = set(self.policy.announced)

    @property
    def announced(self) -> tuple[str, ...]:
        """The failures that people were told of, for ``WaitPolicy.announced``."""
        return tuple(sorted(self._announced))

    def see(self, status: TaskStatus, now: float) -> Stage:
        """Take in an answer by which nothing of the task runs or will be retried by SOPS."""
        if self._may_be_old(status, now):
            return Stage.OLD
        marks = _marks(status)
        if self._marks != marks:
            self._marks, self._since = marks, now
            return Stage.NEW
        rested = now - self._since
        if rested < CONFIRMATION_SECONDS:
            return Stage.UNCONFIRMED
        return Stage.RESTING if rested < self.policy.failure_rest_seconds else Stage.COUNTS

    def is_over(self) -> None:
        """Take in that the task goes on."""
        self._marks = None

    @property
    def is_settled(self) -> bool:
        """Whether details would say the same again, for all that is known."""
        return self._settled is not None

    def is_as_settled(self, status: TaskStatus, look: Look) -> bool:
        """Whether an answer without details shows the nodes as they were when the failure settled."""
        return (
            self._settled is not None
            and not look.with_details
            and status.state == TaskState.FAILED
            and _marks(status) == self._settled
        )

    def settle(self, status: TaskStatus, now: float) -> None:
        """Take in details by which SOPS retries nothing; after its rest a failure is settled until a node changes."""
        rests = self._marks is None or now - self._since >= self.policy.failure_rest_seconds
        if rests and status.state == TaskState.FAILED and not self._may_be_old(status, now):
            self._settled = _marks(status)

    def unsettle(self) -> None:
        """Take in that a node has changed."""
        self._settled = None

    def told_rest(self, status: TaskStatus) -> tuple[LogLine, ...]:
        """Return that the wait goes on for some time after a failure, once for each set of failed nodes."""
        rest, failures = self.policy.failure_rest_seconds, status.failure_marks
        if rest <= CONFIRMATION_SECONDS or self.policy.on_failed != "fail" or self._announced.issuperset(failures):
            return ()
        self._announced.update(failures)
        names = ", ".join(self.progress.label_of(node) for node in status.failed_nodes)
        text = (
            f"the flow has failed at {names}; this task waits up to {rest:g} s for a retry, by the node's own task or "
            "in SOPS, and then fails"
        )
        return (LogLine(text, logging.WARNING),)

    def conclude(self, status: TaskStatus, task_url: str) -> Update[WaitResult]:
        """Return what follows from a failure that counts: the end of the wait, or that people are told of it once.

        :param task_url: the task's page in SOPS, or empty.
        """
        failures = status.failure_marks
        result = WaitResult(
            Outcome.FAILED,
            status.state.value,
            failed_nodes=tuple(
                FailedNode(node.id, self.progress.label_of(node), shortened(status.error_of(node)))
                for node in status.failed_nodes
            ),
            failure_marks=failures,
        )
        if self.policy.on_failed == "fail":
            return Update(result=result)
        if self._announced.issuperset(failures):
            return Update()
        self._announced.update(failures)
        if self.policy.announce_failures:
            told = self.progress.told
            return Update(
                result=replace(result, outcome=Outcome.PERSON_NEEDED, failure_marks=self.announced, told=told)
            )
        names = ", ".join(node.label for node in result.failed_nodes)
        where = f"\n{task_url}" if task_url else ""
        line = LogLine(f"waiting for a person to retry or skip in SOPS: {names}{where}", logging.WARNING)
        return Update((line,))

    def _may_be_old(self, status: TaskStatus, now: float) -> bool:
        """Whether only failures are shown whose nodes were retried just before the wait."""
        failures = status.failure_marks
        recent = now - self.began < OLDEST_ANSWER_SECONDS
        return recent and bool(failures) and set(failures) <= set(self.policy.overcome)


def _marks(status: TaskStatus) -> frozenset[str]:
    return frozenset(node.mark for _, node in status.walk())

"""Waiting for a task, without the waiting: what to ask next, what an answer means, when to give up.

What the last answer has led to, and the look that follows:

================= ============================================ ======================================================
State             Next look                                    Goes on to
================= ============================================ ======================================================
first             at once                                      any other
next              the policy's ``ordinary_look``; past the     *details* once nodes have failed; *over* once SOPS says
                  cache once nodes have failed                 that the task has ended
details           at once, with error texts and automatic      *confirmation* if the task is FAILED, no branch runs
                  retries                                      and SOPS will not retry; else *next*
confirmation      after ``CONFIRMATION_SECONDS``, with details *over* if the same nodes are failed and the failure has
                                                               rested; with ``on_failed="wait"`` *next*, where details
                                                               are asked for again only after a change
over              none                                         nothing; only after PERSON_NEEDED and ASKED the same wait
                                                               may be gone on with, as in *next*
================= ============================================ ======================================================

A missing answer leads to *next*. Four things end the wait from each state: the deadline; for a task that stays
CREATED, the start's deadline; ``max_outage_seconds`` without an answer; SOPS's word, twice in a row, that it does not
know the task.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from airflow_provider_sops.sops.errors import SopsNotFoundError, is_own_refusal
from airflow_provider_sops.sops.models import TaskState, TaskStatus
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.progress import Progress
from airflow_provider_sops.sops.retried_nodes import FailureAges, expects_auto_retry, needs_tree
from airflow_provider_sops.sops.task_failure import CONFIRMATION_SECONDS, OLDEST_ANSWER_SECONDS, Stage, TaskFailure
from airflow_provider_sops.sops.verdict import Verdict, judge
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.waiting.model import (
    DeadlineReachedError,
    LogLine,
    Look,
    Update,
    is_past,
    last_answer_by,
)
from airflow_provider_sops.waiting.outage import Outage, OutageEnd

if TYPE_CHECKING:
    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.sops.person_request import PersonRequest, WaitingNode

_OUTCOMES = {OutageEnd.UNREACHABLE: Outcome.UNREACHABLE, OutageEnd.REFUSED: Outcome.UNKNOWN_TASK}
_REFUSED_DETAILS = 2
#: How many nodes are named at which a task stood when its time was over.
_MOST_NAMED = 3


@dataclass
class TaskWait:
    """Follows one task to its end; a ``waiting.model.Wait``.

    :param policy: the rules.
    :param now: when waiting begins.
    :param tree: the task's tree, as far as it is known; may be set later.
    :param tree_is_whole: whether ``tree`` has every node; if not, ``wants_tree`` says when that begins to matter.
    :param task_url: the task's page in SOPS, named where a person is needed; may be set later.
    """

    policy: WaitPolicy
    now: float
    tree: TreeIndex | None = None
    task_url: str = ""
    tree_is_whole: bool = True
    _progress: Progress = field(init=False, repr=False)
    _outage: Outage = field(init=False, repr=False)
    _state: str = ""
    _elapsed_seconds: float = 0.0
    _verdict: Verdict | None = None
    _fresh: bool = field(init=False)
    _details_refused: int = 0
    _told: str = ""
    _failure: TaskFailure = field(init=False, repr=False)
    _ages: FailureAges = field(default_factory=FailureAges, repr=False)
    #: Whether SOPS may be about to retry a failed node by itself.
    _expects_retry: bool = False
    _wants: Literal["first", "details", "confirmation", "next"] = "first"
    #: What nodes ask people, by node id.
    _requests: dict[str, PersonRequest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._outage = self.policy.outage(self.now)
        self._progress = Progress(told=self.policy.told)
        self._fresh = self.policy.always_fresh
        self._failure = TaskFailure(self.policy, self.now, self._progress)

    def next_look(self, now: float) -> Look:
        """Return what to ask next, and when."""
        look = {
            "first": Look(0.0),
            "details": Look(0.0),
            "confirmation": Look(CONFIRMATION_SECONDS),
            "next": self.policy.ordinary_look(max(now - self.now, self._elapsed_seconds)),
        }[self._wants]
        look = look.no_later_than(self.policy.deadline, now)
        if self._verdict in (None, Verdict.NOT_STARTED) and not is_past(self.policy.start_deadline, now):
            look = look.no_later_than(self.policy.start_deadline, now)
        with_details = self._asks_for_details and (not self._failure.is_settled or self._wants != "next")
        return replace(
            look,
            fresh=look.fresh or self._needs_fresh(now),
            with_details=with_details,
            deadline=last_answer_by(self.policy.deadline),
        )

    def _needs_fresh(self, now: float) -> bool:
        # An answer out of a cache that is older than the wait would tell again what was told before.
        return self._fresh or (bool(self.policy.told) and now - self.now < OLDEST_ANSWER_SECONDS)

    def wants_tree(self, status: TaskStatus, _look: Look) -> bool:
        """Whether the whole tree should be read before ``see`` gets an answer.

        That is for a name that the status lacks, or to judge a failure.
        """
        if self.tree is None:
            return True
        failing = self._verdict in (Verdict.FAILING, Verdict.FAILED)
        return not self.tree_is_whole and (failing or _has_nameless(status))

    def learn_tree(self, tree: TreeIndex | None, task_url: str = "") -> None:
        """Take the whole tree, and the task's address if that is new; ``None`` for a tree that cannot be read."""
        if tree is not None:
            self.tree, self.tree_is_whole = tree, True
        elif self.tree is None:
            self.tree = TreeIndex({})
        self.task_url = self.task_url or task_url

    def newly_waiting(self, status: TaskStatus) -> list[WaitingNode]:
        """Return the nodes whose inputs should be read before ``see`` gets an answer: they begin to wait for people."""
        self._progress.tree = self.tree or self._progress.tree
        return self._progress.newly_waiting(status)

    def learn_request(self, node_id: str, request: PersonRequest) -> None:
        """Take what a node asks people."""
        self._requests[node_id] = request

    def may_wait_at(self, node_id: str) -> bool:
        """Whether a node may still wait for a person, as far as is known."""
        return self._progress.may_wait_at(node_id)

    @property
    def told(self) -> str:
        """What the log has told of the nodes, for the ``told`` of another wait's policy."""
        return self._progress.told

    @property
    def is_undecided(self) -> bool:
        """Whether the last answer needs another one within seconds before it means anything."""
        return self._wants in ("details", "confirmation")

    @property
    def _asks_for_details(self) -> bool:
        return self._verdict in (Verdict.FAILING, Verdict.FAILED) and self._details_refused < _REFUSED_DETAILS

    def see(self, status: TaskStatus, look: Look, now: float) -> Update[WaitResult]:
        """Take in an answer.

        :param status: the answer.
        :param look: the request that it answers.
        """
        lines = self._outage.end(now)
        if look.with_details:
            self._details_refused = 0
        if self._failure.is_as_settled(status, look):
            self._wants = "next"
            return Update(tuple(lines), self._out_of_time(now))
        self._failure.unsettle()
        verdict = self._judge(status, look, now)
        self._verdict, self._state, self._elapsed_seconds = verdict, status.state.value, status.elapsed_seconds
        waiting = self.newly_waiting(status) if self.policy.announce_requests else []
        self._progress.tree = self.tree or self._progress.tree
        has_errors = look.with_details or status.state != TaskState.FAILED or not self._asks_for_details
        changes = self._progress.update(status, with_failed=has_errors)
        lines += [change.line(self.task_url, self._requests) for change in changes]
        lines += self._told_by_root(verdict, status)
        self._fresh = self._fresh or verdict in (
            Verdict.FAILING,
            Verdict.FAILED,
            Verdict.WAITING_FOR_PERSON,
        )
        if verdict.is_final:
            return Update(tuple(lines), WaitResult(Outcome(verdict.value), status.state.value))
        if verdict == Verdict.FAILED:
            failed = self._failed(status, now)
            lines += failed.lines
            if failed.result is not None:
                return Update(tuple(lines), failed.result)
        else:
            self._failure.is_over()
            needs_details = verdict == Verdict.FAILING and not look.with_details and self._asks_for_details
            self._wants = "details" if needs_details else "next"
        if look.with_details and self._wants == "next" and not self._expects_retry:
            self._failure.settle(status, now)
        return Update(tuple(lines), self._out_of_time(now) or self._not_started(now) or self._asked(waiting))

    def miss(self, error: ServiceError, look: Look, now: float) -> Update[WaitResult]:
        """Take in that a request brought no answer."""
        self._wants = "next"
        if isinstance(error, DeadlineReachedError):
            return Update(result=self._timed_out())
        if look.with_details and is_own_refusal(error) and not isinstance(error, SopsNotFoundError):
            self._details_refused += 1
            return Update(result=self._out_of_time(now))
        lines, end, reason = self._outage.go_on(error, now)
        result = WaitResult(_OUTCOMES[end], self._state, reason) if end else self._out_of_time(now)
        return Update(tuple(lines), result)

    def expects_auto_retry(self, status: TaskStatus, now: float) -> bool:
        """Return whether SOPS may be about to retry a failed node by itself."""
        return expects_auto_retry(status, self.tree, self._ages.at(now, status))

    def _judge(self, status: TaskStatus, look: Look, now: float) -> Verdict:
        asked = look.with_details or self._details_refused >= _REFUSED_DETAILS
        ages = self._ages.at(now, status)
        failed = asked and status.state == TaskState.FAILED
        self._expects_retry = failed and expects_auto_retry(status, self.tree, ages)
        verdict = judge(status, self.tree, asked_for_auto_retry=asked, failure_ages=ages)
        if verdict == Verdict.NOT_STARTED and self._verdict not in (None, Verdict.NOT_STARTED):
            return Verdict.RUNNING  # out of an older cache: a started task never goes back
        return verdict

    def _told_by_root(self, verdict: Verdict, status: TaskStatus) -> list[LogLine]:
        text = ""
        if verdict == Verdict.NOT_STARTED:
            text = "the task is CREATED: SOPS has not begun to run it yet"
        elif status.state == TaskState.SUSPENDED:
            text = "the task was paused in SOPS; it goes on when somebody resumes it there"
        elif self._expects_retry and needs_tree(status, self.tree):
            text = "SOPS may retry a failed node by itself; the task's tree, which would tell, cannot be read; waiting"
        elif self._expects_retry:
            text = "SOPS will retry a failed node by itself; waiting"
        told, self._told = self._told, text
        return [LogLine(text)] if text and text != told else []

    def _failed(self, status: TaskStatus, now: float) -> Update[WaitResult]:
        stage = self._failure.see(status, now)
        self._wants = "confirmation" if stage in (Stage.NEW, Stage.UNCONFIRMED) else "next"
        if stage == Stage.NEW:
            return Update(self._failure.told_rest(status))
        return self._failure.conclude(status, self.task_url) if stage == Stage.COUNTS else Update()

    def _asked(self, waiting: list[WaitingNode]) -> WaitResult | None:
        if not waiting:
            return None
        return WaitResult(
            Outcome.ASKED,
            self._state,
            failure_marks=self._failure.announced,
            told=self._progress.told,
            waiting=tuple(waiting),
        )

    def _out_of_time(self, now: float) -> WaitResult | None:
        return self._timed_out() if is_past(self.policy.deadline, now) else None

    def _timed_out(self) -> WaitResult:
        return WaitResult(Outcome.TIMED_OUT, self._state, _at(self._progress.standing()))

    def _not_started(self, now: float) -> WaitResult | None:
        """Return the end of the wait for the start; only an answer can bring it, an outage says nothing of the task."""
        if self._verdict == Verdict.NOT_STARTED and is_past(self.policy.start_deadline, now):
            return WaitResult(Outcome.NOT_STARTED, self._state)
        return None


def _at(labels: tuple[str, ...]) -> str:
    """Return at which nodes a task stands, as the end of a sentence; empty if that is not known."""
    more = f" and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else ""
    return f"at {', '.join(labels[:_MOST_NAMED])}{more}" if labels else ""


def _has_nameless(status: TaskStatus) -> bool:
    return any(not node.name and node.state == TaskState.RUNNING for _, node in status.walk())

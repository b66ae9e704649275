"""Waiting for one node of a task, without the waiting: has it run, how did it end, or will it never run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_sops.service.text import shortened
from airflow_provider_sops.sops.models import NodeStatus, TaskState, TaskStatus
from airflow_provider_sops.sops.node_end import finished_outcome, node_result
from airflow_provider_sops.sops.node_result import NodeInTask, NodeOutcome, NodeResult
from airflow_provider_sops.sops.person_request import WaitingNode
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.progress import Progress
from airflow_provider_sops.sops.retried_nodes import needs_tree
from airflow_provider_sops.sops.task_failure import CONFIRMATION_SECONDS, OLDEST_ANSWER_SECONDS
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy
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
    from airflow_provider_sops.sops.person_request import PersonRequest

#: Looks at many quick nodes of a long flow would otherwise never become fewer.
_SHARE_OF_FLOW = 0.25

_OUTCOMES = {OutageEnd.UNREACHABLE: NodeOutcome.UNREACHABLE, OutageEnd.REFUSED: NodeOutcome.UNKNOWN_TASK}


@dataclass
class NodeWait:
    """Follows one node to its end; a ``waiting.model.Wait``.

    :param node: the node.
    :param policy: ``on_failed="fail"`` ends the wait once the node has failed and SOPS will not retry it by itself, or
        once the task has settled in a failure elsewhere; ``"wait"`` leaves both to people.
    :param now: when waiting begins, in seconds since the epoch.
    :param task_url: the task's page in SOPS, named where a person is needed.
    """

    node: NodeInTask
    policy: WaitPolicy
    now: float
    task_url: str = ""
    _outage: Outage = field(init=False, repr=False)
    _task: TaskWait = field(init=False, repr=False)
    _progress: Progress = field(default_factory=Progress, repr=False)
    _seen: NodeStatus | None = None
    _task_state: str = ""
    _flow_seconds: float = 0.0
    _is_first: bool = True
    _fresh: bool = field(init=False)
    #: The failure that is being confirmed, and since when.
    _failure: tuple[str, float] | None = None
    #: The failure whose details are known.
    _known_failure: str = ""
    #: Whether SOPS is about to retry the node by itself.
    _retry_pending: bool = False
    _task_failing: bool = False
    _requests: dict[str, PersonRequest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._outage = self.policy.outage(self.now)
        self._task = TaskWait(self.policy, self.now, TreeIndex({}))
        self._fresh = self.policy.always_fresh
        if self.node.waits_for_person:
            self._progress.tree = TreeIndex.of_plugins({self.node.id: self.node.plugin or "pause_node"})

    def next_look(self, now: float) -> Look:
        """Return what to ask next, and when."""
        if self._task_failing:
            look = self._task.next_look(now)
        else:
            look = Look(0.0) if self._is_first else self.policy.ordinary_look(self._age_seconds(now))
            look = look.no_later_than(self.policy.deadline, now)
            look = replace(look, fresh=look.fresh or self._fresh, deadline=last_answer_by(self.policy.deadline))
        if self._failure is None:
            return look
        delay = look.delay_seconds if self._retry_pending else min(CONFIRMATION_SECONDS, look.delay_seconds)
        seen = self._seen.mark if self._seen and self._seen.state == TaskState.FAILED else ""
        if seen != self._known_failure:
            delay = 0.0
        return replace(look, delay_seconds=delay, fresh=True, with_details=True)

    def _age_seconds(self, now: float) -> float:
        """Return the age that the pause follows: the node's; in a flow of many quick nodes a part of the flow's."""
        node = self._seen
        of_node = now - self.now if node is None else node.elapsed_seconds
        return max(of_node, _SHARE_OF_FLOW * self._flow_seconds)

    def wants_tree(self, status: TaskStatus, look: Look) -> bool:
        """Whether the task's tree should be read before ``see`` gets an answer: it alone tells whether SOPS retries."""
        return self.policy.on_failed == "fail" and look.with_details and needs_tree(status, self._task.tree)

    def learn_tree(self, tree: TreeIndex | None, task_url: str = "") -> None:
        """Take the task's whole tree; without it the wait allows for whatever it may hold, and wants it again."""
        self._task.learn_tree(tree, task_url)

    def newly_waiting(self, status: TaskStatus) -> list[WaitingNode]:
        """Return the node if its inputs should be read before ``see`` gets an answer: it now waits for a person."""
        node = status.at(self.node.path) if self.node.waits_for_person else None
        found = self._progress.newly_waiting(_alone(status, node)) if node else []
        return [WaitingNode(self.node.path, each.plugin) for each in found]

    def learn_request(self, node_id: str, request: PersonRequest) -> None:
        """Take what the node asks people."""
        self._requests[node_id] = request

    @property
    def is_undecided(self) -> bool:
        """Whether the last answer needs another one within seconds before it means anything."""
        if self._failure is not None:
            return not self._retry_pending
        return self._task_failing and self._task.is_undecided

    def see(self, status: TaskStatus, look: Look, now: float) -> Update[NodeResult]:
        """Take in an answer."""
        self._is_first = False
        lines = self._outage.end(now)
        node = status.at(self.node.path)
        self._task_state, self._flow_seconds = status.state.value, status.elapsed_seconds
        if node is not None:
            lines += self._changes(status, node, look)
            self._seen = node
        result = self._ended(status, node, look, now) or self._over(status, node)
        if result is None and self.policy.on_failed == "fail":
            result = self._failed_elsewhere(status, node, look, now)
        return Update(tuple(lines), result or self._out_of_time(now))

    def miss(self, error: ServiceError, look: Look, now: float) -> Update[NodeResult]:
        """Take in that a request brought no answer."""
        self._is_first = False
        if isinstance(error, DeadlineReachedError):
            return Update(result=self._result(NodeOutcome.TIMED_OUT))
        lines, end, reason = self._outage.go_on(error, now)
        result = self._result(_OUTCOMES[end], reason=reason) if end else self._out_of_time(now)
        return Update(tuple(lines), result)

    def _changes(self, status: TaskStatus, node: NodeStatus, look: Look) -> list[LogLine]:
        has_error = look.with_details or node.state != TaskState.FAILED
        changes = self._progress.update(_alone(status, node), with_failed=has_error)
        waits = self.policy.on_failed == "wait"
        return [change.line(self.task_url, self._requests, waits_for_repair=waits) for change in changes]

    def _ended(self, status: TaskStatus, node: NodeStatus | None, look: Look, now: float) -> NodeResult | None:
        """Return the node's own end, if it has come."""
        if node is None:
            if any(status.at(path) for path in self.node.never_after):
                return self._result(NodeOutcome.NEVER_RUNS)
            return None
        if self.node.until_arrival:
            return self._result(NodeOutcome.ARRIVED)
        if node.state == TaskState.FAILED:
            return self._failed(status, node, look, now)
        self._failure = None
        if node.state != TaskState.FINISHED or not self._is_last_round(status):
            return None
        return self._result(finished_outcome(node))

    def _is_last_round(self, status: TaskStatus) -> bool:
        rounds = self.node.last_round_after
        return rounds is None or status.state.is_terminal or any(status.at(path) for path in rounds)

    def _failed(self, status: TaskStatus, node: NodeStatus, look: Look, now: float) -> NodeResult | None:
        mark = node.mark
        self._fresh = True
        if mark in self.policy.overcome and now - self.now < OLDEST_ANSWER_SECONDS:
            return None
        if self.policy.on_failed == "wait":
            if look.with_details:
                self._known_failure, self._failure = mark, None
            elif mark != self._known_failure:
                self._failure = (mark, now)
            return None
        if self._failure is None or self._failure[0] != mark:
            self._failure = (mark, now)
        if not look.with_details:
            return None
        self._known_failure, self._retry_pending = mark, self._task.expects_auto_retry(status, now)
        if self._retry_pending:
            self._failure = (mark, now)
            return None
        if now - self._failure[1] < CONFIRMATION_SECONDS:
            return None
        return self._result(NodeOutcome.FAILED, error=shortened(status.error_of(node)))

    def _over(self, status: TaskStatus, node: NodeStatus | None) -> NodeResult | None:
        """Return that nothing more will happen, since the task has ended."""
        if not status.state.is_terminal:
            return None
        if node is None and status.state == TaskState.FINISHED:
            return self._result(NodeOutcome.NEVER_RUNS)
        return self._result(NodeOutcome.TASK_OVER, reason=f"the SOPS task is {status.state}")

    def _failed_elsewhere(
        self, status: TaskStatus, node: NodeStatus | None, look: Look, now: float
    ) -> NodeResult | None:
        """Return that the task has come to rest in a failure, so that this node's turn will not come."""
        self._task_failing = status.state == TaskState.FAILED and (node is None or node.state != TaskState.FAILED)
        if not self._task_failing:
            return None
        settled = self._task.see(status, look, now).result
        if settled is None or settled.outcome != Outcome.FAILED:
            return None
        names = ", ".join(failed.label for failed in settled.failed_nodes)
        return self._result(NodeOutcome.TASK_OVER, reason=f"the SOPS task has failed at {names or 'another node'}")

    def _out_of_time(self, now: float) -> NodeResult | None:
        return self._result(NodeOutcome.TIMED_OUT) if is_past(self.policy.deadline, now) else None

    def _result(self, outcome: NodeOutcome, *, error: str = "", reason: str = "") -> NodeResult:
        return node_result(outcome, self._seen, self._task_state, error=error, reason=reason)


def _alone(status: TaskStatus, node: NodeStatus) -> TaskStatus:
    return replace(status, nodes={node.id: replace(node, children={})})

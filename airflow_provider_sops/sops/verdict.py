"""The only module that decides from a status: is this task over, and how did it end.

FAILED is not an end by itself. The root says FAILED as soon as one node has failed, while the server may be about to
retry that node unaided, while other branches still run, and while people may retry or skip the node. What is final is
FINISHED, REVOKED and EXPIRED; a FAILED task has *settled* once nothing goes on in it unless a person acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.models import TaskState, TaskStatus
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.pipeline_tree.nodes import CONVERGE_GATEWAY, PARALLEL_GATEWAY
from airflow_provider_sops.sops.retried_nodes import expects_auto_retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.errors import SopsInvalidOperationError
    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus


#: States in which a node does nothing until somebody or something else acts.
_AT_REST = frozenset({TaskState.FINISHED, TaskState.FAILED, TaskState.REVOKED, TaskState.SUSPENDED})


_NO_TREE = TreeIndex({})


class Verdict(StrEnum):
    """What a status says about the course of a task."""

    NOT_STARTED = "not started"
    RUNNING = "running"
    WAITING_FOR_PERSON = "waiting for a person"
    #: Some node has failed; branches still run, or the server will retry, or it was not asked whether it will.
    FAILING = "failing"
    #: Some node has failed and nothing goes on unless a person acts.
    FAILED = "failed"
    FINISHED = "finished"
    REVOKED = "revoked"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether no later answer can say otherwise."""
        return self in (Verdict.FINISHED, Verdict.REVOKED, Verdict.EXPIRED)


_VERDICT_OF_STATE = {
    TaskState.CREATED: Verdict.NOT_STARTED,
    TaskState.FINISHED: Verdict.FINISHED,
    TaskState.REVOKED: Verdict.REVOKED,
    TaskState.EXPIRED: Verdict.EXPIRED,
    TaskState.SUSPENDED: Verdict.WAITING_FOR_PERSON,
    TaskState.NODE_SUSPENDED: Verdict.WAITING_FOR_PERSON,
}


@dataclass(frozen=True, slots=True)
class _Level:
    """The nodes of the root or of one subprocess, with what the tree knows about them.

    :param paused: whether somebody has paused the subprocess or one around it: what runs in it ends, nothing follows.
    """

    nodes: Mapping[str, NodeStatus]
    tree: TreeIndex
    paused: bool = False

    def inside(self, node: NodeStatus) -> _Level:
        """Return the level within one of these nodes."""
        return _Level(node.children, self.tree, self.paused or node.state == TaskState.SUSPENDED)


def judge(
    status: TaskStatus,
    tree: TreeIndex | None = None,
    *,
    asked_for_auto_retry: bool = True,
    failure_ages: Mapping[str, float] | None = None,
) -> Verdict:
    """Return what ``status`` says.

    :param status: the answer of get_task_status, or one item of get_tasks_status.
    :param tree: the *task's* tree. Without it a node that waits for a person looks like one that runs, and the
        moment between two nodes of a branch cannot be told from the branch's end; and a server before 3.29 may be
        about to retry a failed node.
    :param asked_for_auto_retry: whether the request asked for details. If not, nobody knows whether a failure is final.
    :param failure_ages: as of ``expects_auto_retry``.
    """
    tree = tree or _NO_TREE
    if status.state == TaskState.FAILED:
        known = asked_for_auto_retry and status.nodes_known
        if not known or expects_auto_retry(status, tree, failure_ages) or _goes_on(_Level(status.nodes, tree)):
            return Verdict.FAILING
        return Verdict.FAILED
    if status.state in _VERDICT_OF_STATE:
        return _VERDICT_OF_STATE[status.state]
    running = [node for node in leaves(status) if node.state not in _AT_REST]
    if running and all(_waits_for_person(node, tree) for node in running):
        return Verdict.WAITING_FOR_PERSON
    return Verdict.RUNNING


def leaves(status: TaskStatus) -> tuple[NodeStatus, ...]:
    """Return the reached nodes that hold no others: what really runs, fails or waits."""
    return tuple(node for _, node in status.walk() if not node.children)


def nodes_at_work(status: TaskStatus, tree: TreeIndex | None = None) -> tuple[NodeStatus, ...]:
    """Return the nodes that do something now; those that wait for a person are left out.

    Used where a task was revoked: SOPS lets the node that runs at that moment finish. A node that is READY, such as
    one that was to be retried, never runs in it any more.
    """
    tree = tree or _NO_TREE
    idle = {*_AT_REST, TaskState.READY}
    return tuple(node for node in leaves(status) if node.state not in idle and not _waits_for_person(node, tree))


def _waits_for_person(node: NodeStatus, tree: TreeIndex) -> bool:
    if node.state == TaskState.SUSPENDED:
        return True
    known = tree.get(node.id)
    return known is not None and known.waits_for_person


def _goes_on(level: _Level) -> bool:
    """Whether some node of this level, or below it, runs or is about to run without anybody's help."""
    return any(_node_goes_on(node, level) for node in level.nodes.values())


def _node_goes_on(node: NodeStatus, level: _Level) -> bool:
    if node.state == TaskState.FINISHED:
        return not level.paused and _successor_is_due(node, level)
    if node.children:
        inner = level.inside(node)
        return _goes_on(inner) or not (inner.paused or node.state in _AT_REST or _rests_inside(inner))
    return node.state not in _AT_REST and not _waits_for_person(node, level.tree)


def _rests_inside(level: _Level) -> bool:
    """Whether a subprocess is held by a node inside it: one that failed, is paused or waits for a person."""
    return any(
        _rests_inside(level.inside(node))
        if node.children
        else node.state == TaskState.FAILED or _waits_for_person(node, level.tree)
        for node in level.nodes.values()
    )


def _successor_is_due(node: NodeStatus, level: _Level) -> bool:
    """Whether the node behind a finished one has yet to appear: the moment between two nodes of a branch."""
    known = level.tree.get(node.id)
    if known is None or not known.targets:
        return False
    missing = [target for target in known.targets if target not in level.nodes]
    if known.type != PARALLEL_GATEWAY and len(missing) < len(known.targets):
        return False
    return any(_is_due(target, level) for target in missing)


def _is_due(target: str, level: _Level) -> bool:
    known = level.tree.get(target)
    return known is not None and not (known.type == CONVERGE_GATEWAY and _is_held_up(target, level))


def _is_held_up(join: str, level: _Level) -> bool:
    """Whether a node that was reached and has not finished lies on some way to ``join``, which waits for it.

    A way that an exclusive gateway did not choose holds up nothing: none of its nodes was reached.
    """
    todo, passed = [join], set[str]()
    while todo:
        node_id = todo.pop()
        if node_id in passed:
            continue
        passed.add(node_id)
        known, node = level.tree.get(node_id), level.nodes.get(node_id)
        if node is not None and node.state != TaskState.FINISHED:
            return True
        todo += known.sources if known else ()
    return False


def end_despite_refusal(refusal: SopsInvalidOperationError, status: TaskStatus) -> TaskState:
    """Return how a task ended before its revoke, which SOPS has refused for that.

    :param status: the task's status after the refusal, past the server's cache.
    :raises SopsInvalidOperationError: the refusal: the task has not ended. It may still be CREATED, since a start that
        SOPS has accepted shows some moments later; then another revoke is accepted.
    """
    if status.state.is_terminal:
        return status.state
    raise refusal

"""What changed between two looks at a task, so that a log tells each change once."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.service.text import quoted, shortened, word
from airflow_provider_sops.sops.models import NodeStatus, TaskState, TaskStatus
from airflow_provider_sops.sops.person_request import WaitingNode
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.waiting.model import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_sops.sops.person_request import PersonRequest

#: How far a node has come within one try of one round; an answer out of an older cache shows a lower number.
_STEP = {
    TaskState.CREATED: 0,
    TaskState.READY: 0,
    TaskState.RUNNING: 1,
    TaskState.SUSPENDED: 1,
    TaskState.FAILED: 2,
    TaskState.FINISHED: 3,
    TaskState.REVOKED: 4,
}

#: A task stands at nodes in these states.
_STANDING = (TaskState.RUNNING, TaskState.SUSPENDED, TaskState.FAILED)

#: Of a node's state in ``Progress.told``. That two are alike costs at worst a line of the log.
_MARK_LENGTH = 8


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that has come into another state.

    :param node: the node as it is now.
    :param label: its name in quotes, or type and id where it has no name.
    :param waits_for_person: whether it runs only in that it waits for somebody to act in SOPS.
    :param error: SOPS's error text, for a failed node.
    """

    node: NodeStatus
    label: str
    waits_for_person: bool = False
    error: str = ""

    def __str__(self) -> str:
        node = self.node
        parts = [f"node {self.label} {node.state}"]
        if self.waits_for_person:
            parts = [f"node {self.label} waits for a person ({node.state} in SOPS)"]
        if node.loop > 1:
            parts.append(f"round {node.loop}")
        if node.retry:
            parts.append(f"retry {node.retry}")
        if node.state in (TaskState.FINISHED, TaskState.FAILED):
            parts.append(f"after {node.elapsed_seconds} s")
        if node.skip:
            parts.append("skipped in SOPS after a failure")
        elif node.error_ignored and node.state == TaskState.FINISHED:
            parts.append("failed, the error is ignored as the flow says")
        text = ", ".join(parts)
        return f"{text}: {shortened(self.error)}" if self.error else text

    def line(self, task_url: str, requests: Mapping[str, PersonRequest], *, waits_for_repair: bool = False) -> LogLine:
        """Return what to log: a warning where the node has failed or waits for a person, who is told what and where.

        :param task_url: the SOPS task's page, or empty.
        :param requests: what nodes ask people, by node id, as far as that is known.
        :param waits_for_repair: whether the wait goes on after a failure until somebody acts in SOPS.
        """
        lines = [str(self)]
        if self.waits_for_person:
            request = requests.get(self.node.id)
            lines += request.lines() if request else ()
        elif self.node.state != TaskState.FAILED:
            return LogLine(lines[0])
        elif waits_for_repair:
            lines.append("this task waits until somebody retries or skips the node in SOPS")
        if task_url and (self.waits_for_person or waits_for_repair):
            lines.append(task_url)
        return LogLine("\n".join(lines), logging.WARNING)


class Progress:
    """Remembers the state of every node of one task and tells what changed.

    Ignores answers that go back in time. It shows neither start and end events nor gateways, unless one failed.

    :param tree: the task's tree, for names that the status lacks and for nodes that wait for people.
    :param told: what another one has told of the same task, by its ``told``.
    """

    def __init__(self, tree: TreeIndex | None = None, *, told: str = "") -> None:
        self.tree = tree or TreeIndex({})
        self._seen: dict[str, NodeStatus] = {}
        self._told_before = {told[begin : begin + _MARK_LENGTH] for begin in range(0, len(told), _MARK_LENGTH)}

    @property
    def told(self) -> str:
        """What was told, as short text: eight characters for each node."""
        return "".join(sorted(map(_mark, self._seen.values())))

    def update(self, status: TaskStatus, *, with_failed: bool = True) -> tuple[NodeChange, ...]:
        """Return the changes since the last call, in the order in which the nodes began.

        :param with_failed: ``False`` leaves newly failed nodes for a later call, one whose answer has their errors.
        """
        changes = [
            self._change(node, status) for node in self._newer(status) if with_failed or node.state != TaskState.FAILED
        ]
        for change in changes:
            self._seen[change.node.id] = change.node
        shown = [change for change in changes if self._is_shown(change.node)]
        return tuple(sorted(shown, key=lambda change: change.node.start_time_text))

    def newly_waiting(self, status: TaskStatus) -> list[WaitingNode]:
        """Return the nodes that wait for people and of which ``update`` has not told that yet."""
        running = ((stack, node) for stack, node in status.walk() if node.state == TaskState.RUNNING)
        return [
            WaitingNode((*stack, node.id), known.plugin, node.name or known.name)
            for stack, node in running
            if (known := self.tree.get(node.id)) and known.waits_for_person and self._is_news(node)
        ]

    def may_wait_at(self, node_id: str) -> bool:
        """Whether a node may still wait for a person, as far as is known."""
        seen = self._seen.get(node_id)
        return seen is None or seen.state == TaskState.RUNNING

    def standing(self) -> tuple[str, ...]:
        """Return the labels of the nodes at which the task was when it was last seen."""
        seen = (node for node in self._seen.values() if node.state in _STANDING and not node.children)
        return tuple(self.label_of(node) for node in seen if self._is_shown(node))

    def label_of(self, node: NodeStatus) -> str:
        """Return what to call a node in a text for people."""
        known = self.tree.get(node.id)
        name = node.name or (known.name if known else "")
        if name:
            return quoted(name)
        return f"{word(known.type) if known else 'node'} {word(node.id)}"

    def _newer(self, status: TaskStatus) -> Iterator[NodeStatus]:
        for _, node in status.walk():
            if self._is_news(node):
                yield node
            elif node.id not in self._seen:
                self._seen[node.id] = node

    def _is_news(self, node: NodeStatus) -> bool:
        seen = self._seen.get(node.id)
        return _mark(node) not in self._told_before if seen is None else _is_newer(node, seen)

    def _change(self, node: NodeStatus, status: TaskStatus) -> NodeChange:
        known = self.tree.get(node.id)
        return NodeChange(
            node=node,
            label=self.label_of(node),
            waits_for_person=bool(known and known.waits_for_person and node.state == TaskState.RUNNING),
            error=status.error_of(node) if node.state == TaskState.FAILED else "",
        )

    def _is_shown(self, node: NodeStatus) -> bool:
        if node.state == TaskState.FAILED:
            return True
        known = self.tree.get(node.id)
        return bool(known.plugin or known.type == "SubProcess") if known else bool(node.name)


def _mark(node: NodeStatus) -> str:
    state = f"{node.id}:{node.state}:{node.loop}:{node.retry}"
    return hashlib.blake2b(state.encode(), digest_size=_MARK_LENGTH // 2).hexdigest()


def _is_newer(node: NodeStatus, seen: NodeStatus) -> bool:
    turn, seen_turn = (node.loop, node.retry), (seen.loop, seen.retry)
    if turn != seen_turn:
        return turn > seen_turn
    step, seen_step = _STEP.get(node.state, 1), _STEP.get(seen.state, 1)
    return step > seen_step or (step == seen_step and node.state != seen.state)

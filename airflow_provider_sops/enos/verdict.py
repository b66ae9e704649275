"""The one place that decides from an answer: is this instance over, and how did it end.

A failure is not an end by itself. A task that failed may have automatic reruns left. A flow is FAIL as soon as one of
its nodes is, while other nodes still run; EnOS does not stop them. A failed flow has ended once each of its nodes has.
The nodes behind a failed one never begin, though, and those of another branch may only not have begun yet: an answer
does not tell these apart, so such a flow counts as *failed*, and has ended if it stays like that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_sops.enos.models import FlowInstance, GraphNode, InstanceStatus, TaskInstance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: How many failed nodes of a flow are asked about.
_MOST_NODES_ASKED = 20


class Verdict(StrEnum):
    """What an answer says about the course of an instance."""

    GOING_ON = "going on"
    PAUSED = "paused"
    #: It failed; nodes still run.
    FAILING = "failing"
    #: It failed and EnOS may run it again by itself.
    RERUN_DUE = "rerun due"
    #: It failed and nothing runs in it at this moment; some nodes have not begun.
    FAILED = "failed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task that did not succeed, for messages and for its log."""

    instance_id: str
    label: str
    status: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one answer says.

    :param nodes: the statuses of a flow's nodes, by their labels; empty for a task.
    :param failed: the tasks that failed.
    :param progress: equal in two answers between which nothing has happened.
    """

    status: InstanceStatus
    verdict: Verdict
    nodes: Mapping[str, InstanceStatus]
    failed: tuple[FailedTask, ...]
    progress: tuple[object, ...]


def snapshot_of_task(instance: TaskInstance) -> Snapshot:
    """Return what an answer says of a task instance."""
    failed: tuple[FailedTask, ...] = ()
    if not instance.status.is_failure:
        verdict = _plain_verdict(instance.status)
    else:
        failed = (FailedTask(instance.instance_id, f'"{instance.name}"', instance.status.value),)
        verdict = Verdict.RERUN_DUE if instance.has_reruns_left else Verdict.ENDED
    return Snapshot(instance.status, verdict, {}, failed, _progress_of(instance))


def nodes_to_ask_about(instance: FlowInstance) -> tuple[str, ...]:
    """Return the ids of the failed task instances; whether a failed flow has ended depends on their reruns."""
    if not instance.status.is_failure or _at_work(instance.nodes):
        return ()
    failed = [node.task_instance_id for node in instance.nodes if node.status.is_failure]
    return tuple(filter(None, failed))[:_MOST_NODES_ASKED]


def snapshot_of_flow(instance: FlowInstance, asked: Sequence[TaskInstance] = ()) -> Snapshot:
    """Return what an answer says of a flow instance.

    :param asked: the task instances of ``nodes_to_ask_about``, as far as EnOS gave them.
    """
    if not instance.status.is_failure:
        verdict = _plain_verdict(instance.status)
    elif _at_work(instance.nodes) or any(task.status.is_at_work for task in asked):
        verdict = Verdict.FAILING
    elif any(task.status.is_failure and task.has_reruns_left for task in asked):
        verdict = Verdict.RERUN_DUE
    elif instance.nodes and all(node.status.is_end for node in instance.nodes):
        verdict = Verdict.ENDED
    else:
        verdict = Verdict.FAILED
    return Snapshot(
        status=instance.status,
        verdict=verdict,
        nodes=_by_label(instance.nodes),
        failed=tuple(
            FailedTask(node.task_instance_id, node.label, node.status.value)
            for node in instance.nodes
            if node.status.is_failure
        ),
        progress=(
            instance.status,
            *((node.task_instance_id, node.status) for node in instance.nodes),
            *map(_progress_of, asked),
        ),
    )


def _plain_verdict(status: InstanceStatus) -> Verdict:
    if status.is_end:
        return Verdict.ENDED
    return Verdict.PAUSED if status == InstanceStatus.SUSPEND else Verdict.GOING_ON


def _at_work(nodes: Sequence[GraphNode]) -> bool:
    return any(node.status.is_at_work for node in nodes)


def _progress_of(task: TaskInstance) -> tuple[object, ...]:
    return (task.instance_id, task.status, task.run_num, task.recall_num, task.start_time_text)


def _by_label(nodes: Sequence[GraphNode]) -> dict[str, InstanceStatus]:
    """Return statuses by label; a label that several nodes share is told apart by the task's id."""
    labels = [node.label for node in nodes]
    return {
        node.label if labels.count(node.label) == 1 else f"{node.label} (task {node.task_id})": node.status
        for node in nodes
    }

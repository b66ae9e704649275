"""Decide from an answer whether an instance has ended, and how.

A failure alone is not an end. A failed task may have automatic reruns left. A flow is FAIL as soon as one of its nodes
is, while other nodes still run; EnOS does not stop them. A failed flow has ended once all its nodes have. But nodes
after a failed one never start, while nodes of another branch may just not have started yet. An answer does not
distinguish these, so such a flow counts as *failed*, and has ended if nothing changes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_sops.enos.models import FlowInstance, GraphNode, InstanceStatus, TaskInstance
from airflow_provider_sops.service.text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: How many failed nodes of a flow are looked up.
_MOST_NODES_ASKED = 20


class Verdict(StrEnum):
    """The state of an instance according to one answer."""

    GOING_ON = "going on"
    PAUSED = "paused"
    #: It failed; nodes are still running.
    FAILING = "failing"
    #: It failed and EnOS may rerun it automatically.
    RERUN_DUE = "rerun due"
    #: It failed and nothing is running; some nodes have not started.
    FAILED = "failed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task that did not succeed, for messages and to read its log."""

    instance_id: str
    label: str
    status: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The verdict on one answer.

    :param nodes: the statuses of a flow's nodes, by their labels; empty for a task.
    :param failed: the tasks that failed.
    :param progress: equal for two answers if nothing happened in between.
    """

    status: InstanceStatus
    verdict: Verdict
    nodes: Mapping[str, InstanceStatus]
    failed: tuple[FailedTask, ...]
    progress: tuple[object, ...]


def snapshot_of_task(instance: TaskInstance) -> Snapshot:
    """Return the verdict on a task instance."""
    failed: tuple[FailedTask, ...] = ()
    if not instance.status.is_failure:
        verdict = _plain_verdict(instance.status)
    else:
        failed = (FailedTask(instance.instance_id, quoted(instance.name), instance.status.value),)
        verdict = Verdict.RERUN_DUE if instance.has_reruns_left else Verdict.ENDED
    return Snapshot(instance.status, verdict, {}, failed, _progress_of(instance))


def nodes_to_ask_about(instance: FlowInstance) -> tuple[str, ...]:
    """Return the ids of the failed task instances; their reruns decide whether a failed flow has ended."""
    if not instance.status.is_failure or _at_work(instance.nodes):
        return ()
    failed = [node.task_instance_id for node in instance.nodes if node.status.is_failure]
    return tuple(filter(None, failed))[:_MOST_NODES_ASKED]


def snapshot_of_flow(instance: FlowInstance, asked: Sequence[TaskInstance] = ()) -> Snapshot:
    """Return the verdict on a flow instance.

    :param asked: the task instances of ``nodes_to_ask_about`` that EnOS returned.
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
    """Return statuses by label; a label shared by several nodes gets the task's id."""
    labels = Counter(node.label for node in nodes)
    return {
        node.label if labels[node.label] == 1 else f"{node.label} (task {node.task_id})": node.status for node in nodes
    }

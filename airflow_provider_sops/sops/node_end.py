"""How a node has ended, by its row in the task's status: for all that wait for nodes, or look at them afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.node_result import NodeOutcome, NodeResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus


def node_result(
    outcome: NodeOutcome, row: NodeStatus | None, task_state: str, *, error: str = "", reason: str = ""
) -> NodeResult:
    """Return a result with all that a row says.

    :param row: the node's last one; ``None`` if it was never seen.
    :param task_state: the last state word of the task.
    :param error: SOPS's error text, for a failed node.
    :param reason: what else there is to know, in a sentence.
    """
    if row is None:
        return NodeResult(outcome, task_state=task_state, error=error, reason=reason)
    return NodeResult(
        outcome,
        state=row.state.value,
        task_state=task_state,
        version=row.version,
        loop=row.loop,
        retry=row.retry,
        start_time=row.start_time_text,
        finish_time=row.finish_time_text,
        elapsed_seconds=row.elapsed_seconds,
        error=error,
        reason=reason,
    )


def finished_outcome(row: NodeStatus) -> NodeOutcome:
    """Return how a node came to be FINISHED."""
    if row.skip:
        return NodeOutcome.SKIPPED
    return NodeOutcome.ERROR_IGNORED if row.error_ignored else NodeOutcome.FINISHED


def end_in(status: TaskStatus, row: NodeStatus) -> NodeResult:
    """Return how a node has ended that its task, which is over, has reached."""
    if row.state == TaskState.FAILED:
        return node_result(NodeOutcome.FAILED, row, status.state.value, error=status.error_of(row))
    outcome = finished_outcome(row) if row.state == TaskState.FINISHED else NodeOutcome.TASK_OVER
    return node_result(outcome, row, status.state.value)


def detail_arguments(path: Sequence[str], plugin: str) -> dict[str, Any]:
    """Return what ``get_task_node_detail`` must be told of a node.

    :param path: its id in the task, behind those of the subprocesses around it.
    :param plugin: its plugin's code, without which outputs have no names; empty for a node that has none.
    """
    *stack, node_id = path
    return {"node_id": node_id, "component_code": plugin or None, "subprocess_stack": stack or None}

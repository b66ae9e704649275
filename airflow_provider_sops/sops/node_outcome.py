"""The error of a wait for a node that did not end well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import (
    SopsConnectionError,
    SopsError,
    SopsNotFoundError,
    SopsTaskFailedError,
    SopsTaskRevokedError,
)
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.node_result import NodeOutcome, NodeResult

if TYPE_CHECKING:
    from airflow_provider_sops.sops.next_steps import NextSteps


def node_error(result: NodeResult, sops_task_id: int, node_id: str, task_url: str, steps: NextSteps) -> SopsError:
    """Return what to raise for a node that neither ended well nor was passed by.

    :param task_url: the SOPS task's page, or empty.
    :param steps: what can be done about it.
    """
    where = f"node {node_id} of SOPS task {sops_task_id}"
    see = f"See {task_url}" if task_url else "See the task in SOPS"
    about: dict[str, Any] = {"sops_task_id": sops_task_id, "task_url": task_url}
    if result.outcome == NodeOutcome.FAILED:
        reason = f"{where} failed: {result.error}" if result.error else f"{where} failed"
        return SopsTaskFailedError(reason, advice=f"{see}. {steps.failed}", failed_nodes=[node_id], **about)
    if result.outcome == NodeOutcome.TASK_OVER:
        reason = f"{where} did not come to its end: {result.reason}"
        if result.task_state != TaskState.FAILED:
            return SopsTaskRevokedError(reason, advice=f"{see}. {steps.revoked}", **about)
        return SopsTaskFailedError(reason, advice=f"{see}. {steps.failed}", **about)
    if result.outcome == NodeOutcome.UNKNOWN_TASK:
        return SopsNotFoundError(f"{where}: SOPS does not know the task: {result.reason}", advice=f"{see}.")
    if result.outcome == NodeOutcome.UNREACHABLE:
        advice = f"The task itself goes on in SOPS. {see}. {steps.unreachable}"
        return SopsConnectionError(f"{where} cannot be followed: {result.reason}", advice=advice)
    return SopsError(
        f"{where} is {result.state or 'not reached'} after the time allowed for it", advice=f"{see}. {steps.timed_out}"
    )

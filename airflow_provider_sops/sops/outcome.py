"""The error of a wait, for a SOPS task or a node, that did not end well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import (
    SopsConnectionError,
    SopsError,
    SopsNotFoundError,
    SopsTaskExpiredError,
    SopsTaskFailedError,
    SopsTaskRevokedError,
)
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.node_result import NodeOutcome, NodeResult
from airflow_provider_sops.sops.wait_result import Outcome, WaitResult

if TYPE_CHECKING:
    from airflow_provider_sops.sops.next_steps import NextSteps


#: How many failed nodes an error names.
_MOST_NAMED = 20


def outcome_error(result: WaitResult, sops_task_id: int, task_url: str, steps: NextSteps) -> SopsError:
    """Return the error that a wait's result means; not for FINISHED.

    :param task_url: the task's page in SOPS, named in the message.
    :param steps: what can be done about it.
    """
    where = f"SOPS task {sops_task_id}"
    about: dict[str, Any] = {"sops_task_id": sops_task_id, "task_url": task_url}
    if result.outcome in (Outcome.FAILED, Outcome.PERSON_NEEDED):
        waits = "Retry or skip the node there; this task waits for that and goes on with the flow."
        return SopsTaskFailedError(
            f"{where} failed: {_told_failures(result)}",
            advice=waits if result.outcome == Outcome.PERSON_NEEDED else steps.failed,
            failed_nodes=[node.label for node in result.failed_nodes],
            **about,
        )
    if result.outcome == Outcome.REVOKED:
        return SopsTaskRevokedError(f"{where} was revoked in SOPS", advice=steps.revoked, **about)
    if result.outcome == Outcome.EXPIRED:
        return SopsTaskExpiredError(
            f"{where} is EXPIRED: SOPS has removed its states and how it ended cannot be known",
            advice=steps.expired,
            **about,
        )
    if result.outcome == Outcome.UNKNOWN_TASK:
        return SopsNotFoundError(
            f"{where} is not known to SOPS: {result.reason}",
            advice="Check the id, bk_biz_id and scope, and whether somebody has deleted the task.",
        )
    if result.outcome == Outcome.UNREACHABLE:
        return SopsConnectionError(
            f"{where} cannot be followed: {result.reason}",
            advice=f"The task itself goes on in SOPS. {steps.unreachable}",
            page=task_url,
        )
    if result.outcome == Outcome.NOT_STARTED:
        return SopsError(
            f"{where} was started but is still {result.state or 'CREATED'}: SOPS has not begun to run it in time",
            advice="Either SOPS's workers are down or overloaded, or it refuses to run the flow (its own log says "
            "why; one cause is a pipeline_tree with a constant that has is_meta but no meta), or a function task waits "
            f"for somebody to claim it. SOPS cannot revoke a task in this state. {steps.not_started}",
            page=task_url,
        )
    return SopsError(
        f"{where} was {result.state or 'without an answer'}{result.reason and f' {result.reason}'} after {steps.limit}",
        advice=steps.timed_out,
        page=task_url,
    )


def _told_failures(result: WaitResult) -> str:
    nodes = result.failed_nodes
    told = [f"node {node.label}: {node.error}" if node.error else f"node {node.label}" for node in nodes[:_MOST_NAMED]]
    if len(nodes) > _MOST_NAMED:
        told.append(f"{len(nodes) - _MOST_NAMED} more")
    return "; ".join(told) or "SOPS does not say which node"


def node_error(
    result: NodeResult, sops_task_id: int, node_id: str, task_url: str, steps: NextSteps, *, label: str = ""
) -> SopsError:
    """Return what to raise for a node that neither ended well nor was passed by.

    :param task_url: the SOPS task's page, or empty.
    :param steps: what can be done about it.
    :param label: the node's name in quotes, if it is known; else the message has its id.
    """
    where = f"node {label or node_id} of SOPS task {sops_task_id}"
    about: dict[str, Any] = {"sops_task_id": sops_task_id, "task_url": task_url}
    if result.outcome == NodeOutcome.FAILED:
        reason = f"{where} failed: {result.error}" if result.error else f"{where} failed"
        return SopsTaskFailedError(reason, advice=steps.failed, failed_nodes=[node_id], **about)
    if result.outcome == NodeOutcome.TASK_OVER:
        reason = f"{where} did not finish: {result.reason}"
        if result.task_state != TaskState.FAILED:
            return SopsTaskRevokedError(reason, advice=steps.revoked, **about)
        return SopsTaskFailedError(reason, advice=steps.failed, **about)
    if result.outcome == NodeOutcome.UNKNOWN_TASK:
        return SopsNotFoundError(f"{where}: SOPS does not know the task: {result.reason}", page=task_url)
    if result.outcome == NodeOutcome.UNREACHABLE:
        advice = f"The task itself goes on in SOPS. {steps.unreachable}"
        return SopsConnectionError(f"{where} cannot be followed: {result.reason}", advice=advice, page=task_url)
    return SopsError(
        f"{where} was {result.state or 'not reached'} after {steps.limit}", advice=steps.timed_out, page=task_url
    )

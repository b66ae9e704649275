"""What SOPS's answer to a revoke means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_sops.sops.errors import SopsInvalidOperationError
    from airflow_provider_sops.sops.models import TaskState, TaskStatus


def end_despite_refusal(refusal: SopsInvalidOperationError, status: TaskStatus) -> TaskState:
    """Return how a task ended before its revoke, which SOPS has refused for that.

    :param status: the task's status after the refusal, past the server's cache.
    :raises SopsInvalidOperationError: the refusal: the task has not ended. It may still be CREATED, since a start that
        SOPS has accepted shows some moments later; then another revoke is accepted.
    """
    if status.state.is_terminal:
        return status.state
    raise refusal

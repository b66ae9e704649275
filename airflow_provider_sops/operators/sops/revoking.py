"""Revoking a task where there is time to make sure of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import tenacity

from airflow_provider_sops.sops.errors import SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.revocation import end_despite_refusal
from airflow_provider_sops.waiting.repeat import again_while_lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.task_instance.log import TaskLog

_TRIES = 5
_PAUSE_SECONDS = 1.0


def revoke_task(
    hook: SopsHook, sops_task_id: int, log: TaskLog, *, sleep: Callable[[float], None] = time.sleep
) -> TaskState:
    """Revoke a task and return the state in which it ended; it may have come to its own end before.

    A second revoke does no harm, so one whose answer was lost is sent again, for about ten seconds. So is one that
    SOPS refuses because the task is still CREATED: a start that it has accepted shows some moments later.

    :raises SopsError: if SOPS refuses or cannot be reached; then the task may still run.
    """

    def tell(error: ServiceError) -> None:
        if not isinstance(error, SopsInvalidOperationError):
            log.warning("The revoke of SOPS task %s got no usable answer, trying again: %s", sops_task_id, error)

    pauses = [_PAUSE_SECONDS * attempt for attempt in range(1, _TRIES)]
    rules = again_while_lost(pauses, also=(SopsInvalidOperationError,), tell=tell, sleep=sleep)
    state: TaskState = tenacity.Retrying(**rules)(
        revoke_once,
        lambda: hook.operate_task(sops_task_id, "revoke"),
        lambda: hook.get_task_status(sops_task_id, fresh=True),
    )
    return state


def revoke_once(revoke: Callable[[], object], read_status: Callable[[], TaskStatus]) -> TaskState:
    """Revoke a task in one attempt, and return the state in which it ended.

    :param revoke: sends the revoke.
    :param read_status: asks for the task's status, past the server's cache.
    :raises SopsError: it may still run.
    """
    try:
        revoke()
    except SopsInvalidOperationError as refusal:
        return end_despite_refusal(refusal, read_status())
    return TaskState.REVOKED

"""Revoking a task where there is time to make sure of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsError, SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
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
    for attempt in range(1, _TRIES + 1):
        try:
            hook.operate_task(sops_task_id, "revoke")
        except SopsInvalidOperationError:
            state = hook.get_task_status(sops_task_id, fresh=True).state
            if state.is_terminal:
                return state
            if attempt == _TRIES:
                raise
        except SopsError as error:
            if not (error.temporary or error.outcome_unknown) or attempt == _TRIES:
                raise
            log.warning("The revoke of SOPS task %s got no usable answer, trying again: %s", sops_task_id, error)
        else:
            return TaskState.REVOKED
        sleep(_PAUSE_SECONDS * attempt)
    raise AssertionError("the last try returns or raises")

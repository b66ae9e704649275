"""Reading the outputs of a finished SOPS task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.task_secrets import TaskSecrets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail


def read_secrets(hook: SopsHook, sops_task_ids: Sequence[int]) -> TaskSecrets:
    """Return what is to be hidden of a task.

    :param sops_task_ids: the task, and before it the tasks around it; none for a flow without passwords.
    """
    try:
        return TaskSecrets([hook.get_task_detail(sops_task_id) for sops_task_id in sops_task_ids])
    except SopsError:
        return TaskSecrets(None)


#: SOPS caches get_task_detail for 60 seconds per web process.
_STALE_SECONDS = 66.0
_PAUSE_SECONDS = 6.0


def read_outputs(hook: SopsHook, sops_task_id: int, *, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Return the outputs of a FINISHED task as ``{"name": value}``, without password-type ones.

    A password within another output is hidden.
    """
    detail = read_finished(hook, sops_task_id, sleep=sleep)
    return TaskSecrets([detail]).outputs(detail.shown_outputs)


def read_finished(hook: SopsHook, sops_task_id: int, *, sleep: Callable[[float], None] = time.sleep) -> TaskDetail:
    """Return what SOPS tells of a FINISHED task, its outputs among it, which may hold passwords.

    The request bypasses SOPS's cache. Should a gateway on the way drop what bypasses it, an answer from before the
    task's end shows by its missing finish time; then the question is asked again for as long as the cache holds.
    """
    waited = 0.0
    detail = hook.get_task_detail(sops_task_id, fresh=True)
    while detail.finish_time is None and waited < _STALE_SECONDS:
        sleep(_PAUSE_SECONDS)
        waited += _PAUSE_SECONDS
        detail = hook.get_task_detail(sops_task_id, fresh=True)
    return detail

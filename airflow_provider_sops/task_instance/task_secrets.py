"""Learning the passwords of a SOPS task from a worker, so that no log or XCom shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.task_secrets import TaskSecrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.hooks.sops import SopsHook


def read_secrets(hook: SopsHook, sops_task_ids: Sequence[int]) -> TaskSecrets:
    """Return what is to be hidden of a task.

    :param sops_task_ids: the task, and before it the tasks around it; none for a flow without passwords.
    """
    try:
        return TaskSecrets([hook.get_task_detail(sops_task_id) for sops_task_id in sops_task_ids])
    except SopsError:
        return TaskSecrets(None)

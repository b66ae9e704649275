"""``${_system.task_id}`` and its like: what a flow may know of the task that it runs in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from local_sops.config import PROJECTS

if TYPE_CHECKING:
    from local_sops.store.models import Task

KEY = "${_system}"


def system_variables(task: Task, executor: str) -> dict[str, SimpleNamespace]:
    """Make the context values for the start of a task; subprocesses see them too.

    :param executor: who starts the task.
    """
    project = next(project for project in PROJECTS if project.id == task.project_id)
    known = SimpleNamespace(
        task_id=task.pk,
        task_name=task.name,
        operator=executor,
        executor=executor,
        bk_biz_id=project.bk_biz_id,
        bk_biz_name=project.name,
        language="zh-cn",
    )
    return {KEY: known}

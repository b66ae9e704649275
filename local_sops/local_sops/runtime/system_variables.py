"""System variables like ``${_system.task_id}``, and project constants."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings

from local_sops.config import PROJECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.store.models import Task

KEY = "${_system}"


def task_facts(task: Task, executor: str, task_url: str) -> dict[str, Any]:
    """List a task's system data at its start; plugins get it as their parent's data.

    :param executor: who starts the task.
    """
    project = next(project for project in PROJECTS if project.id == task.project_id)
    return {
        "language": "zh-hans",
        "project_id": project.id,
        "project_name": project.name,
        "bk_biz_id": project.bk_biz_id,
        "bk_biz_name": project.name,
        "biz_supplier_account": "0" if project.from_cmdb else None,
        "operator": executor,
        "executor": executor,
        "task_id": task.pk,
        "task_name": task.name,
        "biz_cc_id": project.bk_biz_id,
        "biz_cc_name": project.name,
        "task_start_time": datetime.now(ZoneInfo(settings.TIME_ZONE)).strftime("%Y-%m-%d %H:%M:%S"),
        "task_url": task_url,
    }


def context_of(facts: Mapping[str, Any], project_constants: Mapping[str, str]) -> dict[str, Any]:
    """Create the context values for the start of a task; subprocesses see them too."""
    constants = {f"${{_env_{name}}}": value for name, value in project_constants.items()}
    return {KEY: SimpleNamespace(**facts), **constants}

"""What SOPS answers, as frozen and typed data.

Servers of 2019, of 2020 and of today are read alike, and reading never raises.
"""

from __future__ import annotations

from airflow_provider_sops.sops.models.node import NodeData, NodeDetail
from airflow_provider_sops.sops.models.status import NodeStatus, TaskState, TaskStatus, read_tasks_status
from airflow_provider_sops.sops.models.task import (
    CreatedTask,
    TaskDetail,
    TaskListItem,
    is_password,
    variable_name,
)
from airflow_provider_sops.sops.models.template import Template, TemplateListItem

__all__ = [
    "CreatedTask",
    "NodeData",
    "NodeDetail",
    "NodeStatus",
    "TaskDetail",
    "TaskListItem",
    "TaskState",
    "TaskStatus",
    "Template",
    "TemplateListItem",
    "is_password",
    "read_tasks_status",
    "variable_name",
]

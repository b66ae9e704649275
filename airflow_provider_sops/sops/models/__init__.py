"""SOPS's answers as frozen, typed data.

Reads the answers of servers from 2019 on; reading never raises.
"""

from __future__ import annotations

from airflow_provider_sops.sops.models.node import NodeData, NodeDetail
from airflow_provider_sops.sops.models.status import NodeStatus, TaskState, TaskStatus, has_state, read_tasks_status
from airflow_provider_sops.sops.models.task import (
    CreatedTask,
    TaskDetail,
    TaskListItem,
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
    "has_state",
    "read_tasks_status",
]

"""EnOS's answers as typed, frozen values."""

from __future__ import annotations

from airflow_provider_sops.enos.models.flow_instance import FlowInstance, FlowInstancePage, GraphNode
from airflow_provider_sops.enos.models.status import InstanceStatus
from airflow_provider_sops.enos.models.task_instance import RunMode, TaskInstance

__all__ = ["FlowInstance", "FlowInstancePage", "GraphNode", "InstanceStatus", "RunMode", "TaskInstance"]

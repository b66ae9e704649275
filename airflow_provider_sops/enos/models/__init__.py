"""EnOS's answers as typed, frozen values."""

from __future__ import annotations

from airflow_provider_sops.enos.models.instances import FlowInstance, FlowInstancePage, GraphNode, RunMode, TaskInstance
from airflow_provider_sops.enos.models.status import InstanceStatus

__all__ = ["FlowInstance", "FlowInstancePage", "GraphNode", "InstanceStatus", "RunMode", "TaskInstance"]

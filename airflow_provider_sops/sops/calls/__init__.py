"""One method per call of SOPS's API, grouped by what the calls are about."""

from __future__ import annotations

from airflow_provider_sops.sops.calls.nodes import NodeCalls
from airflow_provider_sops.sops.calls.plugins import PluginCalls
from airflow_provider_sops.sops.calls.projects import ProjectCalls
from airflow_provider_sops.sops.calls.schedules import ScheduleCalls
from airflow_provider_sops.sops.calls.tasks import TaskCalls
from airflow_provider_sops.sops.calls.templates import TemplateCalls

__all__ = [
    "NodeCalls",
    "PluginCalls",
    "ProjectCalls",
    "ScheduleCalls",
    "TaskCalls",
    "TemplateCalls",
]

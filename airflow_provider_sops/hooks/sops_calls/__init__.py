"""One method per call of SOPS's API, grouped by what the calls are about."""

from __future__ import annotations

from airflow_provider_sops.hooks.sops_calls.nodes import NodeCalls
from airflow_provider_sops.hooks.sops_calls.plugins import PluginCalls
from airflow_provider_sops.hooks.sops_calls.projects import ProjectCalls
from airflow_provider_sops.hooks.sops_calls.schedules import ScheduleCalls
from airflow_provider_sops.hooks.sops_calls.tasks import TaskCalls
from airflow_provider_sops.hooks.sops_calls.templates import TemplateCalls

__all__ = [
    "NodeCalls",
    "PluginCalls",
    "ProjectCalls",
    "ScheduleCalls",
    "TaskCalls",
    "TemplateCalls",
]

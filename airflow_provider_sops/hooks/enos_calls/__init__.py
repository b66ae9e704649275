"""The calls of EnOS's batch processing as typed methods, in groups; ``EnosHook`` has them all."""

from __future__ import annotations

from airflow_provider_sops.hooks.enos_calls.flows import FlowCalls
from airflow_provider_sops.hooks.enos_calls.instances import InstanceCalls
from airflow_provider_sops.hooks.enos_calls.surroundings import SurroundingsCalls

__all__ = ["FlowCalls", "InstanceCalls", "SurroundingsCalls"]

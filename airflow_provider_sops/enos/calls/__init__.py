"""The calls of EnOS's batch processing as typed methods, in groups; ``EnosHook`` has them all."""

from __future__ import annotations

from airflow_provider_sops.enos.calls.flows import FlowCalls
from airflow_provider_sops.enos.calls.instances import InstanceCalls
from airflow_provider_sops.enos.calls.surroundings import SurroundingsCalls

__all__ = ["FlowCalls", "InstanceCalls", "SurroundingsCalls"]

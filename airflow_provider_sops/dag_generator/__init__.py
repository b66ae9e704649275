"""Build Airflow DAGs from snapshots of SOPS flows.

Names are imported on first use: reading a snapshot needs no Airflow, so `airflow-sops` starts quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.service.lazy_names import lazy_names

if TYPE_CHECKING:
    from airflow_provider_sops.dag_generator.converters import (
        ConverterRegistry,
        ConvertibleNode,
        NodeConverter,
        bk_notify_converter,
        shipped_converters,
    )
    from airflow_provider_sops.dag_generator.dag import SopsDag, SopsTaskGroup
    from airflow_provider_sops.dag_generator.snapshot_files import load_pipeline_tree
    from airflow_provider_sops.sops.pipeline_tree import PipelineTree

__all__ = [
    "ConverterRegistry",
    "ConvertibleNode",
    "NodeConverter",
    "PipelineTree",
    "SopsDag",
    "SopsTaskGroup",
    "bk_notify_converter",
    "load_pipeline_tree",
    "shipped_converters",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ConverterRegistry": "airflow_provider_sops.dag_generator.converters",
        "ConvertibleNode": "airflow_provider_sops.dag_generator.converters",
        "NodeConverter": "airflow_provider_sops.dag_generator.converters",
        "bk_notify_converter": "airflow_provider_sops.dag_generator.converters",
        "shipped_converters": "airflow_provider_sops.dag_generator.converters",
        "PipelineTree": "airflow_provider_sops.sops.pipeline_tree",
        "SopsDag": "airflow_provider_sops.dag_generator.dag",
        "SopsTaskGroup": "airflow_provider_sops.dag_generator.dag",
        "load_pipeline_tree": "airflow_provider_sops.dag_generator.snapshot_files",
    },
)

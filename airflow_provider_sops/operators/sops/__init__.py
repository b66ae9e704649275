"""Operators that create, start, run and steer SOPS tasks.

Names are imported on first use: a generated DAG needs only some of the modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.service.lazy_names import lazy_names

if TYPE_CHECKING:
    from airflow_provider_sops.operators.sops.create import SopsCreateTaskOperator
    from airflow_provider_sops.operators.sops.operate import (
        SopsOperateNodeOperator,
        SopsOperateTaskOperator,
        SopsStartTaskOperator,
    )
    from airflow_provider_sops.operators.sops.run import SopsRunTaskOperator

__all__ = [
    "SopsCreateTaskOperator",
    "SopsOperateNodeOperator",
    "SopsOperateTaskOperator",
    "SopsRunTaskOperator",
    "SopsStartTaskOperator",
]

__getattr__ = lazy_names(
    __name__,
    {
        "SopsCreateTaskOperator": "airflow_provider_sops.operators.sops.create",
        "SopsOperateNodeOperator": "airflow_provider_sops.operators.sops.operate",
        "SopsOperateTaskOperator": "airflow_provider_sops.operators.sops.operate",
        "SopsRunTaskOperator": "airflow_provider_sops.operators.sops.run",
        "SopsStartTaskOperator": "airflow_provider_sops.operators.sops.operate",
    },
)

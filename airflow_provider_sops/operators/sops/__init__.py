"""Operators that create, start, run and steer SOPS tasks."""

from __future__ import annotations

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

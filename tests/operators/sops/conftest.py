"""Fixtures for operators that run against local_sops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.operators.sops import SopsRunTaskOperator

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def run_operator(templates: dict[str, int]) -> Callable[..., SopsRunTaskOperator]:
    """Make a run operator for a template by its name, one that looks often and does not defer."""

    def make(template: str, **arguments: Any) -> SopsRunTaskOperator:
        defaults: dict[str, Any] = {
            "task_id": "run",
            "template_id": templates[template],
            "name": f"run {template}",
            "deferrable": False,
            "poll_interval_seconds": 0.2,
            "timeout_seconds": 60,
        }
        return SopsRunTaskOperator(**{**defaults, **arguments})

    return make

"""The outputs of a finished task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_sops.runtime.engine import LocalRuntime
    from local_sops.store.models import Task


def task_outputs(runtime: LocalRuntime, task: Task) -> list[dict[str, Any]]:
    """List the outputs of a finished task; empty for any other."""
    if not task.is_finished:
        return []
    constants = task.tree["constants"]
    values = runtime.get_execution_data_outputs(task.instance_id)
    return [
        {"key": key, "value": value, "name": constants[key]["name"]}
        for key, value in values.items()
        if key in constants
    ]

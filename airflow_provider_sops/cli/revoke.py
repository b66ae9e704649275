"""``airflow-sops revoke``: revoke a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.cli.commands import NOT_SO, SUCCESS
from airflow_provider_sops.cli.server import open_hook
from airflow_provider_sops.cli.terminal import write
from airflow_provider_sops.sops.models import TaskState

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Revoke a task, write in which state it ended, and return the exit code.

    :raises SopsError: it may still run.
    """
    from airflow_provider_sops.operators.sops.revocation import revoke_task

    with open_hook(options) as hook:
        state = revoke_task(hook, int(options.task_id))
    write(f"SOPS task {options.task_id} is {state}\n")
    return SUCCESS if state == TaskState.REVOKED else NOT_SO

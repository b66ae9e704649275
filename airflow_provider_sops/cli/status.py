"""``airflow-sops status``: a task and its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.cli.following import follow_task, interrupted, report
from airflow_provider_sops.cli.server import open_hook
from airflow_provider_sops.cli.task_view import TaskView, open_view

if TYPE_CHECKING:
    import argparse


class _NoView(TaskView):
    """Shows nothing on the way: the report says it all."""

    def tell(self, text: str, level: int) -> None:
        """Leave it out."""


def run(options: argparse.Namespace) -> int:
    """Show a task, or follow it, and return the exit code.

    :raises SopsError: there is no such task, or it cannot be read.
    """
    task_id = int(options.task_id)
    with open_hook(options) as hook:
        try:
            with open_view() if options.follow else _NoView() as view:
                followed = follow_task(hook, task_id, options, view, once=not options.follow)
        except KeyboardInterrupt:
            return interrupted(task_id, "", "", options)
    return report(followed, options, with_nodes=not options.follow)

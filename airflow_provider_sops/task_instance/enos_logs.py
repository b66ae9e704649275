"""The logs that EnOS keeps of its task instances, in the log of an Airflow task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.enos.errors import EnosError, EnosNoLogError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.enos.verdict import FailedTask
    from airflow_provider_sops.hooks.enos import EnosHook
    from airflow_provider_sops.task_instance.log import TaskLog

#: How much of the logs of failed tasks goes into the Airflow task's log.
_MOST_LOGS = 5
_MOST_LINES = 500


def write_logs(hook: EnosHook, failed: Sequence[FailedTask], log: TaskLog) -> None:
    """Write the ends of the logs of failed tasks to the Airflow task's log; what cannot be read is said there."""
    for task in failed[:_MOST_LOGS]:
        if not task.instance_id:
            continue
        try:
            lines = hook.get_task_instance_log(task.instance_id).splitlines()
        except EnosNoLogError:
            log.info("EnOS has no log of task %s (%s).", task.label, task.instance_id)
        except EnosError as error:
            log.warning("The log of task %s (%s) cannot be read: %s", task.label, task.instance_id, error)
        else:
            left_out = f", the last {_MOST_LINES} of {len(lines)} lines" if len(lines) > _MOST_LINES else ""
            log.info("EnOS's log of task %s (%s)%s:", task.label, task.instance_id, left_out)
            for line in lines[-_MOST_LINES:]:
                log.info("%s", line)

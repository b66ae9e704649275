"""Starting a SOPS task that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.operators.sops.base import SopsBaseOperator
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.xcom import push_task, read_task_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg


class SopsStartTaskOperator(SopsBaseOperator):
    """Start a SOPS task and return its id. Does not wait for it: use ``SopsTaskSensor`` for that.

    A task that was started already is fine, by whomever: SOPS runs a task once. The start is asynchronous; SOPS
    answers before it has begun to run the task.

    Calls start_task and get_task_detail.

    :param sops_task_id: id of the task. (templated)
    """

    template_fields: Sequence[str] = (*SopsBaseOperator.template_fields, "sops_task_id")

    def __init__(self, *, sops_task_id: int | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sops_task_id = sops_task_id

    def execute(self, context: Context) -> int:
        """Start the task and return its id."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.operators.sops.exactly_once import start_task

        with airflow_errors():
            sops_task_id = read_task_id(self.sops_task_id)
            push_task(context, sops_task_id, self.hook.get_task_detail(sops_task_id, fresh=True).task_url)
            start_task(self.hook, sops_task_id, self.log)
            self.log.info("SOPS task %s is started.", sops_task_id)
            return sops_task_id

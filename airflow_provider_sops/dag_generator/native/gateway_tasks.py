"""Tasks that run nothing in SOPS: where branches part or meet, and where a run may leave a node out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_sops.dag_generator.flow_xcom import pull
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.xcom import EXCLUDED_XCOM_KEY
from airflow_provider_sops.version_compat import SkipMixin

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class PassingOperator(BaseOperator):
    """A parallel or converge gateway: the flow passes it once what is before it has ended. No worker runs it."""

    inherits_from_empty_operator = True
    ui_color = "#f0f0f0"

    def execute(self, context: Context) -> None:
        """Do nothing; only ``dag.test()`` comes here, and a worker behind a decision in a mapped task group."""


class ChoiceOperator(BaseOperator, SkipMixin):
    """Let the flow go around a node that the run leaves out, where an Airflow operator stands for the node.

    :param sops_node_id: the node's id in SOPS.
    :param flow_start_task_id: the task that knows which nodes the run leaves out.
    :param operator_task_id: the node's task.
    """

    inherits_from_skipmixin = True
    ui_color = "#f0f0f0"

    def __init__(self, *, sops_node_id: str, flow_start_task_id: str, operator_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sops_node_id = sops_node_id
        self.flow_start_task_id = flow_start_task_id
        self.operator_task_id = operator_task_id

    def execute(self, context: Context) -> None:
        """Skip the node's task if the run leaves the node out."""
        ti: Any = context["ti"]
        with airflow_errors():
            excluded = pull(ti, self.flow_start_task_id, EXCLUDED_XCOM_KEY).sequence()
        if self.sops_node_id not in excluded:
            self.skip_all_except(ti, [self.operator_task_id])
            return
        self.log.info("The node behind this task was left out of the run; the flow goes on behind it.")
        self.skip_all_except(ti, sorted(self.downstream_task_ids - {self.operator_task_id}))

"""The two tasks that every watched flow has: ``start`` makes its SOPS task, ``flow`` answers for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sops.dag_generator.flow_xcom import pull
from airflow_provider_sops.dag_generator.params import EXCLUDE_PARAM, constants_from_params
from airflow_provider_sops.dag_generator.template_change import tell_template_change
from airflow_provider_sops.dag_generator.watch.mirrored_node import FlowTask
from airflow_provider_sops.dag_generator.xcom_keys import INDEPENDENT_XCOM_KEY, NODE_PATHS_XCOM_KEY
from airflow_provider_sops.operators.sops.base import TASK_ID_XCOM_KEY
from airflow_provider_sops.operators.sops.run import SopsRunTaskOperator
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.next_steps import NextSteps
from airflow_provider_sops.sops.pipeline_tree import PipelineTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.operators.sops.answered_tasks import AnsweredTasks
    from airflow_provider_sops.sops.models import CreatedTask
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot
    from airflow_provider_sops.sops.wait_result import WaitPolicy

#: How long a retry by Airflow takes to reach SOPS, its delay left out.
_RETRY_LATENCY_SECONDS = 120.0


class FlowStartOperator(SopsRunTaskOperator):
    """Create and start the SOPS task of a watched flow, and tell the mirrors which of its nodes is whose.

    The same rules as of ``SopsRunTaskOperator``: at most one started SOPS task, whatever crashes; a clear makes a new
    one, unless somebody has repaired the earlier one and it goes on. It does not wait.

    :param snapshot: the template as the DAG was built from it.
    :param on_template_change: ``"warn"`` or ``"fail"`` if the template in SOPS is no longer like that.
    :param param_constants: constants whose value comes from a DAG param: ``{"${key}": "param"}``.
    """

    shallow_copy_attrs: Sequence[str] = ("_snapshot",)

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        on_template_change: Literal["warn", "fail"] = "warn",
        param_constants: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(wait_for_completion=False, deferrable=False, **kwargs)
        self._snapshot = snapshot
        self.on_template_change = on_template_change
        self.param_constants = dict(param_constants or {})

    def execute(self, context: Context) -> None:
        """Create or find the SOPS task, start it and push the ids of its nodes."""
        params = context["params"]
        from_params = constants_from_params(self._snapshot.tree, self.param_constants, params)
        self.constants = {**from_params, **(self.constants or {})}
        if EXCLUDE_PARAM in params:
            self.exclude_task_nodes_id = list(params[EXCLUDE_PARAM] or ())
        super().execute(context)

    def create_task(self, name: str) -> CreatedTask:
        """Create the SOPS task, if the template is still the one that the DAG shows."""
        tell_template_change(
            self.hook,
            self._snapshot,
            self.template_id,
            self.template_source,
            fail=self.on_template_change == "fail",
            log=self.log,
        )
        return super().create_task(name)

    def announce(self, context: Context, sops_task_id: int) -> Any:
        """Push id, address and the ids of the nodes."""
        detail = super().announce(context, sops_task_id)
        mapping = self._snapshot.tree.map_to_task(PipelineTree(detail.pipeline_tree))
        if mapping.unknown:
            raise SopsInvalidParameterError(
                f"SOPS task {sops_task_id} has nodes that the tree of this DAG does not have: "
                f"{', '.join(mapping.unknown[:5])}; the template has changed since",
                advice="Write the snapshot anew with `airflow-sops snapshot`, and clear this run.",
            )
        task = FlowTask.of(sops_task_id, detail.task_url, mapping)
        ti: Any = context["ti"]
        ti.xcom_push(key=NODE_PATHS_XCOM_KEY, value=task.paths)
        if task.independent:
            ti.xcom_push(key=INDEPENDENT_XCOM_KEY, value=task.independent)
        if mapping.absent:
            self.log.info(
                "%s nodes of the template are not in this task, since they were excluded.", len(mapping.absent)
            )
        return detail


class FlowOperator(SopsRunTaskOperator):
    """Live as long as the SOPS task of a watched flow, give the run its outcome and outputs, and alone revoke.

    :param start_task_id: the Airflow task that has started it.
    :param retry_delay_seconds: the longest time after which a mirror may retry its node; a failure that lasts longer
        is the flow's.
    """

    def __init__(self, *, start_task_id: str, retry_delay_seconds: float | None, **kwargs: Any) -> None:
        super().__init__(deferrable=True, check_constants=False, **kwargs)
        self.start_task_id = start_task_id
        self.retry_delay_seconds = retry_delay_seconds
        self._rest_seconds = 0.0

    def _obtain_task(self, context: Context, answered: AnsweredTasks) -> tuple[int, tuple[str, ...]]:
        ti: Any = context["ti"]
        sops_task_id = pull(ti, self.start_task_id, TASK_ID_XCOM_KEY).sops_task_id()
        answered.settled(sops_task_id)
        if self.retry_delay_seconds is not None or ti.try_number > 1:
            # Cleared tasks of one run begin in any order: a mirror may be about to retry the node that failed.
            self._rest_seconds = (self.retry_delay_seconds or 0.0) + _RETRY_LATENCY_SECONDS
        return sops_task_id, ()

    def next_steps(self, context: Context) -> NextSteps:
        """Return what clears of the run's tasks do: this one always follows the SOPS task of ``start``."""
        anew = f"Clear {self.start_task_id!r} with all tasks behind it to run the flow anew."
        longer = "Raise timeout_seconds, or execution_timeout, if it needs longer."
        again = "A retry or a clear of this task follows it again."
        return NextSteps(
            failed="Retry or skip the node there, or leave it as it is, then clear the failed tasks of this DAG run, "
            "this one among them: a repaired node is found green, and one that is still failed is retried in the same "
            "SOPS task.",
            revoked=anew,
            expired=anew,
            timed_out=f"It was revoked. {longer} {anew}" if self.revoke_on_kill else f"{longer} {again}",
            unreachable=again,
            not_started=again,
        )

    def _policy(self, context: Context, overcome: Sequence[str]) -> WaitPolicy:
        return replace(super()._policy(context, tuple(overcome)), failure_rest_seconds=self._rest_seconds)

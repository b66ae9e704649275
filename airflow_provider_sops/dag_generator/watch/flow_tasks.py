"""The two tasks that every watched flow has: ``start`` creates its SOPS task, ``flow`` is responsible for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sops.dag_generator.params import EXCLUDE_PARAM, constants_from_params
from airflow_provider_sops.dag_generator.snapshot_files import tell_template_change
from airflow_provider_sops.operators.sops.base import SopsBaseOperator, key_of
from airflow_provider_sops.operators.sops.create import SopsTemplateOperator
from airflow_provider_sops.operators.sops.run_settings import (
    START_TIMEOUT_SECONDS,
    WEEK_SECONDS,
    RunSettings,
    check_choices,
)
from airflow_provider_sops.service.durations import Duration, poll_interval, seconds, seconds_or_none
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.task_instance.mirrored_node import FlowTask
from airflow_provider_sops.task_instance.xcom import (
    INDEPENDENT_XCOM_KEY,
    NODE_PATHS_XCOM_KEY,
    TASK_ID_XCOM_KEY,
    TASK_URL_XCOM_KEY,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.operators.sops.person_needed import OnNodeFailed
    from airflow_provider_sops.operators.sops.run_settings import OnClear, RetryMode
    from airflow_provider_sops.operators.sops.task_run import SopsTaskRun
    from airflow_provider_sops.sops.models import CreatedTask, TaskDetail
    from airflow_provider_sops.sops.next_steps import NextSteps
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot
    from airflow_provider_sops.sops.wait_result import OnFailed

#: How long a retry by Airflow takes to reach SOPS, its delay left out.
_RETRY_LATENCY_SECONDS = 120.0


class FlowStartOperator(SopsTemplateOperator):
    """Create and start the SOPS task of a watched flow, and push for the mirrors which node is where.

    The same rules as of ``SopsRunTaskOperator``, whose arguments the others are: at most one started SOPS task,
    whatever crashes; a clear creates a new one, unless somebody has repaired the earlier one and it continues. It does
    not wait.

    :param snapshot: the template as the DAG was built from it.
    :param on_template_change: ``"warn"`` or ``"fail"`` if the template in SOPS has changed since.
    :param param_constants: constants whose value comes from a DAG param: ``{"${key}": "param"}``.
    """

    template_fields: Sequence[str] = (*SopsTemplateOperator.template_fields, "retry_inputs")
    template_fields_renderers = {"constants": "json", "retry_inputs": "json"}  # noqa: RUF012 - Airflow's own form
    shallow_copy_attrs: Sequence[str] = ("snapshot",)
    #: It does not wait; during an outage it leaves its worker.
    deferrable = True

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        on_template_change: Literal["warn", "fail"] = "warn",
        param_constants: Mapping[str, str] | None = None,
        retry_mode: RetryMode = "resume",
        retry_inputs: Mapping[str, Mapping[str, Any]] | None = None,
        on_clear: OnClear = "keep_repaired",
        revoke_on_kill: bool = True,
        revoke_wait_seconds: Duration = 300,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choices(retry_mode=retry_mode, on_clear=on_clear)
        self.snapshot = snapshot
        self.on_template_change: str = on_template_change
        self.param_constants = dict(param_constants or {})
        self.retry_mode = retry_mode
        self.retry_inputs = retry_inputs
        self.on_clear = on_clear
        self.revoke_on_kill = revoke_on_kill
        self.revoke_wait_seconds = seconds("revoke_wait_seconds", revoke_wait_seconds)
        self._run: SopsTaskRun | None = None

    def execute(self, context: Context) -> None:
        """Create or find the SOPS task, start it and push the ids of its nodes."""
        self._work(self._begin_run(context), context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Go on after an outage, or once revoked SOPS tasks are at rest."""
        run = self._begin_run(context)
        with run.airflow_errors():
            run.take_over(event)
        self._work(run, context)

    def _begin_run(self, context: Context) -> SopsTaskRun:
        from airflow_provider_sops.operators.sops.task_run import SopsTaskRun

        self._run = SopsTaskRun.of(self, RunSettings.of(self, wait_for_completion=False), context)
        return self._run

    def _work(self, run: SopsTaskRun, context: Context) -> None:
        from airflow_provider_sops.operators.sops.obtaining import TaskCreation

        params = context["params"]
        from_params = constants_from_params(self.snapshot.tree, self.param_constants, params)
        self.constants = {**from_params, **(self.constants or {})}
        if EXCLUDE_PARAM in params:
            self.exclude_task_nodes_id = list(params[EXCLUDE_PARAM] or ())
        with run.airflow_errors():
            self.check_parameters()
            name = self.keyed_name(key_of(context))
            sops_task_id = run.obtain(TaskCreation(name, self._create_unless_changed, self.check_against_template))
            self._push_nodes(context, sops_task_id, run.announce())
            run.start()

    def on_kill(self) -> None:
        """Revoke the SOPS task if somebody ended this task in Airflow; otherwise leave it to the next try."""
        if self._run is not None:
            self._run.on_kill()

    def _create_unless_changed(self, name: str) -> CreatedTask:
        """Create the SOPS task, if the template is still the one that the DAG shows."""
        tell_template_change(self)
        return self.create_task(name)

    def _push_nodes(self, context: Context, sops_task_id: int, detail: TaskDetail) -> None:
        mapping = self.snapshot.tree.map_to_task(PipelineTree(detail.pipeline_tree))
        if mapping.unknown:
            raise SopsInvalidParameterError(
                f"SOPS task {sops_task_id} has nodes that the tree of this DAG does not have: "
                f"{', '.join(mapping.unknown[:5])}; the template has changed since",
                advice="Write the snapshot again with `airflow-sops snapshot`, and clear this run.",
            )
        task = FlowTask.of(sops_task_id, detail.task_url, mapping)
        ti: Any = context["ti"]
        ti.xcom_push(key=NODE_PATHS_XCOM_KEY, value=task.paths)
        # Empty ones too: Airflow logs an error whenever somebody asks for an XCom that does not exist.
        ti.xcom_push(key=INDEPENDENT_XCOM_KEY, value=list(task.independent))
        if not detail.task_url:
            ti.xcom_push(key=TASK_URL_XCOM_KEY, value="")
        if mapping.absent:
            self.log.info(
                "%s nodes of the template are not in this task, since they were excluded.", len(mapping.absent)
            )


class FlowOperator(SopsBaseOperator):
    """Run as long as the SOPS task of a watched flow, give the run its outcome and outputs, and revoke if need be.

    It creates no SOPS task, and waits in the triggerer. Its other arguments are those of ``SopsRunTaskOperator``.

    :param start_task_id: the Airflow task that started the SOPS task.
    :param retry_delay_seconds: the longest time after which a mirror may retry its node; a failure that lasts longer
        fails the flow.
    """

    template_fields: Sequence[str] = (*SopsBaseOperator.template_fields, "flow_type")
    deferrable = True

    def __init__(
        self,
        *,
        start_task_id: str,
        retry_delay_seconds: float | None,
        on_failed: OnFailed = "fail",
        poll_interval_seconds: Duration | None = None,
        timeout_seconds: Duration | None = WEEK_SECONDS,
        start_timeout_seconds: Duration | None = START_TIMEOUT_SECONDS,
        revoke_on_kill: bool = True,
        on_node_failed: OnNodeFailed = None,
        flow_type: str = "common",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choices(on_failed=on_failed)
        self.start_task_id = start_task_id
        self.retry_delay_seconds = retry_delay_seconds
        self.on_failed = on_failed
        self.poll_interval_seconds = poll_interval(poll_interval_seconds)
        self.timeout_seconds = seconds_or_none("timeout_seconds", timeout_seconds, above_zero=True)
        self.start_timeout_seconds = seconds_or_none("start_timeout_seconds", start_timeout_seconds, above_zero=True)
        self.revoke_on_kill = revoke_on_kill
        self.on_node_failed = on_node_failed
        self.flow_type = flow_type
        self._run: SopsTaskRun | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Wait for the end of the SOPS task that ``start`` created; start it if ``start`` did not get that far."""
        return self._work(self._begin_run(context), context)

    def _work(self, run: SopsTaskRun, context: Context) -> dict[str, Any]:
        from airflow_provider_sops.task_instance.flow_xcom import pull

        with run.airflow_errors():
            ti: Any = context["ti"]
            run.adopt(pull(ti, self.start_task_id, TASK_ID_XCOM_KEY).sops_task_id())
            detail = run.announce()
            run.start()
            return run.take_outputs(run.wait(detail, deferrable=True))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Take over from the trigger once the SOPS task is over, once a person is needed, or after an outage."""
        run = self._begin_run(context)
        with run.airflow_errors():
            waited = run.take_over(event)
            if waited is not None:
                return run.take_outputs(run.resume(waited))
        return self._work(run, context)

    def on_kill(self) -> None:
        """Revoke the SOPS task if somebody ended this task in Airflow; otherwise leave it to the next try."""
        if self._run is not None:
            self._run.on_kill()

    def next_steps(self) -> NextSteps:
        """Return what clears of the run's tasks do: this one always waits for the SOPS task of ``start``."""
        from airflow_provider_sops.sops.next_steps import NextSteps

        from_the_start = f"Clear {self.start_task_id!r} with all tasks behind it to run the whole flow again."
        longer = "Raise timeout_seconds, or execution_timeout, if it needs longer."
        again = "A retry or a clear of this task follows it again."
        return NextSteps(
            failed="Retry or skip the node there, or leave it as it is, then clear the failed tasks of this DAG run, "
            "this one among them: a repaired node is found green, and one that is still failed is retried in the same "
            "SOPS task.",
            revoked=from_the_start,
            expired=from_the_start,
            timed_out=f"It is revoked now. {longer} {from_the_start}" if self.revoke_on_kill else f"{longer} {again}",
            unreachable=again,
            not_started=again,
            limit=RunSettings.of(self).limit,
        )

    def _begin_run(self, context: Context) -> SopsTaskRun:
        from airflow_provider_sops.operators.sops.task_run import SopsTaskRun

        settings = RunSettings.of(
            self, failure_rest_seconds=self._rest_seconds(context), defer_after_seconds=0.0, only_follows=True
        )
        self._run = SopsTaskRun.of(self, settings, context, self.next_steps())
        return self._run

    def _rest_seconds(self, context: Context) -> float:
        ti: Any = context["ti"]
        if self.retry_delay_seconds is None and ti.try_number == 1:
            return 0.0
        # Cleared tasks of one run begin in any order: a mirror may be about to retry the node that failed.
        return (self.retry_delay_seconds or 0.0) + _RETRY_LATENCY_SECONDS

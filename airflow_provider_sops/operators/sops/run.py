"""Running a SOPS task: create, start, wait for its end, take its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_sops.operators.sops.base import key_of
from airflow_provider_sops.operators.sops.create import SopsTemplateOperator
from airflow_provider_sops.operators.sops.run_settings import (
    DEFER_AFTER_SECONDS,
    START_TIMEOUT_SECONDS,
    WEEK_SECONDS,
    RunSettings,
    check_approvals,
    check_choices,
)
from airflow_provider_sops.service.durations import Duration, poll_interval, seconds, seconds_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.operators.sops.person_needed import OnNodeFailed
    from airflow_provider_sops.operators.sops.run_settings import Approvals, OnClear, RetryMode
    from airflow_provider_sops.operators.sops.task_run import SopsTaskRun
    from airflow_provider_sops.sops.wait_result import OnFailed


class SopsRunTaskOperator(SopsTemplateOperator):
    """Run a SOPS template as a task, wait for its end and return its outputs.

    Returns ``{"name": value}`` for every output ``${name}`` of the task, JSON types kept and password-type ones left
    out. XCom also has ``sops_task_id``, ``sops_task_url`` and ``sops_task_state``, and ``sops_claim_url`` with
    ``flow_type="common_func"`` where SOPS gives it.

    One Airflow task instance has at most one started SOPS task per generation, whatever crashes: see ``retry_mode``
    and ``on_clear``. Known limit: a clear of a *running* task, or one after ``retries`` was lowered, may look like a
    retry to Airflow itself; then the running SOPS task is joined, never doubled.

    Revoking never stops the node that runs at that moment: SOPS lets it finish and starts no further one.

    Calls get_task_list, get_template_info, create_task, get_task_detail, start_task and, while it waits,
    get_task_status.

    Each ``..._seconds`` is a number of seconds or a ``timedelta``.

    :param wait_for_completion: wait for the end. Default ``True``; with ``False`` the task succeeds as soon as the
        SOPS task is started and returns nothing.
    :param deferrable: wait in the triggerer instead of holding a worker slot. Default: Airflow's
        ``[operators] default_deferrable``.
    :param defer_after_seconds: with ``deferrable``, how long to wait on the worker first: for a flow that ends within
        that time the way to the triggerer and back would take longer. Default 8; 0 defers at once.
    :param poll_interval_seconds: time between two looks at the task. Default: ``[sops] poll_interval_seconds`` of
        Airflow's configuration, or else a tenth of the time that the flow has been running, at least 1.5 and at most
        10 seconds. SOPS caches its answers for 10 seconds; by default shorter
        pauses bypass that cache, a fixed number of seconds does not.
    :param timeout_seconds: how long one try may wait for the end; after that the SOPS task is revoked and this task
        fails. Default 7 days; ``None`` for no limit. An ``execution_timeout`` that ends earlier counts instead.
    :param start_timeout_seconds: how long SOPS may leave a started task CREATED. Default 600; not applied by default
        to ``flow_type="common_func"``, which waits for a person to claim it; ``None`` for no limit.
    :param max_outage_seconds: how long SOPS may be out of reach, at any moment of the run, before this task fails.
        Default: ``[sops] max_outage_seconds`` of Airflow's configuration, 3600. An outage outside the wait holds the
        worker for a minute, and then the triggerer waits, or the worker on if the task is not deferrable. Refused
        inputs and, before anything runs, refused credentials are no outage.
    :param on_failed: ``"fail"`` (default): fail once nodes have failed, no branch runs and SOPS is not going to retry
        by itself. ``"wait"``: wait for people to retry or skip the nodes in SOPS, until the timeout.
    :param retry_mode: what an Airflow retry does with the SOPS task of the try before. ``"resume"`` (default): joins
        a running one, takes the outputs of a finished one, retries the failed nodes of a failed one; only a revoked
        or expired one is replaced. ``"new"``: takes the outputs of a finished one, revokes any other and runs another.
    :param retry_inputs: new inputs for failed nodes that ``"resume"`` retries, by the node's id in the template or by
        its name: ``{"publish": {"bk_http_request_url": ...}}``. They take the place of all inputs of the node.
        (templated)
    :param on_clear: what a clear by a person does with earlier SOPS tasks. ``"keep_repaired"`` (default): if somebody
        has skipped or retried failed nodes of the latest one in SOPS, it is joined while it goes on, and its outputs
        are taken once it is FINISHED, unless this task had succeeded with them before; in all other cases as
        ``"new"``. What people have done in SOPS after a failure is not undone by a button that says no more than
        "Clear". A retry that this task itself has sent counts as one by somebody. ``"new"``: revokes every one that
        has not ended, FAILED and repaired ones included, and runs another. ``"resume"``: goes on with the latest one
        as a retry does. ``"fail"``: refuses as long as one has not ended.
    :param revoke_on_kill: revoke the SOPS task when this task is ended by a person in Airflow or runs out of time.
        Default ``True``.
    :param revoke_wait_seconds: before another task is created, how long to wait until no node of a revoked one runs.
        Default 300; then this task fails. With ``deferrable`` the triggerer waits.
    :param approvals: where a node that waits for a person (``bk_approve``, ``pause_node``) is answered. ``"sops"``
        (default): in SOPS. ``"airflow"``: in Airflow's *Required Actions* too, with SOPS's title, text and verifiers;
        needs Airflow 3.1 and ``deferrable``. A task has one request there: see "Approvals in Airflow" in the
        documentation.
    :param on_node_failed: with ``on_failed="wait"``, called with Airflow's context each time nodes have failed and
        a person is needed; ``context["exception"]`` names them. A callable, a notifier, or a list of them.
    """

    template_fields: Sequence[str] = (*SopsTemplateOperator.template_fields, "retry_inputs")
    template_fields_renderers = {"constants": "json", "retry_inputs": "json"}  # noqa: RUF012 - Airflow's own form

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        defer_after_seconds: Duration = DEFER_AFTER_SECONDS,
        poll_interval_seconds: Duration | None = None,
        timeout_seconds: Duration | None = WEEK_SECONDS,
        start_timeout_seconds: Duration | None = START_TIMEOUT_SECONDS,
        on_failed: OnFailed = "fail",
        retry_mode: RetryMode = "resume",
        retry_inputs: Mapping[str, Mapping[str, Any]] | None = None,
        on_clear: OnClear = "keep_repaired",
        revoke_on_kill: bool = True,
        revoke_wait_seconds: Duration = 300,
        approvals: Approvals = "sops",
        on_node_failed: OnNodeFailed = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choices(on_failed=on_failed, retry_mode=retry_mode, on_clear=on_clear, approvals=approvals)
        check_approvals(approvals, deferrable=deferrable, wait_for_completion=wait_for_completion)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.defer_after_seconds = seconds("defer_after_seconds", defer_after_seconds)
        self.poll_interval_seconds = poll_interval(poll_interval_seconds)
        self.timeout_seconds = seconds_or_none("timeout_seconds", timeout_seconds, above_zero=True)
        self.start_timeout_seconds = seconds_or_none("start_timeout_seconds", start_timeout_seconds, above_zero=True)
        self.on_failed = on_failed
        self.retry_mode = retry_mode
        self.retry_inputs = retry_inputs
        self.on_clear = on_clear
        self.revoke_on_kill = revoke_on_kill
        self.revoke_wait_seconds = seconds("revoke_wait_seconds", revoke_wait_seconds)
        self.approvals = approvals
        self.on_node_failed = on_node_failed
        self._run: SopsTaskRun | None = None

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Create or join the SOPS task, start it and wait for its end."""
        return self._work(self._begin_run(context), context)

    def execute_complete(
        self, context: Context, event: dict[str, Any], trigger: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """Take over once the SOPS task is over, once a person is needed or has answered, or after an outage.

        :param trigger: the arguments of the trigger, where Airflow itself may have ended the deferral.
        """
        if trigger is not None:
            event = {"trigger": trigger, **event}
        run = self._begin_run(context)
        with run.airflow_errors():
            waited = run.take_over(event)
            if waited is not None:
                return run.take_outputs(run.resume(waited))
        return self._work(run, context)

    def on_kill(self) -> None:
        """Revoke the SOPS task if somebody has decided this task's end; leave it to the next try otherwise."""
        if self._run is not None:
            self._run.on_kill()

    def _work(self, run: SopsTaskRun, context: Context) -> dict[str, Any] | None:
        from airflow_provider_sops.operators.sops.obtaining import TaskCreation

        with run.airflow_errors():
            self.check_parameters()
            name = self.keyed_name(key_of(context))
            run.obtain(TaskCreation(name, self.create_task, self.check_against_template))
            detail = run.announce()
            run.start()
            if not self.wait_for_completion:
                return None
            return run.take_outputs(run.wait(detail, deferrable=self.deferrable))

    def _begin_run(self, context: Context) -> SopsTaskRun:
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.operators.sops.task_run import SopsTaskRun

        self._run = SopsTaskRun.of(self, RunSettings.of(self), context)
        return self._run

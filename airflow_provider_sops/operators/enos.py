"""Running an EnOS flow: trigger it, wait for the end of its instance."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, BaseOperator, conf

from airflow_provider_sops.enos.errors import EnosError, EnosInvalidParameterError
from airflow_provider_sops.enos.outcome import flow_steps, outcome_error, read_success_statuses
from airflow_provider_sops.enos.times import read_moment
from airflow_provider_sops.enos.trigger_slots import TriggerSlots
from airflow_provider_sops.enos.wait_result import InstanceKind, Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.operators.enos_triggering import FlowTriggering, cancel_flow_instance
from airflow_provider_sops.service.durations import Duration, seconds, seconds_or_none
from airflow_provider_sops.task_instance.enos_errors import enos_airflow_errors
from airflow_provider_sops.task_instance.instance_follower import InstanceFollower, instance_xcom, write_logs
from airflow_provider_sops.task_instance.state import is_ended_by_decision
from airflow_provider_sops.task_instance.time_limits import wait_deadline
from airflow_provider_sops.task_instance.told_lines import tell_again
from airflow_provider_sops.task_instance.xcom import FLOW_INSTANCE_ID_XCOM_KEY, INSTANCE_STATUS_XCOM_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pendulum
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_sops.hooks.enos import EnosHook

_WEEK_SECONDS = 7 * 24 * 3600.0


class EnosTriggerFlowOperator(BaseOperator):
    """Run an EnOS flow, wait for the end of its instance and return the instance.

    Returns what ``get_flow_instance`` gives, under EnOS's own names, with ``graph`` and ``parameters`` decoded. XCom
    also has ``enos_flow_instance_id`` and ``enos_status`` (its word).

    EnOS takes no key from its client, so an instance is known by flow and trigger time: the time at which the DAG run
    was due, and one minute more for each further try. An Airflow retry finds the instance of the try before: it joins
    one that goes on, takes one that has succeeded, and triggers another where that one has failed or was stopped. A
    trigger whose answer was lost is looked up and never sent again. A task that was cleared triggers another instance,
    and leaves an earlier one as it is; EnOS runs one instance of a flow at a time, so the new one waits for it.

    What it cannot know: EnOS does not say who made an instance. If the first try finds one that it has not made, the
    task fails and says so. If a try ended before it triggered, and somebody else then triggers the same flow for the
    very same minute, the next try takes that instance for its own. A clear of a *running* task may look like a retry
    to Airflow itself; then the running instance is joined. A changed number of ``retries`` shifts what counts as
    cleared.

    Stopping an instance does not stop what EnOS has submitted to its cluster already.

    Each ``..._seconds`` is a number of seconds or a ``timedelta``.

    Calls search_flow_instances, one of trigger_flow, trigger_flow_from_task and update_and_trigger_flow, and, while it
    waits, get_flow_instance and get_task_instance.

    :param flow_id: id of the flow. The user must be its owner. (templated)
    :param enos_task_id: run only this task of the flow and those behind it; its id, not that of an instance. Not
        together with ``parameters``. (templated)
    :param parameters: values for the flow's parameters, by key, for this instance alone. (templated)
    :param trigger_time: the trigger time of the first try, from which EnOS works out the flow's time parameters: a
        time with its zone, its ISO 8601 text, or milliseconds since the epoch. In the past: at once. Default: when the
        DAG run was due (its ``run_after``; in Airflow 2 the end of its data interval, of a manual run its logical
        date). Tasks of one run that trigger the same flow need one each, a minute or more apart. (templated)
    :param enos_conn_id: the Airflow connection of type ``enos``. (templated)
    :param user_id: the user to act for; default: the one of the connection. (templated)
    :param org_id: the user's organisation; default: the one of the connection. (templated)
    :param wait_for_completion: wait for the end. Default ``True``; with ``False`` the task succeeds as soon as the
        instance is made and returns nothing.
    :param deferrable: wait in the triggerer instead of holding a worker slot. Default: Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval_seconds: time between two looks at the instance. Default 30.
    :param timeout_seconds: how long one try may wait for the end; after that the instance is stopped and this task
        fails. Default 7 days; ``None`` for no limit. An ``execution_timeout`` that ends earlier counts instead.
    :param max_outage_seconds: how long EnOS may be out of reach, at any moment, before this task fails. Default 3600.
        Outside the wait, an outage is waited for on the worker.
    :param rerun_wait_seconds: how long an instance that has failed with automatic reruns left may stand still before
        that counts as its end. Default 1800.
    :param settle_seconds: how long a failed flow in which nothing runs, but some tasks have not begun, must stand still
        before that counts as its end. Default 60.
    :param success_statuses: with which statuses the instance has succeeded: some of SUCCESS (the default), SKIP, FAIL,
        TIMEOUT, INTERNAL_ERROR and CANCEL. With any other the task fails.
    :param cancel_on_kill: stop the instance when this task is ended by a person in Airflow or runs out of time.
        Default ``True``.
    """

    template_fields: Sequence[str] = (
        "flow_id",
        "enos_task_id",
        "parameters",
        "trigger_time",
        "enos_conn_id",
        "user_id",
        "org_id",
    )
    template_fields_renderers = {"parameters": "json"}  # noqa: RUF012 - Airflow's own form
    ui_color = "#e3f5e8"

    def __init__(
        self,
        *,
        flow_id: int | str | XComArg,
        enos_task_id: int | str | XComArg | None = None,
        parameters: Mapping[str, Any] | XComArg | None = None,
        trigger_time: pendulum.DateTime | str | int | XComArg | None = None,
        enos_conn_id: str = "enos_default",
        user_id: str | None = None,
        org_id: str | None = None,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval_seconds: Duration = 30,
        timeout_seconds: Duration | None = _WEEK_SECONDS,
        max_outage_seconds: Duration = 3600,
        rerun_wait_seconds: Duration = 1800,
        settle_seconds: Duration = 60,
        success_statuses: Sequence[str] = ("SUCCESS",),
        cancel_on_kill: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if enos_task_id is not None and parameters is not None:
            raise ValueError("EnOS runs a flow either from a task on or with parameters, not both at once")
        # Outputs of other tasks become values before `execute`.
        self.flow_id: Any = flow_id
        self.enos_task_id: Any = enos_task_id
        self.parameters: Any = parameters
        self.trigger_time: Any = trigger_time
        self.enos_conn_id = enos_conn_id
        self.user_id = user_id
        self.org_id = org_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval_seconds = seconds("poll_interval_seconds", poll_interval_seconds, above_zero=True)
        self.timeout_seconds = seconds_or_none("timeout_seconds", timeout_seconds, above_zero=True)
        self.max_outage_seconds = seconds("max_outage_seconds", max_outage_seconds)
        self.rerun_wait_seconds = seconds("rerun_wait_seconds", rerun_wait_seconds)
        self.settle_seconds = seconds("settle_seconds", settle_seconds)
        self.success_statuses = read_success_statuses(success_statuses)
        self.cancel_on_kill = cancel_on_kill
        self._triggering: FlowTriggering | None = None
        self._ti: Any = None

    @cached_property
    def hook(self) -> EnosHook:
        """The connection to EnOS; made when first needed, so never while a DAG file is parsed."""
        from airflow_provider_sops.hooks.enos import EnosHook

        return EnosHook(self.enos_conn_id, user_id=self.user_id, org_id=self.org_id)

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Trigger the flow, or join the instance of an earlier try, and wait for its end."""
        try:
            return self._run(context)
        except AirflowTaskTimeout:
            # Airflow's own alarm, where a call took longer than the margin before it.
            if self.cancel_on_kill:
                self._cancel_at_once("its execution_timeout is over")
            raise

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Take over from the trigger once the instance is over."""
        from airflow_provider_sops.triggers.enos import EnosFlowInstanceTrigger

        with enos_airflow_errors(answers_for_instance=lambda: True):
            self.hook.be_patient(self.max_outage_seconds, self.log, may_be_running=lambda: True)
            trigger = EnosFlowInstanceTrigger.from_event(event)
            tell_again(event, self.log)
            return self._conclude(context, trigger.instance_id, WaitResult.from_event(event))

    def on_kill(self) -> None:
        """Stop the instance if somebody has decided this task's end; leave it to the next try otherwise."""
        if self._triggering is None or not self.cancel_on_kill:
            return
        if not is_ended_by_decision(self._ti):
            self.log.info("The EnOS instance is left alone: nobody ended this task in Airflow.")
            return
        self._cancel_at_once("this task was ended in Airflow")

    def _run(self, context: Context) -> dict[str, Any] | None:
        self._ti = context["ti"]
        with enos_airflow_errors(
            answers_for_instance=lambda: bool(self._triggering and self._triggering.may_be_running)
        ):
            self._triggering = triggering = self._make_triggering(context)
            self.hook.be_patient(
                self.max_outage_seconds, self.log, may_be_running=lambda: triggering.instance_id is not None
            )
            instance_id = triggering.obtain()
            self._ti.xcom_push(key=FLOW_INSTANCE_ID_XCOM_KEY, value=instance_id)
            self.log.info("EnOS flow instance %s", instance_id)
            if not self.wait_for_completion:
                return None
            policy = self._policy()
            if self.deferrable:
                self._defer(instance_id, policy)
            result = InstanceFollower(self.hook, InstanceKind.FLOW, instance_id, policy, self.log).to_the_end()
            return self._conclude(context, instance_id, result)

    def _make_triggering(self, context: Context) -> FlowTriggering:
        if self.enos_task_id is not None and self.parameters is not None:
            raise EnosInvalidParameterError("enos_task_id and parameters cannot be combined")
        ti: Any = context["ti"]
        slots = TriggerSlots.of(
            self._due(context), try_number=ti.try_number, max_tries=ti.max_tries, retries=self.retries or 0
        )
        return FlowTriggering(
            self.hook, _read_flow_id(self.flow_id), slots, self.success_statuses, self._send_trigger, self.log
        )

    def _due(self, context: Context) -> pendulum.DateTime:
        """Return the trigger time of the first try."""
        if self.trigger_time is not None:
            return read_moment(self.trigger_time, "trigger_time")
        dag_run: Any = context["dag_run"]
        due = getattr(dag_run, "run_after", None)
        if due is None:
            manual = str(getattr(dag_run.run_type, "value", dag_run.run_type)) == "manual"
            due = dag_run.logical_date if manual else dag_run.data_interval_end or dag_run.logical_date
        return read_moment(due, "the DAG run's time")

    def _send_trigger(self, trigger_time: pendulum.DateTime) -> str:
        if self.enos_task_id is not None:
            return self.hook.trigger_flow_from_task(self.flow_id, self.enos_task_id, trigger_time)
        if self.parameters is not None:
            return self.hook.update_and_trigger_flow(self.flow_id, trigger_time, self.parameters)
        return self.hook.trigger_flow(self.flow_id, trigger_time)

    def _policy(self) -> WaitPolicy:
        return WaitPolicy(
            poll_interval_seconds=self.poll_interval_seconds,
            deadline=wait_deadline(self.timeout_seconds, self.execution_timeout, self._ti, time.time()),
            max_outage_seconds=self.max_outage_seconds,
            rerun_wait_seconds=self.rerun_wait_seconds,
            settle_seconds=self.settle_seconds,
        )

    def _defer(self, instance_id: str, policy: WaitPolicy) -> None:
        from airflow_provider_sops.triggers.enos import EnosFlowInstanceTrigger

        self.defer(
            trigger=EnosFlowInstanceTrigger(
                enos_conn_id=self.enos_conn_id,
                user_id=self.user_id,
                org_id=self.org_id,
                instance_id=instance_id,
                policy=policy,
                cancel_on_kill=self.cancel_on_kill,
            ),
            method_name="execute_complete",
        )

    def _conclude(self, context: Context, instance_id: str, result: WaitResult) -> dict[str, Any]:
        ti: Any = context["ti"]
        ti.xcom_push(key=INSTANCE_STATUS_XCOM_KEY, value=result.status)
        if result.outcome == Outcome.TIMED_OUT and self.cancel_on_kill:
            try:
                cancel_flow_instance(self.hook, instance_id)
            except EnosError:
                self.log.error("Instance %s timed out, but it is not stopped and may still run.", instance_id)
                raise
            self.log.info("Instance %s is stopped because it timed out.", instance_id)
        if result.outcome == Outcome.ENDED and result.status in self.success_statuses:
            self.log.info("Instance %s is %s.", instance_id, result.status)
            return instance_xcom(self.hook.get_flow_instance(instance_id))
        write_logs(self.hook, result.failed, self.log)
        steps = flow_steps(stops_when_out_of_time=self.cancel_on_kill)
        raise outcome_error(result, InstanceKind.FLOW, instance_id, steps)

    def _cancel_at_once(self, why: str) -> None:
        """Stop the instance in the few seconds before this process is killed. What fails is logged."""
        if self._triggering is None:
            return
        try:
            instance_id = self._triggering.cancel_at_once()
        except EnosError as error:
            self.log.error("The EnOS instance could not be stopped and may still run: %s", error)
        else:
            if instance_id is not None:
                self.log.info("EnOS flow instance %s is stopped because %s.", instance_id, why)


def _read_flow_id(value: Any) -> int:
    """Return a ``flow_id`` as it comes out of a template.

    :raises EnosInvalidParameterError: if it is no positive number, such as the ``None`` of a missing XCom.
    """
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise EnosInvalidParameterError(
            f"flow_id is {value!r}, which is not the id of a flow",
            advice="If it comes from XCom, check that the task which pushes it has run in this DAG run.",
        )
    return int(text)

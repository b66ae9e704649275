"""Waiting for an EnOS instance that somebody else runs, or its own schedule."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_sops.enos.errors import EnosError, EnosInvalidParameterError
from airflow_provider_sops.enos.outcome import SENSOR_STEPS, outcome_error, read_success_statuses
from airflow_provider_sops.enos.wait_result import InstanceKind, Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.service.durations import Duration, seconds
from airflow_provider_sops.task_instance.enos_errors import enos_airflow_errors
from airflow_provider_sops.task_instance.instance_follower import InstanceFollower, look_at, write_logs
from airflow_provider_sops.task_instance.xcom import INSTANCE_STATUS_XCOM_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_sops.hooks.enos import EnosHook
    from airflow_provider_sops.triggers.enos import EnosFlowInstanceTrigger, EnosTaskInstanceTrigger


class EnosInstanceSensor(BaseSensorOperator):
    """Common ground of the two sensors below; use one of these.

    Works with ``mode="poke"`` and ``"reschedule"`` and deferrable alike. It never stops the instance: whoever started
    it answers for it. An instance that ends with a status which does not count as success fails the sensor without a
    retry, or skips it with ``soft_fail``.

    Each duration is a number of seconds or a ``timedelta``.

    :param enos_conn_id: the Airflow connection of type ``enos``. (templated)
    :param user_id: the user to act for; default: the one of the connection. (templated)
    :param org_id: the user's organisation; default: the one of the connection. (templated)
    :param success_statuses: with which statuses the instance has succeeded: some of SUCCESS (the default), SKIP, FAIL,
        TIMEOUT, INTERNAL_ERROR and CANCEL.
    :param rerun_wait_seconds: how long an instance that has failed with automatic reruns left may stand still before
        that counts as its end. Default 1800. With ``mode="reschedule"`` each poke stands alone and only the sensor's
        ``timeout`` counts.
    :param settle_seconds: how long a failed flow in which nothing runs, but some tasks have not begun, must stand still
        before that counts as its end. Default 60. The poke that finds it so lasts that long.
    :param max_outage_seconds: how long EnOS may be out of reach before the sensor fails. Default 3600. With
        ``mode="reschedule"`` each poke stands alone and only the sensor's ``timeout`` counts.
    :param deferrable: wait in the triggerer. Default: Airflow's ``[operators] default_deferrable``.
    :param poke_interval: time between two looks. Default 30.
    """

    kind: ClassVar[InstanceKind]
    ui_color = "#e3f5e8"

    def __init__(
        self,
        *,
        enos_conn_id: str = "enos_default",
        user_id: str | None = None,
        org_id: str | None = None,
        success_statuses: Sequence[str] = ("SUCCESS",),
        rerun_wait_seconds: Duration = 1800,
        settle_seconds: Duration = 60,
        max_outage_seconds: Duration = 3600,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: Duration = 30,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("timeout") is not None:
            kwargs["timeout"] = seconds("timeout", kwargs["timeout"])
        super().__init__(poke_interval=seconds("poke_interval", poke_interval, above_zero=True), **kwargs)
        self.enos_conn_id = enos_conn_id
        self.user_id = user_id
        self.org_id = org_id
        self.success_statuses = read_success_statuses(success_statuses)
        self.rerun_wait_seconds = seconds("rerun_wait_seconds", rerun_wait_seconds)
        self.settle_seconds = seconds("settle_seconds", settle_seconds)
        self.max_outage_seconds = seconds("max_outage_seconds", max_outage_seconds)
        self.deferrable = deferrable
        self._follower: InstanceFollower | None = None

    @cached_property
    def hook(self) -> EnosHook:
        """The connection to EnOS; made when first needed, so never while a DAG file is parsed."""
        from airflow_provider_sops.hooks.enos import EnosHook

        return EnosHook(self.enos_conn_id, user_id=self.user_id, org_id=self.org_id)

    def execute(self, context: Context) -> Any:
        """Wait on the worker, or hand over to the triggerer."""
        if self.deferrable:
            self._defer()
        return super().execute(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the instance once."""
        with enos_airflow_errors(in_sensor=True):
            instance_id = self._read_instance_id()
            if self._follower is None:
                self._check_first(instance_id)
                policy = self._policy(deadline=None)
                self._follower = InstanceFollower(self.hook, self.kind, instance_id, policy, self.log)
            result = self._follower.once()
            if result is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._conclude(context, instance_id, result))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Take over from the trigger once the instance is over."""
        with enos_airflow_errors(in_sensor=True):
            instance_id = self._trigger_class().from_event(event).instance_id
            result = WaitResult.from_event(event)
            if result.outcome == Outcome.TIMED_OUT:
                raise AirflowSensorTimeout(str(outcome_error(result, self.kind, instance_id, SENSOR_STEPS)))
            return self._conclude(context, instance_id, result)

    def _defer(self) -> None:
        try:
            with enos_airflow_errors(in_sensor=True):
                instance_id = self._read_instance_id()
                self._check_first(instance_id)
        except AirflowFailException as error:
            # Airflow itself applies soft_fail to pokes and after a deferral, not to what comes before one.
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        self.defer(
            trigger=self._trigger_class()(
                enos_conn_id=self.enos_conn_id,
                user_id=self.user_id,
                org_id=self.org_id,
                instance_id=instance_id,
                policy=self._policy(deadline=time.time() + self.timeout),
            ),
            method_name="execute_complete",
        )

    def _check_first(self, instance_id: str) -> None:
        """Look once before waiting begins, so that what can never work is said at once."""
        self.log.info("Waiting for EnOS %s %s", self.kind.value, instance_id)
        try:
            look_at(self.hook, self.kind, instance_id, self.log)
        except EnosError as error:
            if not error.temporary:
                raise
            self.log.warning("EnOS gives no usable answer yet: %s", error)

    def _read_instance_id(self) -> str:
        raise NotImplementedError

    def _read_instance(self, instance_id: str) -> dict[str, Any]:
        raise NotImplementedError

    def _trigger_class(self) -> type[EnosTaskInstanceTrigger] | type[EnosFlowInstanceTrigger]:
        raise NotImplementedError

    def _policy(self, deadline: float | None) -> WaitPolicy:
        return WaitPolicy(
            poll_interval_seconds=self.poke_interval,
            deadline=deadline,
            max_outage_seconds=self.max_outage_seconds,
            rerun_wait_seconds=self.rerun_wait_seconds,
            settle_seconds=self.settle_seconds,
        )

    def _conclude(self, context: Context, instance_id: str, result: WaitResult) -> dict[str, Any]:
        ti: Any = context["ti"]
        ti.xcom_push(key=INSTANCE_STATUS_XCOM_KEY, value=result.status)
        if result.outcome == Outcome.ENDED and result.status in self.success_statuses:
            self.log.info("EnOS %s %s is %s.", self.kind.value, instance_id, result.status)
            return self._read_instance(instance_id)
        write_logs(self.hook, result.failed, self.log)
        raise outcome_error(result, self.kind, instance_id, SENSOR_STEPS)


class EnosTaskInstanceSensor(EnosInstanceSensor):
    """Wait for an EnOS task instance to end and return it.

    Returns what ``get_task_instance`` gives, under EnOS's own names, with ``runMode`` decoded. XCom also has
    ``enos_status`` (its word). How it waits, and the parameters of both sensors, are in ``EnosInstanceSensor``.

    A failed task with automatic reruns left (``recallNum`` below ``recallLimit``) has not ended. v2.0 of the API has no
    such call.

    Calls get_task_instance and, of a failed one, get_task_instance_log.

    :param enos_task_instance_id: ``118979-2021020211``; not the id of a flow's instance, which looks alike. (templated)
    """

    kind = InstanceKind.TASK
    template_fields: Sequence[str] = ("enos_task_instance_id", "enos_conn_id", "user_id", "org_id")

    def __init__(self, *, enos_task_instance_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enos_task_instance_id: Any = enos_task_instance_id

    def _read_instance_id(self) -> str:
        return _read_instance_id("enos_task_instance_id", self.enos_task_instance_id)

    def _read_instance(self, instance_id: str) -> dict[str, Any]:
        return self.hook.get_task_instance(instance_id).to_json()

    def _trigger_class(self) -> type[EnosTaskInstanceTrigger]:
        from airflow_provider_sops.triggers.enos import EnosTaskInstanceTrigger

        return EnosTaskInstanceTrigger


class EnosFlowInstanceSensor(EnosInstanceSensor):
    """Wait for an EnOS flow instance to end and return it.

    Returns what ``get_flow_instance`` gives, under EnOS's own names, with ``graph`` and ``parameters`` decoded. XCom
    also has ``enos_status`` (its word).

    A failed flow has not ended while any of its tasks runs or has automatic reruns left. How it waits, and the
    parameters of both sensors, are in ``EnosInstanceSensor``.

    Calls get_flow_instance and, of a failed one, get_task_instance and get_task_instance_log.

    :param enos_flow_instance_id: ``8435-2021020211``; not the id of a task's instance, which looks alike. (templated)
    """

    kind = InstanceKind.FLOW
    template_fields: Sequence[str] = ("enos_flow_instance_id", "enos_conn_id", "user_id", "org_id")

    def __init__(self, *, enos_flow_instance_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enos_flow_instance_id: Any = enos_flow_instance_id

    def _read_instance_id(self) -> str:
        return _read_instance_id("enos_flow_instance_id", self.enos_flow_instance_id)

    def _read_instance(self, instance_id: str) -> dict[str, Any]:
        return self.hook.get_flow_instance(instance_id).to_json()

    def _trigger_class(self) -> type[EnosFlowInstanceTrigger]:
        from airflow_provider_sops.triggers.enos import EnosFlowInstanceTrigger

        return EnosFlowInstanceTrigger


def _read_instance_id(name: str, value: Any) -> str:
    """Return an instance's id as it comes out of a template.

    :raises EnosInvalidParameterError: if there is none, such as the ``None`` of a missing XCom.
    """
    text = "" if value is None else str(value).strip()
    if not text or text == "None":
        raise EnosInvalidParameterError(
            f"{name} is {value!r}, which is no id of an instance",
            advice="If it comes from XCom, check that the task which pushes it has run in this DAG run.",
        )
    return text

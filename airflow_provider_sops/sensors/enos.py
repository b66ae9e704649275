"""Waiting for an EnOS instance that somebody else runs, or its own schedule."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_sops.enos.errors import EnosInvalidParameterError
from airflow_provider_sops.enos.outcome import read_success_statuses
from airflow_provider_sops.enos.wait_result import InstanceKind, WaitPolicy, WaitResult
from airflow_provider_sops.sensors.waiting_sensor import WaitingSensor
from airflow_provider_sops.service.durations import Duration, seconds
from airflow_provider_sops.task_instance.enos_errors import enos_airflow_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_sops.hooks.enos import EnosHook
    from airflow_provider_sops.sensors.enos_waits import AwaitedInstance

# What only a running task needs is imported inside methods, so that DAG files are parsed quickly.


class EnosInstanceSensor(WaitingSensor):
    """Common ground of the two sensors below; use one of these.

    Works with ``mode="poke"`` and ``"reschedule"`` and deferrable alike. It never stops the instance: whoever started
    it is responsible for it. An instance that ends with a status which does not count as success fails the sensor
    without a retry, or skips it with ``soft_fail``.

    Each duration is a number of seconds or a ``timedelta``.

    :param enos_conn_id: the Airflow connection of type ``enos``. (templated)
    :param user_id: the user to act for; default: the connection's. (templated)
    :param org_id: the user's organisation; default: the connection's. (templated)
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
    #: The first one is the instance's id.
    template_fields: Sequence[str]
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
        poke_interval: Duration = 30,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.enos_conn_id = enos_conn_id
        self.user_id = user_id
        self.org_id = org_id
        self.success_statuses = read_success_statuses(success_statuses)
        self.rerun_wait_seconds = seconds("rerun_wait_seconds", rerun_wait_seconds)
        self.settle_seconds = seconds("settle_seconds", settle_seconds)

    @cached_property
    def hook(self) -> EnosHook:
        """The connection to EnOS; made when first needed, so never while a DAG file is parsed."""
        from airflow_provider_sops.hooks.enos import EnosHook

        return EnosHook(self.enos_conn_id, user_id=self.user_id, org_id=self.org_id)

    def _find(self, context: Context) -> AwaitedInstance:
        awaited = self._awaited_instance(self._read_instance_id())
        awaited.look_first()
        return awaited

    def _take_over(self, event: dict[str, Any]) -> dict[str, Any]:
        self.hook.be_patient(self.outage_seconds, self.log, may_be_running=lambda: True)
        return event

    def _from_event(self, event: dict[str, Any]) -> tuple[AwaitedInstance, WaitResult]:
        from airflow_provider_sops.sensors.enos_waits import instance_in

        instance_id, result = instance_in(event, self.kind)
        return self._awaited_instance(instance_id), result

    def _awaited_instance(self, instance_id: str) -> AwaitedInstance:
        from airflow_provider_sops.sensors.enos_waits import AwaitedInstance

        return AwaitedInstance(self.hook, self.log, self.kind, instance_id, self.success_statuses)

    def _read_instance_id(self) -> str:
        """Return the instance's id as it comes out of a template.

        :raises EnosInvalidParameterError: there is none, such as the ``None`` of a missing XCom.
        """
        name = self.template_fields[0]
        value = getattr(self, name)
        text = "" if value is None else str(value).strip()
        if not text or text == "None":
            raise EnosInvalidParameterError(
                f"{name} is {value!r}, which is not the id of an instance",
                advice="If it comes from XCom, check that the task which pushes it has run in this DAG run.",
            )
        return text

    def _airflow_errors(self) -> AbstractContextManager[None]:
        return enos_airflow_errors(in_sensor=True)

    def _policy(self, deadline: float | None) -> WaitPolicy:
        return WaitPolicy(
            poll_interval_seconds=self.poke_interval,
            deadline=deadline,
            max_outage_seconds=self.outage_seconds,
            rerun_wait_seconds=self.rerun_wait_seconds,
            settle_seconds=self.settle_seconds,
        )


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

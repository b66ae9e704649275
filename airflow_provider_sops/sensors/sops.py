"""Waiting for a SOPS task that somebody else runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, PokeReturnValue

from airflow_provider_sops.sensors.sops_base import SopsBaseSensor
from airflow_provider_sops.sensors.sops_node import SopsNodeSensor
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.next_steps import SENSOR_STEPS
from airflow_provider_sops.sops.outcome import outcome_error
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_secrets import nodes_to_tell_apart
from airflow_provider_sops.sops.wait_result import Outcome, WaitResult
from airflow_provider_sops.task_instance.outputs import read_outputs
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.task_follower import TaskFollower
from airflow_provider_sops.task_instance.xcom import push_state, push_task, read_task_id

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.models import TaskDetail

__all__ = ["SopsNodeSensor", "SopsTaskSensor"]


class SopsTaskSensor(SopsBaseSensor):
    """Wait for a SOPS task to end and return its outputs.

    Returns ``{"name": value}`` for every output ``${name}`` of the task, JSON types kept and password-type ones left
    out. XCom also has ``sops_task_id``, ``sops_task_url`` and ``sops_task_state``.

    Works with ``mode="poke"`` and ``"reschedule"`` and deferrable alike. It never revokes the task: whoever started it
    answers for it. A failed, revoked or expired task fails the sensor without a retry, or skips it with ``soft_fail``.

    Calls get_task_detail and get_task_status.

    Each duration is a number of seconds or a ``timedelta``.

    :param sops_task_id: id of the task. (templated)
    :param sops_conn_id: the Airflow connection of type ``sops``. (templated)
    :param bk_biz_id: the business; default: the one of the connection. (templated)
    :param scope: ``cmdb_biz`` or ``project``; default: the one of the connection. (templated)
    :param on_failed: ``"fail"`` (default): fail once nodes have failed, no branch runs and SOPS is not going to retry
        by itself. ``"wait"``: wait for people to retry or skip the nodes in SOPS, until the sensor's timeout.
    :param max_outage_seconds: how long SOPS may be out of reach before the sensor fails. Default 3600. With
        ``mode="reschedule"`` each poke stands alone and only the sensor's ``timeout`` counts.
    :param deferrable: wait in the triggerer. Default: Airflow's ``[operators] default_deferrable``.
    :param poke_interval: time between two looks. Default 10, as long as SOPS caches its answers.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._follower: TaskFollower | None = None

    def execute(self, context: Context) -> Any:
        """Wait on the worker, or hand over to the triggerer."""
        if self.deferrable:
            self._defer(context)
        return super().execute(context)

    def _defer(self, context: Context) -> None:
        from airflow_provider_sops.triggers.sops import SopsTaskTrigger

        with self._before_deferral():
            sops_task_id = read_task_id(self.sops_task_id)
            detail = self._announce(context, sops_task_id)
        self.defer(
            trigger=SopsTaskTrigger(
                **site_of(self).arguments,
                sops_task_id=sops_task_id,
                task_url=self._task_url,
                policy=self._policy(deadline=time.time() + self.timeout),
                human_nodes=None if detail is None else nodes_to_tell_apart(detail),
            ),
            method_name="execute_complete",
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the task once."""
        with airflow_errors(in_sensor=True):
            sops_task_id = read_task_id(self.sops_task_id)
            if self._follower is None:
                detail = self._announce(context, sops_task_id)
                policy = self._policy(deadline=None)
                self._follower = TaskFollower(self.hook, sops_task_id, policy, self.log, detail=detail)
            result = self._follower.once()
            if result is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._conclude(context, sops_task_id, result))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Take over from the trigger once the task is over."""
        from airflow_provider_sops.triggers.sops import SopsTaskTrigger

        with airflow_errors(in_sensor=True):
            trigger = SopsTaskTrigger.from_event(event)
            result = WaitResult.from_event(event)
            self._task_url = trigger.task_url
            if result.outcome == Outcome.TIMED_OUT:
                error = outcome_error(result, trigger.sops_task_id, trigger.task_url, SENSOR_STEPS)
                raise AirflowSensorTimeout(str(error))
            return self._conclude(context, trigger.sops_task_id, result)

    def _announce(self, context: Context, sops_task_id: int) -> TaskDetail | None:
        """Make the task known in Airflow and return it, if it can be read."""
        detail = None
        try:
            detail = self.hook.get_task_detail(sops_task_id, fresh=True)
            self._task_url = detail.task_url
        except SopsError as error:
            if not (error.temporary or error.outcome_unknown):
                raise
            self.log.warning("The address of SOPS task %s is not known yet: %s", sops_task_id, error)
        push_task(context, sops_task_id, self._task_url)
        self.log.info("Waiting for SOPS task %s: %s", sops_task_id, self._task_url or "SOPS returned no URL for it")
        return detail

    def _conclude(self, context: Context, sops_task_id: int, result: WaitResult) -> dict[str, Any]:
        push_state(context, result.state)
        if result.outcome != Outcome.FINISHED:
            raise outcome_error(result, sops_task_id, self._task_url, SENSOR_STEPS)
        self.log.info("SOPS task %s is FINISHED.", sops_task_id)
        return read_outputs(self.hook, sops_task_id)

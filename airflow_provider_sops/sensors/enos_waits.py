"""What a sensor for EnOS does once its task runs: wait for an instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.errors import EnosError
from airflow_provider_sops.enos.outcome import SENSOR_STEPS, outcome_error
from airflow_provider_sops.enos.wait_result import InstanceKind, Outcome, WaitResult
from airflow_provider_sops.task_instance.instance_follower import InstanceFollower, instance_xcom, look_at, write_logs
from airflow_provider_sops.task_instance.xcom import INSTANCE_STATUS_XCOM_KEY
from airflow_provider_sops.triggers.enos import EnosFlowInstanceTrigger, EnosTaskInstanceTrigger

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_sops.enos.wait_result import WaitPolicy
    from airflow_provider_sops.hooks.enos import EnosHook
    from airflow_provider_sops.task_instance.log import TaskLog

_TRIGGERS: dict[InstanceKind, type[EnosTaskInstanceTrigger] | type[EnosFlowInstanceTrigger]] = {
    InstanceKind.TASK: EnosTaskInstanceTrigger,
    InstanceKind.FLOW: EnosFlowInstanceTrigger,
}


@dataclass(frozen=True)
class AwaitedInstance:
    """An instance that a sensor waits for.

    :param success_statuses: the statuses that count as success.
    """

    hook: EnosHook
    log: TaskLog
    kind: InstanceKind
    instance_id: str
    success_statuses: Collection[str]

    def look_first(self) -> None:
        """Look once before the wait begins, so that what can never work fails at once."""
        self.log.info("Waiting for EnOS %s %s", self.kind.value, self.instance_id)
        try:
            with self.hook.within(None):
                look_at(self.hook, self.kind, self.instance_id, self.log)
        except EnosError as error:
            if not error.is_outage:
                raise
            self.log.warning("EnOS gives no usable answer yet: %s", error)

    def trigger(self, policy: WaitPolicy) -> BaseTrigger:
        """Return the trigger that waits for it."""
        return _TRIGGERS[self.kind](
            enos_conn_id=self.hook.enos_conn_id,
            user_id=self.hook.user_id,
            org_id=self.hook.org_id,
            instance_id=self.instance_id,
            policy=policy,
        )

    def poking(self, policy: WaitPolicy) -> InstanceFollower:
        """Begin to wait on a worker."""
        return InstanceFollower(self.hook, self.kind, self.instance_id, policy, self.log)

    def error(self, result: WaitResult) -> EnosError:
        """Return the error of a wait that did not end well."""
        return outcome_error(result, self.kind, self.instance_id, SENSOR_STEPS)

    def conclude(self, context: Context, result: WaitResult) -> dict[str, Any]:
        """Push the instance's status and return the instance.

        :raises EnosError: its status does not count as success.
        """
        ti: Any = context["ti"]
        ti.xcom_push(key=INSTANCE_STATUS_XCOM_KEY, value=result.status)
        if result.outcome != Outcome.ENDED or result.status not in self.success_statuses:
            write_logs(self.hook, result.failed, self.log)
            raise self.error(result)
        self.log.info("EnOS %s %s is %s.", self.kind.value, self.instance_id, result.status)
        if self.kind == InstanceKind.TASK:
            return instance_xcom(self.hook.get_task_instance(self.instance_id))
        return instance_xcom(self.hook.get_flow_instance(self.instance_id))


def instance_in(event: dict[str, Any], kind: InstanceKind) -> tuple[str, WaitResult]:
    """Return the id of the instance that a trigger has waited for, and how the wait ended."""
    return _TRIGGERS[kind].from_event(event).instance_id, WaitResult.from_event(event)

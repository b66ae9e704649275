"""Following an EnOS instance to its end from a worker, with blocking requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.errors import EnosError, EnosNoLogError
from airflow_provider_sops.enos.instance_wait import InstanceWait
from airflow_provider_sops.enos.verdict import Snapshot, nodes_to_ask_about, snapshot_of_flow, snapshot_of_task
from airflow_provider_sops.enos.wait_result import InstanceKind
from airflow_provider_sops.service.text import log_entry, shortened
from airflow_provider_sops.task_instance.xcom import tell_changed
from airflow_provider_sops.waiting.follow import follow, steady_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_sops.enos.models import FlowInstance, TaskInstance
    from airflow_provider_sops.enos.verdict import FailedTask
    from airflow_provider_sops.enos.wait_result import WaitPolicy, WaitResult
    from airflow_provider_sops.hooks.enos import EnosHook
    from airflow_provider_sops.task_instance.log import TaskLog
    from airflow_provider_sops.waiting.model import LogLine, Look


class InstanceFollower:
    """Follows one instance with a hook's requests and writes what happens to a log.

    :param hook: the connection to EnOS.
    :param kind: whether it is a flow's or a task's.
    :param instance_id: its id.
    :param policy: how long to wait.
    :param log: the log of the Airflow task.
    """

    def __init__(
        self,
        hook: EnosHook,
        kind: InstanceKind,
        instance_id: str,
        policy: WaitPolicy,
        log: TaskLog,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._hook = hook
        self._kind = kind
        self._instance_id = instance_id
        self._log = log
        self._sleep = sleep
        self._clock = clock or steady_clock()
        self._wait = InstanceWait(policy, self._clock())

    def to_the_end(self) -> WaitResult:
        """Ask until the instance is over, or until the policy says to give up."""
        return follow(self._wait, self._ask, self._tell, sleep=self._sleep, clock=self._clock)

    def once(self) -> WaitResult | None:
        """Ask once, and again as long as the answer needs another one to mean anything; ``None`` means not over."""
        return follow(self._wait, self._ask, self._tell, once=True, sleep=self._sleep, clock=self._clock)

    @property
    def pause_seconds(self) -> float:
        """The time until the next look is due."""
        return self._wait.next_look(self._clock()).delay_seconds

    def _ask(self, look: Look) -> Snapshot:
        with self._hook.within(look.seconds_left(self._clock())):
            return look_at(self._hook, self._kind, self._instance_id, self._log)

    def _tell(self, line: LogLine) -> None:
        self._log.log(line.level, "EnOS %s %s: %s", self._kind.value, self._instance_id, log_entry(line.text))


def look_at(hook: EnosHook, kind: InstanceKind, instance_id: str, log: TaskLog) -> Snapshot:
    """Return what EnOS says of an instance now.

    :raises EnosError: it cannot be read.
    """
    if kind == InstanceKind.TASK:
        return snapshot_of_task(hook.get_task_instance(instance_id))
    instance = hook.get_flow_instance(instance_id)
    asked: list[TaskInstance] = []
    for task_instance_id in nodes_to_ask_about(instance) if hook.api_version != "v2.0" else ():
        try:
            asked.append(hook.get_task_instance(task_instance_id))
        except EnosError as error:
            if error.temporary:
                raise
            log.debug("EnOS task instance %s cannot be read: %s", task_instance_id, error)
    return snapshot_of_flow(instance, asked)


#: How much of the logs of failed tasks goes into the Airflow task's log.
_MOST_LOGS = 5
_MOST_LINES = 500


def write_logs(hook: EnosHook, failed: Sequence[FailedTask], log: TaskLog) -> None:
    """Write the ends of the logs of failed tasks to the Airflow task's log; what cannot be read is said there."""
    for task in failed[:_MOST_LOGS]:
        if not task.instance_id:
            continue
        try:
            lines = hook.get_task_instance_log(task.instance_id).splitlines()
        except EnosNoLogError:
            log.info("EnOS has no log of task %s (%s).", task.label, task.instance_id)
        except EnosError as error:
            log.warning("The log of task %s (%s) cannot be read: %s", task.label, task.instance_id, error)
        else:
            left_out = f", the last {_MOST_LINES} of {len(lines)} lines" if len(lines) > _MOST_LINES else ""
            log.info("EnOS's log of task %s (%s)%s:", task.label, task.instance_id, left_out)
            for line in lines[-_MOST_LINES:]:
                log.info("%s", shortened(line))


def instance_xcom(instance: FlowInstance | TaskInstance) -> dict[str, Any]:
    """Return an instance as it goes to XCom."""
    tell_changed(f"fields of instance {instance.instance_id}", instance.changed_fields)
    return instance.to_json()

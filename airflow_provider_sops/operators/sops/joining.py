"""Which SOPS task that was made before a try goes on with: of an earlier try, or from before a clear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.retried_nodes import may_be_repaired, repaired_nodes
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.task_instance.state import had_succeeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.operators.sops.earlier_tasks import StartedTask
    from airflow_provider_sops.operators.sops.run_settings import OnClear, RetryMode
    from airflow_provider_sops.operators.sops.task_memory import TaskMemory
    from airflow_provider_sops.task_instance.log import TaskLog


@dataclass(frozen=True, slots=True)
class Joining:
    """Chooses the task to join.

    :param hook: the connection to SOPS.
    :param memory: what Airflow remembers of this and the earlier generation.
    :param ti: the running task instance.
    :param retries: how often Airflow retries the task.
    :param takes_outputs: whether the task waits for the flow's end, so that its success means that it had the outputs.
    """

    hook: SopsHook
    log: TaskLog
    memory: TaskMemory
    ti: Any
    retries: int
    on_clear: OnClear
    retry_mode: RetryMode
    takes_outputs: bool

    def choose(self, current: Sequence[StartedTask], before: Sequence[StartedTask]) -> StartedTask | None:
        """Return the task to go on with; ``None`` means another one.

        :param current: the started tasks of this generation, oldest first.
        :param before: those from before a clear, oldest first.
        :raises AirflowFailException: ``on_clear="fail"``, and one of these has not ended.
        """
        alive = [task for task in current if not task.is_lost]
        if alive:
            # A flow that has run to its end is never run again by a retry, whatever it was that failed then.
            is_replaced = self.retry_mode == "new" and self.ti.try_number > 1 and alive[0].is_unfinished
            return None if is_replaced else alive[0]
        alive_before = [task for task in before if not task.is_lost]
        if alive_before and not current:
            latest = alive_before[-1]
            if self.on_clear == "resume" or (self.on_clear == "keep_repaired" and self._is_kept(latest)):
                return latest
        unfinished = [task for task in before if task.is_unfinished]
        if self.on_clear == "fail" and unfinished:
            raise AirflowFailException(
                "This task was cleared, but "
                + ", ".join(f"SOPS task {task.id} is still {task.status.state}" for task in unfinished)
                + '. End it in SOPS and clear this task again, or set on_clear to "keep_repaired", "new" or "resume".'
            )
        return None

    def _is_kept(self, task: StartedTask) -> bool:
        """Whether a task from before a clear was repaired by a person, and what came of that is still to be taken."""
        state = task.status.state
        if state == TaskState.FAILED and not (self._is_retry and self.retry_mode == "resume"):
            return False
        if (state == TaskState.FINISHED and not self.takes_outputs) or not may_be_repaired(task.status):
            return False
        detail = self.hook.get_task_detail(task.id, fresh=True)
        nodes = repaired_nodes(TaskSecrets([detail]).status(task.status), TreeIndex(detail.pipeline_tree))
        if not nodes:
            return False
        names = ", ".join(quoted(node.name or node.id) for node in nodes)
        if state != TaskState.FINISHED:
            self.log.info(
                "SOPS task %s is %s after somebody retried or skipped %s; it is kept. To run the whole flow again, "
                "revoke the SOPS task, then clear this task again.",
                task.id,
                state,
                names,
            )
            return True
        return not self._outputs_were_taken(task, names)

    @property
    def _is_retry(self) -> bool:
        """Whether an earlier try of this generation may have joined a task from before the clear.

        Where Airflow remembers nothing, that task's name still says that it is from before.
        """
        return bool(self.ti.try_number > max(0, self.ti.max_tries - self.retries) + 1)

    def _outputs_were_taken(self, task: StartedTask, names: str) -> bool:
        """Whether this task had succeeded with a finished flow, so that its clear means to run the whole flow again."""
        taken = self.memory.outputs_taken(task.id)
        if taken is None:
            taken = had_succeeded(self.ti, since_max_tries=task.generation)
        if taken:
            self.log.info("This task succeeded with SOPS task %s, so the whole flow runs again.", task.id)
        elif taken is None:
            self.log.warning(
                "SOPS task %s is FINISHED after somebody retried or skipped %s, so its outputs are taken. Airflow "
                "has no record of whether this task succeeded with them before. To run the whole flow again, "
                'set on_clear="new", then clear this task again.',
                task.id,
                names,
            )
        else:
            self.log.info(
                "SOPS task %s is FINISHED after somebody retried or skipped %s; its outputs are taken. To run the "
                "whole flow again, clear this task again once it has succeeded.",
                task.id,
                names,
            )
        return bool(taken)

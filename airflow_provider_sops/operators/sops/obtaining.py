"""Which SOPS task a run goes on with: one that was made before, or another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.operators.sops.exactly_once import ExactlyOnce
from airflow_provider_sops.operators.sops.joining import Joining
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.task_key import elect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_sops.operators.sops.earlier_tasks import EarlierTasks, StartedTask
    from airflow_provider_sops.operators.sops.execution import Execution
    from airflow_provider_sops.operators.sops.revocation import TasksToRevoke
    from airflow_provider_sops.operators.sops.run_progress import RunProgress
    from airflow_provider_sops.operators.sops.task_memory import TaskMemory
    from airflow_provider_sops.sops.models import CreatedTask
    from airflow_provider_sops.sops.task_key import FoundTasks


@dataclass(frozen=True, slots=True)
class TaskCreation:
    """How a SOPS task is made, where there is none to go on with.

    :param name: its whole name in SOPS, with its key.
    :param create: sends one ``create_task`` with that name.
    :param check: refuses what cannot be created, once it is known that something is; ``None`` if nothing is to check.
    """

    name: str
    create: Callable[[str], CreatedTask]
    check: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Obtaining:
    """Finds the one SOPS task of a generation, or makes it.

    :param execution: the operator that runs it.
    :param memory: what Airflow remembers of this and the earlier generation.
    :param progress: what the run has done so far.
    :param earlier: what becomes of tasks that were made before.
    :param to_revoke: is told which tasks there are.
    """

    execution: Execution
    memory: TaskMemory
    progress: RunProgress
    earlier: EarlierTasks
    to_revoke: TasksToRevoke

    def obtain(self, creation: TaskCreation) -> int:
        """Return the task's id.

        Earlier ones are joined or retired as the settings say; the failed nodes of one that is joined are retried.
        """
        settings = self.execution.settings
        once = ExactlyOnce(
            self.execution.hook,
            self.progress.search.key,
            self.execution.log,
            origin=self.progress.search.origin,
            memory=self.memory,
            created=set(self.progress.created),
        )
        found = once.find()
        self.to_revoke.found(found)
        current = self.earlier.started([task for task in found.current if task.is_started])
        before = self.earlier.started(found.earlier)
        to_join = self._joining().choose(current, before)
        if to_join not in current:
            once.check_doubtful(found.doubtful_earlier)
        if to_join is not None:
            return self._join(to_join)
        finished = self.earlier.retire(
            [*before, *current],
            wait_seconds=settings.revoke_wait_seconds,
            wait_until=self.progress.retire_until,
            leave=self.progress.leave_until_at_rest if settings.deferrable else None,
        )
        for task in current:
            if task.id in finished:
                self.execution.log.info("SOPS task %s has just FINISHED, its outputs are taken.", task.id)
                return task.id
        sops_task_id = self._create(once, found, creation, over=[task.id for task in current])
        self.memory.keep(sops_task_id)
        return sops_task_id

    def _joining(self) -> Joining:
        settings = self.execution.settings
        return Joining(
            self.execution.hook,
            self.execution.log,
            self.memory,
            self.execution.ti,
            retries=settings.retries or 0,
            on_clear=settings.on_clear,
            retry_mode=settings.retry_mode,
            takes_outputs=settings.wait_for_completion,
        )

    def _join(self, task: StartedTask) -> int:
        self.memory.keep(task.id)
        self.execution.log.info("Joining SOPS task %s of an earlier try, which is %s.", task.id, task.status.state)
        # What fails from now on is for the next try.
        if task.status.state == TaskState.FAILED:
            self.earlier.retry_failed_nodes(task, self.execution.settings.retry_inputs or {})
        return task.id

    def _create(self, once: ExactlyOnce, found: FoundTasks, creation: TaskCreation, over: Sequence[int]) -> int:
        leftover = elect(found.current, over=over)
        if leftover is not None:
            self.execution.log.info("SOPS task %s of an earlier try was never started; it is used now.", leftover.id)
            return leftover.id
        if creation.check is not None:
            creation.check()

        def create() -> CreatedTask:
            created = creation.create(creation.name)
            self.progress.created[created.task_id] = created.claim_url
            return created

        return once.create(create, over=over)

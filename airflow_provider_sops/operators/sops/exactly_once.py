"""One SOPS task for one generation of a task instance, whatever gets lost on the way.

SOPS makes a second task when it is asked twice, and a create whose answer was lost may land later. So: look for tasks
that carry the key, create only if there is none, look again, elect one, and start only the elected one. Whatever lands
late stays unstarted and does no harm; it is named in the log. Only the task instance's own tasks count: see
``sops.task_origin``.
"""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING

import tenacity

from airflow_provider_sops.sops.endpoints import PAGE_SIZE
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidOperationError, SopsNotFoundError
from airflow_provider_sops.sops.models import TaskListItem, TaskState
from airflow_provider_sops.sops.paging import Pages
from airflow_provider_sops.sops.task_key import FoundTasks, elect
from airflow_provider_sops.sops.task_origin import described
from airflow_provider_sops.waiting.repeat import again_after

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.operators.sops.task_memory import TaskMemory
    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.sops.models import CreatedTask
    from airflow_provider_sops.sops.task_key import TaskKey
    from airflow_provider_sops.sops.task_origin import TaskOrigin
    from airflow_provider_sops.task_instance.log import TaskLog

_START_TRIES = 4
_PAUSE_SECONDS = 2.0


@dataclass
class ExactlyOnce:
    """Finds and creates the SOPS tasks of one task instance.

    :param hook: the connection to SOPS.
    :param key: the key of the task instance's current generation.
    :param origin: what the task instance's own tasks are made from; users and known ids are added here.
    :param memory: what Airflow itself remembers of an earlier try.
    :param created: ids of tasks that this try has created before it left its worker during an outage.
    """

    hook: SopsHook
    key: TaskKey
    log: TaskLog
    _: KW_ONLY
    origin: TaskOrigin
    memory: TaskMemory | None = None
    created: set[int] = field(default_factory=set)
    _told: set[int] = field(default_factory=set, init=False)

    def find(self) -> FoundTasks:
        """Return every SOPS task that carries the task instance's digest, and the one that Airflow remembers.

        :raises SopsInvalidOperationError: one of this generation may or may not be ours, and none of ours was started.
        """
        pages: Pages[TaskListItem] = Pages("get_task_list", lambda task: task.id)
        while not pages.is_over:
            pages.add(self.hook.get_task_list(keyword=self.key.keyword, limit=PAGE_SIZE, offset=pages.offset))
        return self._sorted(tuple(pages.found.values()))

    def create(self, create: Callable[[], CreatedTask], *, over: Collection[int] = ()) -> int:
        """Create a task and return the id of the elected one, which may be another than the one just created.

        A create whose answer was lost is searched for before another one is sent.

        :param create: sends one ``create_task`` with the key in the name.
        :param over: ids of this generation's tasks that must not be elected, such as revoked ones.
        :raises SopsError: if SOPS refuses, or if nothing was created before an outage was too long.
        """

        def attempt() -> int:
            try:
                created = create()
            except SopsError as error:
                elected = self._look_again(over) if error.outcome_unknown else None
                if elected is None:
                    raise
                self.log.warning("The answer to create_task was lost, but SOPS has task %s.", elected)
                return elected
            self.created.add(created.task_id)
            elected = self._look_again(over)
            return created.task_id if elected is None else elected

        return self.hook.bear("create_task", attempt)

    def check_doubtful(self, tasks: Sequence[TaskListItem]) -> None:
        """Refuse to go on beside tasks from before a clear that may be ours and may still run.

        :raises SopsInvalidOperationError: names the first of them.
        """
        for task in tasks:
            state = None if task.is_finished else self._state(task)
            if state is not None and not state.is_terminal and (task.is_started or state != TaskState.CREATED):
                raise self.origin.doubt(task, is_current=False)

    def _sorted(self, items: Sequence[TaskListItem]) -> FoundTasks:
        remembered = self.memory.recall() if self.memory else None
        known = self.created if remembered is None else {*self.created, remembered}
        # A gateway may call the connection's user otherwise, and that user may have changed since.
        named = [self.hook.user or "", *(item.creator for item in items if item.id in known)]
        users = frozenset(filter(None, named))
        self.origin = replace(self.origin, known_ids=known, users=users)
        found = FoundTasks.of(self.key, items, self.origin)
        for task in found.others:
            if task.id not in self._told:
                self.log.warning(
                    "%s has the key of this Airflow task, but was not made by it; it is left alone.", described(task)
                )
        self._told |= {task.id for task in found.others}
        for task in () if any(task.is_started for task in found.current) else found.doubtful:
            if self._state(task) not in (None, TaskState.REVOKED, TaskState.EXPIRED):
                raise self.origin.doubt(task, is_current=True)
        return self._with_remembered(found, remembered)

    def _state(self, task: TaskListItem) -> TaskState | None:
        """Return the state of a doubtful task; ``None`` for one that was deleted."""
        if task.id < 1:
            return TaskState.RUNNING
        try:
            return self.hook.get_task_status(task.id, fresh=True).state
        except SopsNotFoundError:
            return None

    def _with_remembered(self, found: FoundTasks, remembered: int | None) -> FoundTasks:
        if remembered is None or any(task.id == remembered for task in found.current):
            return found
        try:
            status = self.hook.get_task_status(remembered, fresh=True)
        except SopsNotFoundError:
            self.log.warning("SOPS task %s of an earlier try is gone: somebody deleted it.", remembered)
            return found
        task = TaskListItem(
            id=remembered,
            name=status.name,
            is_started=status.state != TaskState.CREATED,
            is_finished=status.state == TaskState.FINISHED,
            template_id=None,
        )
        return replace(found, current=(*found.current, task))

    def _look_again(self, over: Collection[int]) -> int | None:
        found = self.find().current
        elected = elect(found, over=over)
        if elected is None:
            return None
        for task in found:
            if task.id != elected.id and task.id not in over:
                self.log.warning(
                    "SOPS task %s was created too and is left unstarted; task %s is the one that runs.",
                    task.id,
                    elected.id,
                )
        return elected.id


def start_task(hook: SopsHook, sops_task_id: int, log: TaskLog, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Start a SOPS task; "already started" is success.

    A second ``start_task`` does no harm: SOPS runs a task once, however often it is started. So a start whose answer
    was lost is sent again, as long as the run bears an outage.

    :raises SopsError: if SOPS refuses four times or cannot be reached.
    """

    def start() -> None:
        try:
            hook.bear("start_task", lambda: hook.start_task(sops_task_id))
        except SopsInvalidOperationError:
            # "Already started" and "too many starts at once" have the same code: only the state tells them apart.
            if hook.get_task_status(sops_task_id, fresh=True).state == TaskState.CREATED:
                raise

    def tell(error: ServiceError) -> None:
        log.warning("SOPS has not started task %s, starting it again: %s", sops_task_id, error)

    pauses = [_PAUSE_SECONDS * attempt for attempt in range(1, _START_TRIES)]
    tenacity.Retrying(**again_after(SopsInvalidOperationError, pauses, tell=tell, sleep=sleep))(start)

"""Revoke SOPS tasks: one with time to make sure of it, or all of a try in the seconds that a kill leaves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import tenacity

from airflow_provider_sops.sops.calls.tasks import get_task_status
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.task_origin import described
from airflow_provider_sops.sops.verdict import end_despite_refusal
from airflow_provider_sops.waiting.repeat import again_after, again_while_lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.sops.task_key import FoundTasks, TaskSearch
    from airflow_provider_sops.task_instance.log import TaskLog


_TRIES = 5
_PAUSE_SECONDS = 1.0


def revoke_task(hook: SopsHook, sops_task_id: int, *, sleep: Callable[[float], None] = time.sleep) -> TaskState:
    """Revoke a task and return the state in which it ended; it may have come to its own end before.

    A second revoke does no harm, so one whose answer was lost is sent again, as long as the run bears an outage. One
    that SOPS refuses because the task is still CREATED is sent again for about ten seconds: a start that it has
    accepted shows some moments later.

    :raises SopsError: if SOPS refuses or cannot be reached; then the task may still run.
    """

    def revoke() -> TaskState:
        return revoke_once(
            lambda: hook.bear("operate_task", lambda: hook.operate_task(sops_task_id, "revoke")),
            lambda: hook.get_task_status(sops_task_id, fresh=True),
        )

    pauses = [_PAUSE_SECONDS * attempt for attempt in range(1, _TRIES)]
    state: TaskState = tenacity.Retrying(**again_after(SopsInvalidOperationError, pauses, sleep=sleep))(revoke)
    return state


def revoke_out_of_time(hook: SopsHook, sops_task_id: int, log: TaskLog) -> TaskState:
    """Revoke a task whose time is over, and return the state in which it ended; ``FINISHED`` if it was quicker.

    :raises SopsError: as ``revoke_task``.
    """
    try:
        state = revoke_task(hook, sops_task_id)
    except SopsError:
        log.error("SOPS task %s has run out of time, but it is not revoked and may still run.", sops_task_id)
        raise
    if state != TaskState.FINISHED:
        log.info("SOPS task %s is %s now, since its time was over.", sops_task_id, state)
    return state


def revoke_once(revoke: Callable[[], object], read_status: Callable[[], TaskStatus]) -> TaskState:
    """Revoke a task in one attempt, and return the state in which it ended.

    :param revoke: sends the revoke.
    :param read_status: asks for the task's status, past the server's cache.
    :raises SopsError: it may still run.
    """
    try:
        revoke()
    except SopsInvalidOperationError as refusal:
        return end_despite_refusal(refusal, read_status())
    return TaskState.REVOKED


#: How long search and revokes are tried again; the process is killed about 5 seconds after it was told to stop.
_QUICK_SECONDS = 2.0
_QUICK_PAUSE_SECONDS = 0.3


class TasksToRevoke:
    """The SOPS tasks that must not run on once a person has ended the Airflow task.

    At first nothing is known: an earlier try may have left one running. The search makes those known that may still
    run, and in the end it is one.

    :param hook: the connection to SOPS.
    :param search: how they are found.
    :param log: the log of the Airflow task.
    """

    def __init__(
        self,
        hook: SopsHook,
        search: TaskSearch,
        log: TaskLog,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hook = hook
        self._search = search
        self._log = log
        self._sleep = sleep
        self._clock = clock
        self._ids: list[int] | None = None

    def found(self, tasks: FoundTasks) -> None:
        """Take note of what was found and may still run, newest first."""
        self._ids = self._search.to_end(tasks)

    def settled(self, sops_task_id: int) -> None:
        """Have only this one to revoke from now on."""
        self._ids = [sops_task_id]

    def revoke(self, why: str) -> None:
        """Revoke them in the few seconds before this process is killed.

        What fails is logged: there is nobody left who could do more.
        """
        again = self._again_until(self._clock() + _QUICK_SECONDS)
        try:
            if self._ids is None:
                self.found(again(self._look_up))
            ids, self._ids = self._ids or [], []
        except SopsError as error:
            self._log.error("A SOPS task of an earlier try could not be looked up and may still run: %s", error)
            return
        for sops_task_id in ids:
            try:
                again(self._revoke, sops_task_id)
            except SopsError as error:
                self._log.error("SOPS task %s could not be revoked and may still run: %s", sops_task_id, error)
            else:
                self._log.info(
                    "SOPS task %s is revoked because %s; SOPS lets the node that runs now finish.", sops_task_id, why
                )

    def _again_until(self, deadline: float) -> tenacity.Retrying:
        """Return what tries again after a fault that may pass quickly: a lost connection, or a start not shown yet."""
        rules = again_while_lost((_QUICK_PAUSE_SECONDS,), also=(SopsInvalidOperationError,), sleep=self._sleep)
        return tenacity.Retrying(**{**rules, "stop": lambda _state: self._clock() >= deadline})

    def _revoke(self, sops_task_id: int) -> None:
        revoke_once(
            lambda: self._hook.revoke_at_once(sops_task_id),
            lambda: self._hook.do_at_once(get_task_status(sops_task_id, fresh=True)),
        )

    def _look_up(self) -> FoundTasks:
        items = self._hook.do_at_once(self._search.call)
        found = self._search.sort(items, self._hook.user)
        for task in (*found.doubtful, *found.doubtful_earlier):
            self._log.error("%s may have been made by this task; it is not revoked and may still run.", described(task))
        return found

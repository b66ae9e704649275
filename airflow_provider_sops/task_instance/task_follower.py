"""Following a SOPS task from a worker, with blocking requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.task_instance.sops_looks import SopsLooks
from airflow_provider_sops.waiting.follow import follow

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail
    from airflow_provider_sops.sops.wait_result import WaitPolicy, WaitResult
    from airflow_provider_sops.task_instance.log import TaskLog


class TaskFollower:
    """Follows one SOPS task with a hook's requests and writes what happens to a log.

    :param hook: the connection to SOPS.
    :param sops_task_id: the task's id.
    :param policy: how long to wait and what a failure means.
    :param log: the log of the Airflow task.
    :param detail: the task, if the caller has read it; else it is read here.
    """

    def __init__(
        self,
        hook: SopsHook,
        sops_task_id: int,
        policy: WaitPolicy,
        log: TaskLog,
        *,
        detail: TaskDetail | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._wait = TaskWait(policy, clock(), tree_is_whole=False)
        self._looks = SopsLooks(hook, sops_task_id, self._wait, log, detail=detail)
        self._sleep = sleep
        self._clock = clock

    def to_the_end(self) -> WaitResult:
        """Ask until the task is over, or until the policy says to give up.

        After PERSON_NEEDED another call goes on with the same wait, which tells nothing twice.
        """
        return follow(self._wait, self._looks, self._looks.tell, sleep=self._sleep, clock=self._clock)

    def once(self) -> WaitResult | None:
        """Ask once, and again as long as the answer needs confirmation within seconds; ``None`` means not over."""
        return follow(self._wait, self._looks, self._looks.tell, once=True, sleep=self._sleep, clock=self._clock)

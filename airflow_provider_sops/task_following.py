"""Following a SOPS task to its end from a worker, with blocking requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.task_instance.task_secrets import read_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.sops.wait_result import WaitPolicy, WaitResult
    from airflow_provider_sops.task_instance.log import TaskLog
    from airflow_provider_sops.waiting.model import Update


class TaskFollower:
    """Follows one SOPS task with a hook's requests and writes what happens to a log.

    :param hook: the connection to SOPS.
    :param sops_task_id: the task's id.
    :param policy: how long to wait and what a failure means.
    :param log: the log of the Airflow task.
    """

    def __init__(
        self,
        hook: SopsHook,
        sops_task_id: int,
        policy: WaitPolicy,
        log: TaskLog,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._hook = hook
        self._sops_task_id = sops_task_id
        self._log = log
        self._sleep = sleep
        self._clock = clock
        self._secrets: TaskSecrets | None = None
        self._watch = TaskWait(policy, clock(), tree_is_whole=False)

    def to_the_end(self) -> WaitResult:
        """Ask until the task is over, or until the policy says to give up."""
        while True:
            result = self._look().result
            if result is not None:
                return result

    def once(self) -> WaitResult | None:
        """Ask once, and again as long as the answer needs confirmation within seconds; ``None`` means not over."""
        while True:
            result = self._look(wait=self._watch.is_undecided).result
            if result is not None or not self._watch.is_undecided:
                return result

    def _look(self, *, wait: bool = True) -> Update[WaitResult]:
        look = self._watch.next_look(self._clock())
        if wait and look.delay_seconds:
            self._sleep(look.delay_seconds)
        if self._watch.wants_tree:
            self._learn_tree()
        try:
            status = self._hook.get_task_status(
                self._sops_task_id,
                with_ex_data=look.with_details,
                with_failed_node_info=look.with_details,
                with_auto_retry_status=look.with_details,
                fresh=look.fresh,
            )
        except SopsError as error:
            sight = self._watch.miss(error, look, self._clock())
        else:
            sight = self._watch.see(self._without_secrets(status), look, self._clock())
        for line in sight.lines:
            self._log.log(line.level, "SOPS task %s: %s", self._sops_task_id, line.text)
        return sight

    def _learn_tree(self) -> None:
        """Read the task's tree, for names and for nodes that wait for people.

        The wait goes on without it, and asks for it again where it begins to matter.
        """
        try:
            detail = self._hook.get_task_detail(self._sops_task_id, fresh=True)
        except SopsError as error:
            self._watch.tree = self._watch.tree or TreeIndex({})
            self._log.debug("the tree of SOPS task %s cannot be read: %s", self._sops_task_id, error)
        else:
            self._watch.task_url = detail.task_url
            self._secrets = TaskSecrets([detail])
            self._watch.learn_tree(self._secrets.index())

    def _without_secrets(self, status: TaskStatus) -> TaskStatus:
        secrets = self._secrets
        if secrets is None and status.ex_data:
            secrets = read_secrets(self._hook, [self._sops_task_id])
        return secrets.status(status) if secrets else status

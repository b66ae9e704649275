"""Asking SOPS, with blocking requests, what a wait for a task or for one of its nodes wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.task_instance.task_secrets import read_secrets

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail, TaskStatus
    from airflow_provider_sops.sops.node_wait import NodeWait
    from airflow_provider_sops.sops.task_wait import TaskWait
    from airflow_provider_sops.task_instance.log import TaskLog
    from airflow_provider_sops.waiting.model import LogLine, Look


class SopsLooks:
    """Answers the looks of a wait, without passwords; to be called as the ``ask`` of ``follow``.

    Calls get_task_status, and get_task_detail where the wait wants the tree or an error text may hold a password.

    :param hook: the connection to SOPS.
    :param sops_task_id: the task.
    :param wait: the wait; it is given the tree where it wants it, and goes on without one that cannot be read.
    :param log: the log of the Airflow task.
    :param detail: the task, if the caller has read it.
    :param secrets: what is to be hidden, if the caller knows; needed for a task around which there are others.
    """

    def __init__(
        self,
        hook: SopsHook,
        sops_task_id: int,
        wait: TaskWait | NodeWait,
        log: TaskLog,
        *,
        detail: TaskDetail | None = None,
        secrets: TaskSecrets | None = None,
    ) -> None:
        self._hook = hook
        self._sops_task_id = sops_task_id
        self._wait = wait
        self._log = log
        self._secrets = secrets
        if detail is not None:
            self._learn(detail)

    def __call__(self, look: Look) -> TaskStatus:
        """Return the answer to a look.

        :raises ServiceError: there is none, or none by ``look.deadline``.
        """
        with self._hook.within(look.deadline):
            return self._ask(look)

    def tell(self, line: LogLine) -> None:
        """Write a line of the wait to the log."""
        self._log.log(line.level, "SOPS task %s: %s", self._sops_task_id, line.text)

    def _ask(self, look: Look) -> TaskStatus:
        status = self._hook.get_task_status(
            self._sops_task_id,
            with_ex_data=look.with_details,
            with_failed_node_info=look.with_details,
            with_auto_retry_status=look.with_details,
            fresh=look.fresh,
        )
        if self._wait.wants_tree(status, look):
            self._read_tree()
        return self._secrets_for(status).status(status)

    def _read_tree(self) -> None:
        try:
            detail = self._hook.get_task_detail(self._sops_task_id, fresh=True)
        except SopsError as error:
            self._wait.learn_tree(None)
            self._log.debug("the tree of SOPS task %s cannot be read: %s", self._sops_task_id, error)
        else:
            self._learn(detail)

    def _learn(self, detail: TaskDetail) -> None:
        if self._secrets is None:
            self._secrets = TaskSecrets([detail])
        self._wait.learn_tree(self._secrets.named(TreeIndex(detail.pipeline_tree)), detail.task_url)

    def _secrets_for(self, status: TaskStatus) -> TaskSecrets:
        if self._secrets is not None:
            return self._secrets
        secrets = read_secrets(self._hook, [self._sops_task_id] if status.ex_data else [])
        if status.ex_data and secrets.are_known:
            self._secrets = secrets
        return secrets

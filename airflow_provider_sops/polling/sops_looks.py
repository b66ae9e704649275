"""Asking SOPS, through a shared poll, what a wait for a task or for one of its nodes wants to know."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_sops.service.text import log_entry
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.person_request import PersonRequest
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.waiting.model import FRESH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.polling.status_poller import StatusWait
    from airflow_provider_sops.polling.task_reader import TaskReader
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.sops.node_result import NodeInTask
    from airflow_provider_sops.sops.node_wait import NodeWait
    from airflow_provider_sops.sops.task_wait import TaskWait
    from airflow_provider_sops.task_instance.log import TaskLog
    from airflow_provider_sops.waiting.model import LogLine, Look


@dataclass
class _Known:
    """What is known about one task.

    :param reading: the lock held while it is read.
    """

    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    secrets: TaskSecrets | None = None


#: Keyed by the reader of the shared poll, hence by connection and business. Never stored or sent.
_known: WeakKeyDictionary[TaskReader, dict[tuple[int, ...], _Known]] = WeakKeyDictionary()
_MOST_KNOWN = 64
_NO_SECRETS = TaskSecrets(())


async def shared_secrets(reader: TaskReader, sops_task_ids: Sequence[int]) -> TaskSecrets:
    """Return what must be hidden of a task.

    :param reader: of the caller's wait in the poll.
    :param sops_task_ids: the task, preceded by the tasks around it; empty for a flow without passwords.
    """
    if not sops_task_ids:
        return _NO_SECRETS
    of_poll, key = _known.setdefault(reader, {}), tuple(sops_task_ids)
    while key not in of_poll and len(of_poll) >= _MOST_KNOWN:
        del of_poll[next(iter(of_poll))]
    known = of_poll.setdefault(key, _Known())
    async with known.reading:
        if known.secrets is None:
            try:
                details = [await reader.detail(sops_task_id) for sops_task_id in key]
            except SopsError:
                return TaskSecrets(None)
            # Slow for a large flow.
            secrets = known.secrets = await asyncio.to_thread(TaskSecrets(details).work_out)
            if len(key) > 1:
                await reader.know_passwords(key[-1], secrets)
        return known.secrets


class SharedLooks:
    """Answers the looks of a wait, without passwords; to be called as the ``ask`` of ``follow_async``.

    :param part: the wait's part in the poll.
    :param wait: the wait; it is given the tree where it wants it, and goes on without one that cannot be read.
    :param log: the log of the Airflow task.
    :param node: the node that is waited for, if it is one.
    """

    def __init__(
        self, part: StatusWait, wait: TaskWait | NodeWait, log: TaskLog, *, node: NodeInTask | None = None
    ) -> None:
        self._part = part
        self._wait = wait
        self._log = log
        self._node = node
        self._secrets: TaskSecrets | None = None

    async def __call__(self, look: Look) -> TaskStatus:
        """Return the answer to a look.

        :raises SopsError: there is none.
        """
        clock = asyncio.get_running_loop().time
        status = await self._part.look(look)
        answered = clock()
        wants_tree = self._wait.wants_tree(status, look)
        secrets = await self._secrets_for(status, wants_tree=wants_tree)
        if wants_tree:
            await self._read_tree(secrets)
        await self._read_requests(status)
        if clock() - answered > FRESH_SECONDS:
            status = await self._read_again(status, look)
            secrets = await self._secrets_for(status, wants_tree=False)
        return secrets.status(status)

    async def _read_again(self, status: TaskStatus, look: Look) -> TaskStatus:
        """Return the status as it is now; if it cannot be read, the old one, unless that may be a failure's.

        :raises SopsError: it cannot be read, and a failure must not be told of an old one.
        """
        try:
            return await self._part.reader.status(
                self._part.task_id, with_details=look.with_details, fresh=True, is_probe=True
            )
        except SopsError:
            if status.failed_nodes or status.state == TaskState.FAILED:
                raise
            return status

    def tell(self, line: LogLine) -> None:
        """Write a line of the wait to the log."""
        self._log.log(line.level, "SOPS task %s: %s", self._part.task_id, log_entry(line.text))

    async def _secrets_for(self, status: TaskStatus, *, wants_tree: bool) -> TaskSecrets:
        if self._secrets is not None:
            return self._secrets
        node = self._node
        is_needed = wants_tree or bool(status.ex_data) or (node is not None and status.at(node.path) is not None)
        if not is_needed:
            return await shared_secrets(self._part.reader, ())
        secrets = await shared_secrets(self._part.reader, self._secrets_of())
        if secrets.are_known:
            self._secrets = secrets
        return secrets

    async def _read_requests(self, status: TaskStatus) -> None:
        """Read what the nodes ask that have begun to wait for people; without it the log says only that they wait."""
        newly_waiting = self._wait.newly_waiting
        waiting = await asyncio.to_thread(newly_waiting, status) if status.is_big else newly_waiting(status)
        for each in waiting:
            try:
                secrets = await shared_secrets(self._part.reader, self._secrets_of())
                data, _ = secrets.node(
                    each.path[-1], await self._part.reader.node_data(self._part.task_id, each.path, each.plugin)
                )
            except SopsError as error:
                self._log.debug("what node %s asks cannot be read: %s", each.path[-1], error)
            else:
                self._wait.learn_request(each.path[-1], PersonRequest.of(data))

    def _secrets_of(self) -> tuple[int, ...]:
        return (self._part.task_id,) if self._node is None else self._node.secrets_of

    async def _read_tree(self, secrets: TaskSecrets) -> None:
        tree = secrets.tree()
        try:
            if tree is None:
                tree = secrets.named(await self._part.reader.tree(self._part.task_id))
            self._wait.learn_tree(tree)
        except SopsError as error:
            self._wait.learn_tree(None)
            self._log.debug("the tree of SOPS task %s cannot be read: %s", self._part.task_id, error)

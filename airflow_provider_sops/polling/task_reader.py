"""Reading single tasks and nodes through the connection that many waits share."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.node_end import detail_arguments
from airflow_provider_sops.sops.pipeline_tree import TreeIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.polling.shared_connection import SharedConnection, StatusSource
    from airflow_provider_sops.sops.models import NodeData, TaskDetail, TaskStatus
    from airflow_provider_sops.sops.task_secrets import TaskSecrets

#: How many requests for states and for nodes may be in flight at a time.
_MOST_AT_ONCE = 4


class TaskReader:
    """Reads one task or node per request. Each method raises a ``SopsError`` if there is no answer.

    :param connection: sends the requests.
    """

    def __init__(self, connection: SharedConnection[StatusSource]) -> None:
        self._connection = connection
        self._few_at_once = asyncio.Semaphore(_MOST_AT_ONCE)
        self._trees = weakref.WeakValueDictionary[int, TreeIndex]()
        self._tree_readings = weakref.WeakValueDictionary[int, asyncio.Lock]()

    async def status(
        self, task_id: int, *, with_details: bool, fresh: bool, is_suspect: bool = False, is_probe: bool = False
    ) -> TaskStatus:
        """Read a task's state.

        :param with_details: whether to read error texts and automatic retries.
        :param fresh: whether to bypass the server's cache.
        :param is_suspect: as for ``SharedConnection.ask``.
        :param is_probe: as for ``SharedConnection.ask``.
        """
        async with self._few_at_once:
            return await self._connection.ask(
                lambda source: source.get_task_status(
                    task_id,
                    with_ex_data=with_details,
                    with_failed_node_info=with_details,
                    with_auto_retry_status=with_details,
                    fresh=fresh,
                ),
                about_one_task=True,
                is_suspect=is_suspect,
                is_probe=is_probe,
            )

    async def detail(self, task_id: int) -> TaskDetail:
        """Read a task's tree and constants."""
        return await self._connection.ask(
            lambda source: source.get_task_detail(task_id, fresh=True), about_one_task=True
        )

    async def know_passwords(self, task_id: int, secrets: TaskSecrets) -> None:
        """Hide in errors about a task also the passwords of the tasks around it."""
        with contextlib.suppress(SopsError):
            await self._connection.ask(lambda source: source.know_passwords(task_id, secrets), is_suspect=True)

    async def tree(self, task_id: int) -> TreeIndex:
        """Read a task's tree once and share it between waits, for as long as one of them holds it."""
        reading = self._tree_readings.setdefault(task_id, asyncio.Lock())
        async with reading:
            tree = self._trees.get(task_id)
            if tree is None:
                tree = self._trees[task_id] = TreeIndex((await self.detail(task_id)).pipeline_tree)
            return tree

    async def node_data(self, task_id: int, path: Sequence[str], plugin: str) -> NodeData:
        """Read the inputs and outputs of a node.

        :param path: its id in the task, after those of the enclosing subprocesses.
        :param plugin: its plugin's code.
        """
        async with self._few_at_once:
            detail = await self._connection.ask(
                lambda source: source.get_task_node_detail(task_id, **detail_arguments(path, plugin)),
                about_one_task=True,
            )
        return detail.data

    async def node_log(self, task_id: int, node_id: str, version: str) -> str:
        """Read what a node's plugin wrote.

        :param version: the version of the node's attempt.
        """
        async with self._few_at_once:
            return await self._connection.ask(
                lambda source: source.get_task_node_log(task_id, node_id, version=version or None),
                about_one_task=True,
            )

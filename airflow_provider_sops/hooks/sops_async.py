"""SOPS without blocking, for triggers. Never imported by a DAG file: aiohttp takes long to import."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import tenacity
from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson

from airflow_provider_sops.hooks.sops import warn_about
from airflow_provider_sops.service.reading import read_list, read_text
from airflow_provider_sops.service.retrying import retry_rules
from airflow_provider_sops.service.transport_async import AsyncTransport
from airflow_provider_sops.sops.calls.parameters import (
    asked,
    batches,
    comma_separated,
    required_text,
    task_action,
    time_text,
)
from airflow_provider_sops.sops.connection import SopsConnection, read_connection
from airflow_provider_sops.sops.models import (
    NodeDetail,
    TaskDetail,
    TaskListItem,
    TaskStatus,
    read_tasks_status,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Sequence

    from airflow_provider_sops.sops.answer import Answer
    from airflow_provider_sops.sops.gateway import HttpRequest

log = logging.getLogger(__name__)


async def aget_sops_connection(
    conn_id: str, *, bk_biz_id: int | str | None = None, scope: str | None = None
) -> SopsConnection:
    """Read an Airflow connection of type ``sops`` inside the triggerer; its secrets are masked in logs.

    :param conn_id: the connection.
    :param bk_biz_id: the business, instead of the connection's.
    :param scope: ``cmdb_biz`` or ``project``, instead of the connection's.
    :raises SopsInvalidParameterError: the connection is malformed.
    """
    airflow_connection = await get_async_connection(conn_id)
    connection = read_connection(airflow_connection, bk_biz_id=bk_biz_id, scope=scope)
    # Masks the tokens in the extra; the password was masked when the connection was read.
    await get_async_extra_dejson(airflow_connection)
    warn_about(connection)
    return connection


class AsyncSopsClient:
    """What triggers need of ``SopsHook``, without blocking. Same calls, same answers, same rules for repeats.

    An asynchronous context manager, which opens and closes one HTTP session::

        async with AsyncSopsClient(await aget_sops_connection("sops_default")) as client:
            status = await client.get_task_status(25)

    :param connection: from ``aget_sops_connection``.
    :param repeats: whether requests are sent again as of ``SopsHook``; ``False`` for who has rules of his own.
    """

    def __init__(self, connection: SopsConnection, *, repeats: bool = True) -> None:
        self.connection = connection
        self._repeats = repeats
        self._transport = AsyncTransport(connection.transport)

    async def __aenter__(self) -> AsyncSopsClient:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._transport.__aexit__(*exc_info)

    async def call(self, api: str, *, fresh: bool = False, **parameters: Any) -> Answer:
        """Call SOPS; parameters, answer and errors as of ``SopsHook.call``."""
        request = self.connection.request(api, parameters, fresh=fresh)
        if not self._repeats:
            return await self._send(request)
        return await tenacity.AsyncRetrying(**retry_rules(request, log))(self._send, request)

    async def get_task_status(
        self,
        task_id: int | str,
        *,
        subprocess_id: str | None = None,
        with_ex_data: bool = False,
        with_failed_node_info: bool = False,
        with_auto_retry_status: bool = False,
        fresh: bool = False,
    ) -> TaskStatus:
        """Read the state of a task and of its nodes; see ``SopsHook.get_task_status``."""
        answer = await self.call(
            "get_task_status",
            task_id=task_id,
            subprocess_id=subprocess_id,
            with_ex_data=asked(with_ex_data),
            with_failed_node_info=asked(with_failed_node_info),
            with_auto_retry_status=asked(with_auto_retry_status),
            fresh=fresh,
        )
        return TaskStatus.read(answer.data)

    async def get_tasks_status(
        self, task_ids: Iterable[int | str], *, include_children: bool = False, fresh: bool = False
    ) -> dict[int, TaskStatus]:
        """Read the states of many tasks, 50 in each request; see ``SopsHook.get_tasks_status``."""
        statuses: dict[int, TaskStatus] = {}
        for batch in batches(task_ids):
            answer = await self.call(
                "get_tasks_status",
                task_id_list=batch,
                include_children_status=asked(include_children),
                fresh=fresh,
            )
            statuses |= read_tasks_status(answer.data)
        return statuses

    async def get_task_detail(self, task_id: int | str, *, fresh: bool = False) -> TaskDetail:
        """Read a task's outputs, constants, tree and page; see ``SopsHook.get_task_detail``."""
        return TaskDetail.read((await self.call("get_task_detail", task_id=task_id, fresh=fresh)).data)

    async def get_task_node_detail(
        self,
        task_id: int | str,
        node_id: str,
        *,
        component_code: str | None = None,
        subprocess_stack: Sequence[str] | None = None,
        loop: int | None = None,
        fresh: bool = False,
    ) -> NodeDetail:
        """Read a node's state, data and earlier tries; see ``SopsHook.get_task_node_detail``."""
        answer = await self.call(
            "get_task_node_detail",
            task_id=task_id,
            node_id=required_text("get_task_node_detail", "node_id", node_id),
            component_code=component_code,
            subprocess_stack=list(subprocess_stack) if subprocess_stack else None,
            loop=loop,
            fresh=fresh,
        )
        return NodeDetail.read(answer.data)

    async def get_task_node_log(self, task_id: int | str, node_id: str, *, version: str | None = None) -> str:
        """Read what a node's plugin wrote while it ran; see ``SopsHook.get_task_node_log``."""
        answer = await self.call(
            "get_task_node_log",
            task_id=task_id,
            node_id=required_text("get_task_node_log", "node_id", node_id),
            version=version,
        )
        return read_text(answer.data)

    async def operate_task(self, task_id: int | str, action: str) -> None:
        """Start, pause, resume or revoke a task; see ``SopsHook.operate_task``."""
        await self.call("operate_task", task_id=task_id, action=task_action(action))

    async def get_task_list(
        self,
        *,
        keyword: str | None = None,
        template_id: int | str | None = None,
        template_ids: Iterable[int | str] | None = None,
        is_started: bool | None = None,
        is_finished: bool | None = None,
        is_child_taskflow: bool | None = None,
        executor: str | None = None,
        create_method: str | None = None,
        create_time_start: datetime.datetime | str | None = None,
        create_time_end: datetime.datetime | str | None = None,
        expected_timezone: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[TaskListItem]:
        """List tasks, newest first; see ``SopsHook.get_task_list``."""
        answer = await self.call(
            "get_task_list",
            keyword=keyword,
            template_id=template_id,
            template_ids=comma_separated(template_ids),
            is_started=is_started,
            is_finished=is_finished,
            is_child_taskflow=is_child_taskflow,
            executor=executor,
            create_method=create_method,
            create_time_start=time_text(create_time_start),
            create_time_end=time_text(create_time_end),
            expected_timezone=expected_timezone,
            limit=limit,
            offset=offset,
        )
        return [TaskListItem.read(item) for item in read_list(answer.data)]

    async def _send(self, request: HttpRequest) -> Answer:
        """Send a request once and read what comes back."""
        response = await self._transport.send(request)
        log.debug("%s %s: HTTP %s", request.method, request.shown_url, response.status)
        return self.connection.read(request, response)

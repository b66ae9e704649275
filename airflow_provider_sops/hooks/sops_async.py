"""SOPS without blocking, for triggers. Never imported by a DAG file: importing aiohttp is slow."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import tenacity

from airflow_provider_sops import metrics
from airflow_provider_sops.hooks.configuration import max_answer_mb
from airflow_provider_sops.hooks.session_hook import warn_about
from airflow_provider_sops.service.calls import asynchronous, asynchronous_steps
from airflow_provider_sops.service.retrying import retry_rules
from airflow_provider_sops.service.tracing import traced
from airflow_provider_sops.service.transport_async import AsyncTransport
from airflow_provider_sops.sops.calls import nodes, tasks
from airflow_provider_sops.sops.connection import SopsConnection, read_connection
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.version_compat import get_async_connection, get_async_extra_dejson

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.service.calls import Call, T
    from airflow_provider_sops.service.http import HttpRequest, HttpResponse
    from airflow_provider_sops.sops.answer import Answer
    from airflow_provider_sops.sops.models import TaskDetail, Template
    from airflow_provider_sops.sops.task_secrets import TaskSecrets

log = logging.getLogger(__name__)


async def aget_sops_connection(
    conn_id: str, *, bk_biz_id: int | str | None = None, scope: str | None = None
) -> SopsConnection:
    """Read an Airflow connection of type ``sops`` inside the triggerer; its secrets are masked in logs.

    :param conn_id: the connection.
    :param bk_biz_id: the business; default: the connection's.
    :param scope: ``cmdb_biz`` or ``project``; default: the connection's.
    :raises SopsInvalidParameterError: the connection is malformed.
    """
    airflow_connection = await get_async_connection(conn_id)
    connection = read_connection(airflow_connection, bk_biz_id=bk_biz_id, scope=scope, max_answer_mb=max_answer_mb())
    # Masks the tokens in the extra; the password was masked when the connection was read.
    await get_async_extra_dejson(airflow_connection)
    warn_about("SOPS", "app secret", connection.transport, connection.unused_extra)
    return connection


class AsyncSopsClient:
    """The asynchronous part of ``SopsHook`` for triggers: same calls, same answers, same retries.

    An asynchronous context manager, which opens and closes one HTTP session::

        async with AsyncSopsClient(await aget_sops_connection("sops_default")) as client:
            status = await client.get_task_status(25)

    :param connection: from ``aget_sops_connection``.
    :param repeats: whether to retry as ``SopsHook`` does; ``False`` for callers with their own rules.
    """

    def __init__(self, connection: SopsConnection, *, repeats: bool = True) -> None:
        self.connection = connection
        self._repeats = repeats
        self._transport = AsyncTransport(connection.transport)

    async def __aenter__(self) -> AsyncSopsClient:
        await asyncio.to_thread(metrics.prepare)
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._transport.__aexit__(*exc_info)

    async def call(self, api: str, *, fresh: bool = False, **parameters: Any) -> Answer:
        """Call SOPS; same parameters, answer and errors as ``SopsHook.call``."""
        return await self._call(self.connection.request(api, parameters, fresh=fresh), _as_it_is)

    async def do(self, call: Call[T]) -> T:
        """Make a call of ``sops.calls`` as ``call`` does, and return its result."""
        return await self._call(self.connection.request(call.api, call.parameters, fresh=call.fresh), call.result)

    async def _call(self, request: HttpRequest, read: Callable[[Answer], T]) -> T:
        if not self._repeats:
            return await self._send(request, read)
        rules = retry_rules(request.api, repeatable=request.repeatable, log=log)
        return await tenacity.AsyncRetrying(**rules)(self._send, request, read)

    async def know_passwords(self, task_id: int, secrets: TaskSecrets) -> None:
        """Hide in errors about a task also the passwords of the tasks around it; sends nothing."""
        self.connection.know_passwords(task_id, secrets)

    operate_task = asynchronous(tasks.operate_task)
    get_task_status = asynchronous(tasks.get_task_status)
    get_tasks_status = asynchronous_steps(tasks.get_tasks_status)
    get_task_detail = asynchronous(tasks.get_task_detail)
    get_task_list = asynchronous(tasks.get_task_list)

    get_task_node_detail = asynchronous(nodes.get_task_node_detail)
    get_task_node_log = asynchronous(nodes.get_task_node_log)

    async def _send(self, request: HttpRequest, read: Callable[[Answer], T]) -> T:
        """Send a request once and read the answer; to an ESB that may be an older one, once more in its form."""
        connection = self.connection
        refused: HttpResponse | None = None

        def read_response(response: HttpResponse) -> T:
            nonlocal refused
            log.debug("%s %s: HTTP %s", request.method, request.shown_url, response.status)
            try:
                return read(connection.read(request, response))
            except SopsError:
                refused = response
                raise

        try:
            with metrics.TimedRequest(metrics.SOPS, request.api, connection.transport.root):
                return await self._transport.send(traced(request), connection.limits, read_response)
        except SopsError as error:
            again, refusal = connection.for_older_esb(request, error), error.with_traceback(None)
        if again is not None:
            return await self._send(again, read)
        source = await self._source_of_passwords(request, refusal)
        # In a thread, as it is slow for a large flow.
        refusal = await asyncio.to_thread(connection.refusal, request, refused, refusal, source)
        refused = None
        # Outside the block above: an error keeps the one that is being handled, and its words.
        raise refusal

    async def _source_of_passwords(self, request: HttpRequest, error: SopsError) -> TaskDetail | Template | None:
        """Read what tells the passwords that an error may quote, if that is needed and possible."""
        call = self.connection.source_of_passwords(request, error)
        if call is None:
            return None
        try:
            return call.result(await self._send(self.connection.request(call.api, call.parameters), _as_it_is))
        except SopsError:
            log.debug("Which passwords an error of %s may quote is not known.", request.api)
            return None


def _as_it_is(answer: Answer) -> Answer:
    return answer

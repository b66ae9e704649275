"""The polls shared by the triggers of one event loop: one per connection, business and scope."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_sops.polling.status_poller import StatusPoller
from airflow_provider_sops.sops.errors import SopsConnectionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_sops.hooks.sops_async import AsyncSopsClient
    from airflow_provider_sops.polling.status_poller import StatusWait

_Key = tuple[str, str, str | None, bool]

_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, StatusPoller]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def shared_wait(
    sops_conn_id: str,
    sops_task_id: int,
    *,
    bk_biz_id: int | str | None = None,
    scope: str | None = None,
    interval_seconds: float = 10.0,
    node_states: bool = True,
) -> AsyncIterator[StatusWait]:
    """Wait for a SOPS task in the poll of its connection; the last wait to leave closes the poll.

    :param sops_conn_id: the Airflow connection of type ``sops``.
    :param bk_biz_id: the business; default: the connection's.
    :param scope: ``cmdb_biz`` or ``project``; default: the connection's.
    :param interval_seconds: the usual time between two looks.
    :param node_states: whether to read the states of the nodes.
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    key = (sops_conn_id, "" if bk_biz_id is None else str(bk_biz_id), scope, node_states)
    poller = pollers.get(key)
    if poller is None:
        poller = pollers[key] = StatusPoller(
            lambda: open_source(sops_conn_id, bk_biz_id, scope),
            server_name(sops_conn_id, bk_biz_id),
            node_states=node_states,
        )
    try:
        async with poller.wait_for(sops_task_id, interval_seconds) as wait:
            yield wait
    finally:
        if poller.is_unused and pollers.get(key) is poller:
            del pollers[key]


async def open_client(
    sops_conn_id: str, bk_biz_id: int | str | None = None, scope: str | None = None, *, repeats: bool = True
) -> AsyncSopsClient:
    """Read a connection and return a client for it, without blocking the event loop.

    :raises SopsInvalidParameterError: the connection is malformed.
    """
    # The first import takes half a second, which must not block the event loop.
    await asyncio.to_thread(importlib.import_module, "airflow_provider_sops.hooks.sops_async")
    from airflow_provider_sops.hooks.sops_async import AsyncSopsClient, aget_sops_connection

    connection = await aget_sops_connection(sops_conn_id, bk_biz_id=bk_biz_id, scope=scope)
    return AsyncSopsClient(connection, repeats=repeats)


def server_name(sops_conn_id: str, bk_biz_id: int | str | None) -> str:
    """Return the server's name for logs."""
    business = "" if bk_biz_id is None else f", bk_biz_id {bk_biz_id}"
    return f"SOPS (connection {sops_conn_id}{business})"


@contextlib.asynccontextmanager
async def open_source(
    sops_conn_id: str, bk_biz_id: int | str | None, scope: str | None
) -> AsyncIterator[AsyncSopsClient]:
    """Open a client without retries of its own: the ``SharedConnection`` retries.

    :raises SopsConnectionError: the connection cannot be read or is malformed; someone may fix it.
    """
    try:
        client = await open_client(sops_conn_id, bk_biz_id, scope, repeats=False)
    except Exception as error:
        # Airflow's API or database may be down, or someone is fixing the connection; the SOPS tasks keep running.
        reason = f"the Airflow connection {sops_conn_id!r} cannot be used: {error}"
        raise SopsConnectionError(reason, request_sent=False) from error
    async with client:
        yield client

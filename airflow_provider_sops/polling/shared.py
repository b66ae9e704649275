"""The polls shared by the triggers of one event loop: one per connection, business and scope."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_sops.polling.status_poller import StatusPoller, StatusWait
from airflow_provider_sops.sops.errors import SopsConnectionError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.site import Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_sops.hooks.sops_async import AsyncSopsClient
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.waiting.model import Look

_Key = tuple[Site, bool]

#: How many finished tasks of a connection are remembered, and how long.
_MOST_FINISHED = 8
_FINISHED_SECONDS = 600.0


@dataclass(slots=True)
class _FinishedTasks:
    """The last answers about tasks that are FINISHED: nothing changes there any more.

    Most mirrors of quick nodes begin one after another when the flow is over; each would ask once.
    """

    _statuses: dict[int, tuple[float, TaskStatus]] = field(default_factory=dict)

    def get(self, task_id: int) -> TaskStatus | None:
        since, status = self._statuses.get(task_id, (0.0, None))
        return status if asyncio.get_running_loop().time() - since < _FINISHED_SECONDS else None

    def keep(self, task_id: int, status: TaskStatus) -> None:
        if status.state != TaskState.FINISHED or status.is_big:
            return
        self._statuses.pop(task_id, None)
        while len(self._statuses) >= _MOST_FINISHED:
            del self._statuses[next(iter(self._statuses))]
        self._statuses[task_id] = (asyncio.get_running_loop().time(), status)


@dataclass(frozen=True, slots=True)
class _RememberingWait(StatusWait):
    """A wait in a poll, whose first look needs no request if the task is known to be FINISHED."""

    finished: _FinishedTasks

    async def look(self, look: Look) -> TaskStatus:
        known = self.finished.get(self.task_id)
        # Later looks wait their time: an answer at once, again and again, would keep the event loop busy.
        if known is not None and look.delay_seconds == 0 and not look.with_details:
            return known
        status = await self.poller.look(self.task_id, look)
        self.finished.keep(self.task_id, status)
        return status


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, StatusPoller]] = WeakKeyDictionary()
#: These outlive their polls.
_finished: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, _FinishedTasks]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def shared_wait(
    site: Site,
    sops_task_id: int,
    *,
    interval_seconds: float = 10.0,
    node_states: bool = True,
    remembers_finished: bool = False,
) -> AsyncIterator[StatusWait]:
    """Wait for a SOPS task in the poll of its connection; the last wait to leave closes the poll.

    :param site: where the task is.
    :param interval_seconds: the usual time between two looks.
    :param node_states: whether to read the states of the nodes.
    :param remembers_finished: whether waits for the same task, one after another, need one answer between them once it
        is FINISHED.
    """
    loop = asyncio.get_running_loop()
    pollers = _pollers.setdefault(loop, {})
    # A business may be given as a number here and as a text there.
    key = (replace(site, bk_biz_id="" if site.bk_biz_id is None else str(site.bk_biz_id)), node_states)
    poller = pollers.get(key)
    if poller is None:
        poller = pollers[key] = StatusPoller(lambda: open_source(site), site.server_name, node_states=node_states)
    try:
        async with poller.wait_for(sops_task_id, interval_seconds) as wait:
            if remembers_finished:
                finished = _finished.setdefault(loop, {}).setdefault(key, _FinishedTasks())
                wait = _RememberingWait(wait.poller, wait.reader, wait.task_id, finished)
            yield wait
    finally:
        if poller.is_unused and pollers.get(key) is poller:
            del pollers[key]


async def open_client(site: Site, *, repeats: bool = True) -> AsyncSopsClient:
    """Read a connection and return a client for it, without blocking the event loop.

    :raises SopsInvalidParameterError: the connection is malformed.
    """
    # The first import takes half a second, which must not block the event loop.
    await asyncio.to_thread(importlib.import_module, "airflow_provider_sops.hooks.sops_async")
    from airflow_provider_sops.hooks.sops_async import AsyncSopsClient, aget_sops_connection

    connection = await aget_sops_connection(site.sops_conn_id, bk_biz_id=site.bk_biz_id, scope=site.scope)
    return AsyncSopsClient(connection, repeats=repeats)


@contextlib.asynccontextmanager
async def open_source(site: Site) -> AsyncIterator[AsyncSopsClient]:
    """Open a client without retries of its own: the ``SharedConnection`` retries.

    :raises SopsConnectionError: the connection cannot be read or is malformed; someone may fix it.
    """
    try:
        client = await open_client(site, repeats=False)
    except Exception as error:
        # Airflow's API or database may be down, or someone is fixing the connection; the SOPS tasks keep running.
        reason = f"the Airflow connection {site.sops_conn_id!r} cannot be used: {error}"
        raise SopsConnectionError(reason, request_sent=False) from error
    async with client:
        yield client

"""Waiting in the triggerer around the wait for a SOPS task: until SOPS answers, or until revoked tasks are at rest."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_sops.polling.shared import open_client, open_source
from airflow_provider_sops.polling.shared_connection import SharedConnection
from airflow_provider_sops.sops.calls.tasks import get_task_list
from airflow_provider_sops.sops.errors import SopsAuthError, SopsError
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_key import TaskSearch
from airflow_provider_sops.sops.verdict import nodes_at_work
from airflow_provider_sops.triggers.sops import SopsSiteTrigger, revoke_again_while_lost
from airflow_provider_sops.waiting.follow import steady_clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from airflow_provider_sops.hooks.sops_async import AsyncSopsClient
    from airflow_provider_sops.sops.models import TaskDetail, TaskStatus
    from airflow_provider_sops.sops.site import Site

#: The word by which an operator knows these events from those of a wait.
OVER = "interruption over"

_PAUSE_SECONDS = 5.0
_LOOK_SECONDS = 5.0
#: A run that comes back to the triggerer although SOPS answers there rests for this part of its outage, and at most so
#: long: what fails on the worker is something else than what is asked here.
_REST_PART, _LONGEST_REST_SECONDS = 0.25, 300.0


@dataclass(frozen=True)
class Over:
    """The end of an interruption; whether that helps is seen on the worker."""

    def to_event(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {"outcome": OVER}


class _Interruption(SopsSiteTrigger):
    """A run that has left its worker, and goes on in ``execute_complete`` with what it has taken along.

    :param until: when to go on in any case, in seconds since the epoch; ``None`` for never.
    :param progress: what the run takes along; JSON that only its operator understands.
    :param sops_task_id: the run's task; ``None`` if there is none yet.
    :param search: how the tasks of earlier tries are found, as ``TaskSearch.to_json`` gives it; ``None`` for none.
    :param revoke_on_kill: whether what may be running is revoked if a person ends the waiting Airflow task.
    """

    argument_names = (
        *SopsSiteTrigger.argument_names,
        "until",
        "progress",
        "sops_task_id",
        "search",
        "revoke_on_kill",
    )
    kind_of_target = "a run"
    word_for_stopped = "revoked"

    def __init__(
        self,
        *,
        until: float | None = None,
        progress: Mapping[str, Any] | None = None,
        sops_task_id: int | None = None,
        search: Mapping[str, Any] | None = None,
        revoke_on_kill: bool = False,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.until = until
        self.progress = dict(progress or {})
        self.sops_task_id = sops_task_id
        self.search = None if search is None else dict(search)
        self.revoke_on_kill = revoke_on_kill

    @classmethod
    def has_target(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the arguments contain a run's progress."""
        return isinstance(arguments.get("progress"), dict)

    @property
    def target(self) -> str:
        """The SOPS task, as far as it is known."""
        return "What may be running in SOPS" if self.sops_task_id is None else f"SOPS task {self.sops_task_id}"

    @property
    def stops_on_kill(self) -> bool:
        """Whether something may be running that is revoked when a person ends the waiting task."""
        return self.revoke_on_kill and (self.sops_task_id is not None or self.search is not None)

    async def stop(self) -> None:
        """Revoke what may be running, again while an answer is lost; twice does no harm."""
        async with await open_client(site_of(self)) as client:
            for sops_task_id in await self._to_revoke(client):
                await revoke_again_while_lost(client, sops_task_id)

    async def _to_revoke(self, client: AsyncSopsClient) -> list[int]:
        if self.sops_task_id is not None:
            return [self.sops_task_id]
        search = TaskSearch.from_json(self.search)
        if search is None:
            return []
        items = await client.do(search.call)
        return search.to_end(search.sort(items, client.connection.credentials.user))

    def _is_over(self, now: float) -> bool:
        return self.until is not None and now >= self.until


class SopsOutageTrigger(_Interruption):
    """Fires once SOPS answers again, or once the outage has lasted too long.

    All of them in one triggerer send one request at a time while SOPS does not answer.

    :param since: when the outage began, in seconds since the epoch.
    """

    class_path = "airflow_provider_sops.triggers.sops_interruption.SopsOutageTrigger"
    argument_names = (*_Interruption.argument_names, "since")

    def __init__(self, *, since: float = 0.0, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.since = since

    async def follow(self) -> Over:
        """Ask until SOPS says anything at all."""
        self.log.info("SOPS gives no usable answer; this task waits in the triggerer and holds no worker.")
        clock = steady_clock()
        began = clock()
        rest_until = began + min(_REST_PART * max(0.0, began - self.since), _LONGEST_REST_SECONDS)
        async with _shared_connection(site_of(self)) as connection:
            while not self._is_over(clock()):
                if clock() >= rest_until and await self._answers(connection):
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
        return Over()

    async def _answers(self, connection: SharedConnection[AsyncSopsClient]) -> bool:
        try:
            await connection.ask(self._ask)
        except SopsError as error:
            return not (error.is_outage or isinstance(error, SopsAuthError))
        return True

    async def _ask(self, client: AsyncSopsClient) -> None:
        if self.sops_task_id is not None:
            await client.get_task_status(self.sops_task_id, fresh=True)
        else:
            await client.do(get_task_list(limit=1))


class SopsRevokedTrigger(_Interruption):
    """Fires once no node of revoked tasks runs any more, or once that has lasted too long.

    :param revoked: the ids of these tasks.
    """

    class_path = "airflow_provider_sops.triggers.sops_interruption.SopsRevokedTrigger"
    argument_names = (*_Interruption.argument_names, "revoked")

    def __init__(self, *, revoked: Sequence[int] = (), **arguments: Any) -> None:
        super().__init__(**arguments)
        self.revoked = list(revoked)

    async def follow(self) -> Over:
        """Look until nothing runs; an outage counts as if something did."""
        self.log.info(
            "Waiting in the triggerer for the nodes of revoked SOPS tasks: %s", ", ".join(map(str, self.revoked))
        )
        clock = steady_clock()
        trees: dict[int, TreeIndex] = {}
        async with _shared_connection(site_of(self)) as connection:
            while not self._is_over(clock()):
                if not await self._are_at_work(connection, trees):
                    break
                await asyncio.sleep(_LOOK_SECONDS)
        return Over()

    async def _are_at_work(self, connection: SharedConnection[AsyncSopsClient], trees: dict[int, TreeIndex]) -> bool:
        for sops_task_id in self.revoked:
            try:
                if sops_task_id not in trees:
                    detail = await connection.ask(partial(_read_detail, sops_task_id=sops_task_id))
                    trees[sops_task_id] = TreeIndex(detail.pipeline_tree)
                status = await connection.ask(partial(_read_status, sops_task_id=sops_task_id))
            except SopsError as error:
                if error.is_outage or isinstance(error, SopsAuthError):
                    return True
                self.log.info("SOPS task %s is left to the worker: %s", sops_task_id, error)
                continue
            if nodes_at_work(status, trees[sops_task_id]):
                return True
        return False


async def _read_detail(client: AsyncSopsClient, *, sops_task_id: int) -> TaskDetail:
    return await client.get_task_detail(sops_task_id, fresh=True)


async def _read_status(client: AsyncSopsClient, *, sops_task_id: int) -> TaskStatus:
    return await client.get_task_status(sops_task_id, fresh=True)


@dataclass
class _Connection:
    connection: SharedConnection[AsyncSopsClient]
    users: int = 0


_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Site, _Connection]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def _shared_connection(site: Site) -> AsyncIterator[SharedConnection[AsyncSopsClient]]:
    """Return the connection that all interruptions at a site share; the last one to leave closes it."""
    by_site = _connections.setdefault(asyncio.get_running_loop(), {})
    shared = by_site.get(site)
    if shared is None:
        shared = by_site[site] = _Connection(SharedConnection(lambda: open_source(site), site.server_name))
    shared.users += 1
    try:
        yield shared.connection
    finally:
        shared.users -= 1
        if not shared.users:
            del by_site[site]
            await shared.connection.close()

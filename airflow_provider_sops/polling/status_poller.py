"""One poll for many waits: up to 50 SOPS tasks in one request. Of Airflow it knows no more than its metrics."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops import metrics
from airflow_provider_sops.polling.open_looks import OpenLook, OpenLooks, answer, answer_all
from airflow_provider_sops.polling.schedule import PollSchedule
from airflow_provider_sops.polling.shared_connection import SharedConnection, is_trouble
from airflow_provider_sops.polling.task_reader import TaskReader
from airflow_provider_sops.sops.errors import SopsAuthError, SopsError, SopsGatewayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
    from contextlib import AbstractAsyncContextManager

    from airflow_provider_sops.polling.shared_connection import StatusSource
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.waiting.model import Look

log = logging.getLogger(__name__)

_HTTP_OK = 200
#: How many batches may be in flight at a time.
_MOST_AT_ONCE = 4
#: How long to wait before trying get_tasks_status again on a server that lacks it, or where the app may not call it.
_WITHOUT_BATCHES_SECONDS = 600.0


class StatusPoller:
    """Answers the looks of many waits with few requests.

    Looks at the same task share an answer. A look gets a request of its own if it needs a failure's details, which
    get_tasks_status lacks, if a batch left its task out (SOPS does not know it), or if every batch with the task fails.
    If the server lacks get_tasks_status, or the app has no permission for it, each task is read on its own.

    :param open_source: opens a client when the first look is due.
    :param name: the server's name in the log.
    :param node_states: whether to read the states of the nodes.
    """

    def __init__(
        self,
        open_source: Callable[[], AbstractAsyncContextManager[StatusSource]],
        name: str,
        *,
        node_states: bool = True,
    ) -> None:
        self._connection = SharedConnection(open_source, name)
        self._reader = TaskReader(self._connection)
        self._node_states = node_states
        self._schedule = PollSchedule()
        self._looks = OpenLooks()
        #: When tasks with no look since then were last answered.
        self._answered: dict[int, float] = {}
        #: Tasks that made a batch fail.
        self._alone: set[int] = set()
        self._without_batches_until = 0.0
        self._batches = 0
        self._requests: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Handle | None = None
        self._waits = 0

    @property
    def is_unused(self) -> bool:
        """Whether there are no waits."""
        return self._waits == 0

    @contextlib.asynccontextmanager
    async def wait_for(self, task_id: int, interval_seconds: float) -> AsyncIterator[StatusWait]:
        """Join the poll for the duration of the block.

        :param interval_seconds: the usual time between two looks, until the first one says its own.
        """
        self._waits += 1
        metrics.wait_begins()
        self._schedule.join(task_id, interval_seconds)
        try:
            yield StatusWait(self, self._reader, task_id)
        finally:
            self._waits -= 1
            metrics.wait_ends()
            self._schedule.leave(task_id)
            self._alone.discard(task_id)
            self._answered.pop(task_id, None)
            if self.is_unused:
                self._cancel_timer()
                for request in self._requests:
                    request.cancel()
                await asyncio.shield(self._close([*self._requests]))

    async def look(self, task_id: int, look: Look) -> TaskStatus:
        """Return the answer to a look, which may come from a request shared with others.

        :raises SopsError: there is no answer; every look that shares the request gets this error.
        """
        opened = self._looks.add(task_id, look)
        # On a busy machine the waits of one answer may resume up to a second apart. If the delay counted from there,
        # their next looks would no longer fit into one request.
        begin = self._answered.pop(task_id, asyncio.get_running_loop().time())
        if look.with_details or task_id in self._alone:
            self._begin(self._ask_later(task_id, look.delay_seconds))
        else:
            self._schedule.add(task_id, begin, look.delay_seconds, look.longest_delay_seconds)
            self._set_timer_soon()
        try:
            return await opened.answer
        finally:
            if not self._looks.drop(task_id, opened):
                self._schedule.discard(task_id)

    def _set_timer_soon(self) -> None:
        """Set the timer once for all looks added in this iteration of the event loop."""
        if self._timer is None or isinstance(self._timer, asyncio.TimerHandle):
            self._cancel_timer()
            self._timer = asyncio.get_running_loop().call_soon(self._set_timer)

    def _set_timer(self) -> None:
        self._cancel_timer()
        moment = self._schedule.next_time()
        if moment is not None and self._batches < _MOST_AT_ONCE:
            self._timer = asyncio.get_running_loop().call_at(moment, self._send_batch)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send_batch(self) -> None:
        self._timer = None
        task_ids = self._schedule.take(asyncio.get_running_loop().time())
        if task_ids:
            self._batches += 1
            self._begin(self._ask_together({task_id: self._looks.take(task_id) for task_id in task_ids}))
        self._set_timer()

    async def _ask_together(self, looks: dict[int, list[OpenLook]]) -> None:
        metrics.tell_waits()
        try:
            statuses = await self._batch(looks)
        except Exception as error:  # noqa: BLE001 - without an answer a wait would never end
            # A server that took the request and did not answer it may stumble over one of the tasks.
            if isinstance(error, SopsAuthError):
                await self._ask_without_permission(looks, error)
            elif isinstance(error, SopsError) and is_trouble(error) and not error.outcome_unknown:
                answer_all(looks.values(), error)
            else:
                await self._ask_each_alone(looks)
            return
        finally:
            self._batches -= 1
            self._set_timer_soon()
        answered = asyncio.get_running_loop().time()
        for task_id in looks.keys() & statuses.keys():
            self._answered[task_id] = answered
            answer(looks.pop(task_id), statuses[task_id])
        await asyncio.gather(*(self._ask_alone(task_id, waiting) for task_id, waiting in looks.items()))

    async def _batch(self, looks: dict[int, list[OpenLook]]) -> dict[int, TaskStatus]:
        """Read the states of tasks in one request; return nothing if the server lacks the call."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._without_batches_until:
            return {}
        fresh = any(waiting.look.fresh for waitings in looks.values() for waiting in waitings)

        async def question(source: StatusSource) -> dict[int, TaskStatus]:
            metrics.polled(len(looks))
            return await source.get_tasks_status(looks, include_children=self._node_states, fresh=fresh)

        try:
            return await self._connection.ask(question)
        except SopsGatewayError as error:
            if not error.api_missing:
                raise
            self._without_batches_until = loop.time() + _WITHOUT_BATCHES_SECONDS
            return {}

    async def _ask_without_permission(self, looks: dict[int, list[OpenLook]], refusal: SopsAuthError) -> None:
        """Find out whether the app is refused, or only get_tasks_status: gateways give permission per call."""
        first = next(iter(looks))
        error = await self._ask_alone(first, looks.pop(first), is_probe=True)
        if error is not None:
            answer_all(looks.values(), error)
            return
        now = asyncio.get_running_loop().time()
        if now >= self._without_batches_until:
            log.warning(
                "The app may not call get_tasks_status, so each task is read with a request of its own. "
                "Apply for permission for get_tasks_status at the API gateway: one request then serves 50 tasks. %s",
                refusal,
            )
        self._without_batches_until = now + _WITHOUT_BATCHES_SECONDS
        await asyncio.gather(*(self._ask_alone(task_id, waiting) for task_id, waiting in looks.items()))

    async def _ask_each_alone(self, looks: dict[int, list[OpenLook]]) -> None:
        """Find the tasks that make a batch fail; if a single one fails already, suspect the server."""
        # A random one: if it were always the same and that one the culprit, the others would never be read.
        first = random.choice(list(looks))  # noqa: S311
        error = await self._ask_alone(first, looks.pop(first), is_probe=True)
        if error is not None and error.outcome_unknown:
            answer_all(looks.values(), error)
            return
        await asyncio.gather(
            *(self._ask_alone(task_id, waiting, stays_alone=True) for task_id, waiting in looks.items())
        )

    async def _ask_later(self, task_id: int, delay_seconds: float) -> None:
        await asyncio.sleep(delay_seconds)
        looks = self._looks.take(task_id, with_details=True)
        if looks:
            self._schedule.discard(task_id)
            await self._ask_alone(task_id, looks)

    async def _ask_alone(
        self, task_id: int, looks: list[OpenLook], *, stays_alone: bool = False, is_probe: bool = False
    ) -> SopsError | None:
        """Read one task, answer its looks and return the error, if any.

        :param stays_alone: whether an error keeps the task out of batches until it succeeds again.
        :param is_probe: as for ``SharedConnection.ask``.
        """
        with_details = any(waiting.look.with_details for waiting in looks)
        fresh = any(waiting.look.fresh for waiting in looks)
        is_suspect = stays_alone or task_id in self._alone
        try:
            status = await self._reader.status(
                task_id, with_details=with_details, fresh=fresh, is_suspect=is_suspect, is_probe=is_probe
            )
        except Exception as failure:  # noqa: BLE001 - as above
            error = _named(failure)
            if stays_alone:
                self._alone.add(task_id)
            answer(looks, error)
            return error
        self._alone.discard(task_id)
        answer(looks, status)
        return None

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        # Without its own context, its log lines would go to the Airflow task that asked first.
        request = asyncio.create_task(work, context=contextvars.Context())
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)

    async def _close(self, requests: Iterable[asyncio.Task[None]]) -> None:
        await asyncio.gather(*requests, return_exceptions=True)
        await self._connection.close()


@dataclass(frozen=True, slots=True)
class StatusWait:
    """One wait in a poll.

    :param reader: reads what else the wait needs.
    """

    poller: StatusPoller
    reader: TaskReader
    task_id: int

    async def look(self, look: Look) -> TaskStatus:
        """Return the task's status, read ``look.delay_seconds`` after its last answer or a little earlier.

        :raises SopsError: there is no answer.
        """
        return await self.poller.look(self.task_id, look)


def _named(error: Exception) -> SopsError:
    """Return what a look failed with as an error that a wait can bear."""
    if isinstance(error, SopsError):
        return error
    log.debug("An answer could not be used", exc_info=error)
    return SopsError(f"the answer cannot be used ({type(error).__name__})", http_status=_HTTP_OK)

"""The connection that many waits share to one SOPS server; it limits requests while the server does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from airflow_provider_sops.sops.errors import SopsAuthError, SopsError, SopsRateLimitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    from airflow_provider_sops.sops.models import NodeDetail, TaskDetail, TaskStatus
    from airflow_provider_sops.sops.task_secrets import TaskSecrets

log = logging.getLogger(__name__)

#: How long a request is held back during an outage before the caller gets the error.
PATIENCE_SECONDS = 15.0
_LONGEST_PAUSE_SECONDS = 30.0
#: The same for a question that may be answered where others are not; it outlasts the longest pause.
_PROBE_PATIENCE_SECONDS = 45.0

_Answer = TypeVar("_Answer")
_Source = TypeVar("_Source")


class StatusSource(Protocol):
    """The client that the waits use; ``AsyncSopsClient`` is one."""

    async def get_tasks_status(
        self, task_ids: Iterable[int], *, include_children: bool = False, fresh: bool = False
    ) -> dict[int, TaskStatus]:
        """Return the states of tasks; unknown tasks are left out."""

    async def get_task_status(
        self,
        task_id: int,
        *,
        with_ex_data: bool = False,
        with_failed_node_info: bool = False,
        with_auto_retry_status: bool = False,
        fresh: bool = False,
    ) -> TaskStatus:
        """Return the state of one task."""

    async def get_task_detail(self, task_id: int, *, fresh: bool = False) -> TaskDetail:
        """Return a task's tree, among other things."""

    async def get_task_node_detail(
        self,
        task_id: int,
        node_id: str,
        *,
        component_code: str | None = None,
        subprocess_stack: Sequence[str] | None = None,
    ) -> NodeDetail:
        """Return inputs and outputs of a node, among other things."""

    async def get_task_node_log(self, task_id: int, node_id: str, *, version: str | None = None) -> str:
        """Return what a node's plugin wrote."""

    async def know_passwords(self, task_id: int, secrets: TaskSecrets) -> None:
        """Hide in errors about a task also the passwords of the tasks around it; sends nothing."""


@dataclass
class _Trouble:
    """An outage: the server gives no usable answer.

    :param until: when the next single request may be sent.
    """

    since: float
    error: SopsError
    until: float
    failures: int = 1
    is_probed: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class _Session(Generic[_Source]):
    """An open source; closed when its last user is done."""

    source: _Source
    closing: contextlib.AsyncExitStack
    users: int = 0


class SharedConnection(Generic[_Source]):
    """Sends requests to one server for many waits, and acts as a circuit breaker during an outage.

    While the server gives no usable answer, only one request at a time is sent, with growing pauses or after the time
    that a rate limit sets; the other callers wait for it. After 15 seconds without an answer they get the error and may
    ask again; more callers never mean more requests. Rejected credentials count as an outage too. After them, and after
    a long outage, the connection is read again, since someone may have changed it.

    :param open_source: opens a source; what it raises must be a ``SopsError``.
    :param name: the server's name in the log.
    """

    def __init__(self, open_source: Callable[[], AbstractAsyncContextManager[_Source]], name: str) -> None:
        self._open_source = open_source
        self._name = name
        self._session: _Session[_Source] | None = None
        self._opening = asyncio.Lock()
        self._is_doubtful = False
        self._trouble: _Trouble | None = None

    async def ask(
        self,
        question: Callable[[_Source], Awaitable[_Answer]],
        *,
        about_one_task: bool = False,
        is_suspect: bool = False,
        is_probe: bool = False,
    ) -> _Answer:
        """Send a request to the server as soon as that is allowed.

        :param question: sends one request.
        :param about_one_task: whether rejected credentials may concern that task alone.
        :param is_suspect: whether this question has gone unanswered while others were answered; then a missing answer
            says nothing of the server.
        :param is_probe: whether to wait for a turn even if the outage has lasted for long: this question may be
            answered where the one before was not. It waits for up to 45 seconds.
        :raises SopsError: the server's refusal, or the outage's error after 15 seconds.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            probed = await self._turn(began + _PROBE_PATIENCE_SECONDS if is_probe else -math.inf)
            try:
                answer = await self._ask_once(question)
            except SopsError as error:
                self._is_doubtful = self._is_doubtful or isinstance(error, SopsAuthError)
                if not is_trouble(error):
                    self._answers_again()
                    raise
                if is_suspect or (about_one_task and isinstance(error, SopsAuthError)):
                    raise
                self._note(error)
                if clock() - began >= PATIENCE_SECONDS:
                    raise
            else:
                self._answers_again()
                return answer
            finally:
                self._end_probe(probed)

    async def close(self) -> None:
        """Close the open source."""
        await self._retire()

    async def _turn(self, patient_until: float) -> _Trouble | None:
        """Wait until a request may be sent; return the outage that it probes, if any.

        :param patient_until: until when to wait although the outage has lasted for long.
        """
        loop = asyncio.get_running_loop()
        while (trouble := self._trouble) is not None:
            now = loop.time()
            if now >= trouble.until and not trouble.is_probed:
                trouble.is_probed = True
                return trouble
            patience_ends = max(trouble.since + PATIENCE_SECONDS, patient_until)
            if now >= patience_ends:
                self._is_doubtful = True
                raise trouble.error.with_traceback(None)
            wake_up = patience_ends if trouble.is_probed else min(trouble.until, patience_ends)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(trouble.changed.wait(), wake_up - now)
        return None

    async def _ask_once(self, question: Callable[[_Source], Awaitable[_Answer]]) -> _Answer:
        session = await self._opened()
        session.users += 1
        try:
            return await question(session.source)
        finally:
            session.users -= 1
            if session.users == 0 and session is not self._session:
                await session.closing.aclose()

    async def _opened(self) -> _Session[_Source]:
        async with self._opening:
            if self._is_doubtful:
                await self._retire()
            if self._session is None:
                closing = contextlib.AsyncExitStack()
                self._session = _Session(await closing.enter_async_context(self._open_source()), closing)
                self._is_doubtful = False
            return self._session

    async def _retire(self) -> None:
        session, self._session = self._session, None
        if session is not None and session.users == 0:
            await session.closing.aclose()

    def _note(self, error: SopsError) -> None:
        now = asyncio.get_running_loop().time()
        earlier = self._trouble
        failures = 1 if earlier is None else earlier.failures + 1
        pause = min(2.0 ** (failures - 1), _LONGEST_PAUSE_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311
        if isinstance(error, SopsRateLimitError) and error.retry_after_seconds is not None:
            pause = max(pause, error.retry_after_seconds)
        if earlier is None:
            log.warning("%s gives no usable answer; retrying until it does: %s", self._name, error)
        elif not earlier.is_probed:
            return  # sent before the outage was noticed: not news
        self._trouble = _Trouble(earlier.since if earlier else now, error, now + pause, failures)
        if earlier is not None:
            earlier.changed.set()

    def _answers_again(self) -> None:
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            seconds = asyncio.get_running_loop().time() - trouble.since
            log.warning("%s answers again after %.0f s", self._name, seconds)
            trouble.changed.set()

    def _end_probe(self, probed: _Trouble | None) -> None:
        """Let another request probe the outage if this one was cancelled without an answer."""
        if probed is not None and probed is self._trouble:
            probed.is_probed = False
            probed.changed.set()
            probed.changed = asyncio.Event()


def is_trouble(error: SopsError) -> bool:
    """Whether an error is an outage rather than an answer: the server is unreachable or rejects the credentials."""
    return error.temporary or isinstance(error, SopsAuthError)

"""The only two loops that wait: one for workers, which block, and one for triggers, which must not.

Each ends at the wait's own deadline, whatever its request does.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.waiting.model import DeadlineReachedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_sops.waiting.model import LogLine, Look, Wait

_Status = TypeVar("_Status")
_Result = TypeVar("_Result")


@overload
def follow(
    wait: Wait[_Status, _Result],
    ask: Callable[[Look], _Status],
    tell: Callable[[LogLine], None],
    *,
    once: Literal[False] = False,
    sleep: Callable[[float], None] = ...,
    clock: Callable[[], float] = ...,
) -> _Result: ...


@overload
def follow(
    wait: Wait[_Status, _Result],
    ask: Callable[[Look], _Status],
    tell: Callable[[LogLine], None],
    *,
    once: Literal[True],
    sleep: Callable[[float], None] = ...,
    clock: Callable[[], float] = ...,
) -> _Result | None: ...


def follow(
    wait: Wait[_Status, _Result],
    ask: Callable[[Look], _Status],
    tell: Callable[[LogLine], None],
    *,
    once: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> _Result | None:
    """Follow a wait to its end, with blocking requests.

    :param ask: sends the request and returns the answer. It has to come back by ``look.deadline``: a blocked thread
        cannot be stopped from here.
    :param tell: writes a line to the log.
    :param once: look at once, and again only while an answer needs confirming within seconds.
    :return: the result; with ``once`` also ``None``, if the wait goes on.
    """
    is_first = True
    while True:
        look = wait.next_look(clock())
        if look.delay_seconds > 0 and not (once and is_first):
            sleep(look.delay_seconds)
        is_first = False
        try:
            status = ask(look)
        except ServiceError as error:
            update = wait.miss(error, look, clock())
        else:
            update = wait.see(status, look, clock())
        for line in update.lines:
            tell(line)
        if update.result is not None or (once and not wait.is_undecided):
            return update.result


async def follow_async(
    wait: Wait[_Status, _Result],
    ask: Callable[[Look], Awaitable[_Status]],
    tell: Callable[[LogLine], None],
    *,
    clock: Callable[[], float] = time.time,
) -> _Result:
    """Follow a wait to its end, without blocking the event loop.

    :param ask: sleeps for ``look.delay_seconds``, or lets a shared poll do so, then asks and returns the answer.
    :param tell: writes a line to the log.
    """
    while True:
        look = wait.next_look(clock())
        try:
            status = await _by(look.deadline, ask(look), clock)
        except ServiceError as error:
            update = wait.miss(error, look, clock())
        else:
            update = wait.see(status, look, clock())
        for line in update.lines:
            tell(line)
        if update.result is not None:
            return update.result


async def _by(deadline: float | None, answer: Awaitable[_Status], clock: Callable[[], float]) -> _Status:
    """Return an answer.

    :raises DeadlineReachedError: it did not come in time, and whatever was to bring it is cancelled.
    """
    seconds_left = None if deadline is None else max(0.0, deadline - clock())
    try:
        async with asyncio.timeout(seconds_left) as limit:
            return await answer
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineReachedError("no answer before the deadline of the wait") from None

"""The only two loops that wait: one for workers, which block, and one for triggers, which must not.

Each ends at the wait's own deadline, whatever its request does.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import time
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.waiting.model import DeadlineReachedError, LogLine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from airflow_provider_sops.waiting.model import Look, Wait

log = logging.getLogger(__name__)

#: How many lines a look may bring to the log.
MOST_LINES = 200

_Status = TypeVar("_Status")
_Result = TypeVar("_Result")


@overload
def follow(
    wait: Wait[_Status, _Result],
    ask: Callable[[Look], _Status],
    tell: Callable[[LogLine], None],
    *,
    once: Literal[False] = False,
    at_most_seconds: None = None,
    sleep: Callable[[float], None] = ...,
    clock: Callable[[], float] | None = ...,
) -> _Result: ...


@overload
def follow(
    wait: Wait[_Status, _Result],
    ask: Callable[[Look], _Status],
    tell: Callable[[LogLine], None],
    *,
    once: bool = ...,
    at_most_seconds: float | None = ...,
    sleep: Callable[[float], None] = ...,
    clock: Callable[[], float] | None = ...,
) -> _Result | None: ...


def follow(
    wait: Wait[_Status, _Result],
    ask: Callable[[Look], _Status],
    tell: Callable[[LogLine], None],
    *,
    once: bool = False,
    at_most_seconds: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] | None = None,
) -> _Result | None:
    """Follow a wait to its end, with blocking requests.

    :param ask: sends the request and returns the answer. It has to come back by ``look.deadline``: a blocked thread
        cannot be stopped from here.
    :param tell: writes a line to the log.
    :param once: look at once, and again only while an answer needs confirming within seconds.
    :param at_most_seconds: begin no pause that would last longer than that, counted from now, unless an answer needs
        confirming; default: no limit.
    :param clock: the one that the wait was begun with; default: a new ``steady_clock``.
    :return: the result; with ``once`` or ``at_most_seconds`` also ``None``, if the wait goes on.
    """
    clock = clock or steady_clock()
    end = math.inf if at_most_seconds is None else clock() + at_most_seconds
    is_first = True
    while True:
        look = wait.next_look(clock())
        if clock() + look.delay_seconds > end and not wait.is_undecided:
            return None
        if look.delay_seconds > 0 and not (once and is_first):
            sleep(look.delay_seconds)
        is_first = False
        try:
            update = wait.see(ask(look), look, clock())
        except Exception as error:  # noqa: BLE001 - see _as_service_error
            update = wait.miss(_as_service_error(error), look, clock())
        for line in few(update.lines):
            tell(line)
        if update.result is not None or (once and not wait.is_undecided):
            return update.result


async def follow_async(
    wait: Wait[_Status, _Result],
    ask: Callable[[Look], Awaitable[_Status]],
    tell: Callable[[LogLine], None],
    *,
    clock: Callable[[], float] | None = None,
) -> _Result:
    """Follow a wait to its end, without blocking the event loop.

    A status that is big, as its ``is_big`` says, is taken in by a thread.

    :param ask: sleeps for ``look.delay_seconds``, or lets a shared poll do so, then asks and returns the answer.
    :param tell: writes a line to the log.
    :param clock: as for ``follow``.
    """
    clock = clock or steady_clock()
    while True:
        look = wait.next_look(clock())
        try:
            status = await _by(look.deadline, ask(look), clock)
            see = functools.partial(wait.see, status, look, clock())
            update = await asyncio.to_thread(see) if getattr(status, "is_big", False) else see()
            # Until the next answer a big one would take memory for nothing.
            del status, see
        except Exception as error:  # noqa: BLE001 - see _as_service_error
            update = wait.miss(_as_service_error(error), look, clock())
        for line in few(update.lines):
            tell(line)
        if update.result is not None:
            return update.result


def steady_clock() -> Callable[[], float]:
    """Return a clock that starts with the time of day and that nobody can move.

    A machine's clock may jump by hours while a wait goes on: how long something has lasted, and whether a deadline has
    come, must not depend on that. A deadline that was set before, perhaps by another machine, can only be compared with
    the time of day at the beginning.
    """
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


def few(lines: Sequence[LogLine]) -> list[LogLine]:
    """Return what to log after one look: no more lines than a person reads, however many nodes a flow has."""
    left_out = len(lines) - MOST_LINES
    if left_out <= 0:
        return list(lines)
    return [*lines[:MOST_LINES], LogLine(f"... and {left_out} more lines, which are left out")]


def _as_service_error(error: Exception) -> ServiceError:
    """Return an error of an answer as one that a wait can bear.

    What nobody thought of in an answer must cost that answer, not the wait: what is waited for runs on.
    """
    if isinstance(error, ServiceError):
        return error
    log.debug("An answer could not be used", exc_info=error)
    return ServiceError(f"the answer cannot be used ({type(error).__name__})")


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

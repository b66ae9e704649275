"""Patience: how a run bears outages before and after its wait, on a worker.

A wait bears them itself (``waiting.outage``). Everything else that a run asks of a service is asked again here, call by
call, until the service answers or has given no usable answer for ``max_outage_seconds``. A worker that may leave is
held for a minute at most; the triggerer waits for the rest.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, TypeVar

from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.waiting.follow import steady_clock
from airflow_provider_sops.waiting.model import LogLine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_T = TypeVar("_T")

#: How long an outage holds a worker that may leave.
WORKER_SECONDS = 60.0
#: A failed call is tried so often even where no outage is waited out.
_FEWEST_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.5
#: The longest pause between two tries; the first for a worker that may leave, the second for one that stays.
_LONGEST_PAUSES_SECONDS = (8.0, 30.0)


@dataclass
class Patience:
    """Keeps account of the outages of one run, by call.

    An error is an outage if the service itself has not spoken (``ServiceError.is_outage``), or if it refuses the
    credentials while something may be running there. Any other error is an answer and is raised at once.

    :param server: the service's name, for the log.
    :param max_outage_seconds: how long a call may go without a usable answer.
    :param tell: writes a line to the task's log: one when an outage begins, one when it ends.
    :param credentials_refused: the service's error for refused credentials.
    :param may_be_running: whether something may be running that nobody would look after if this task failed.
    :param leave: hands the rest of an outage to the triggerer and does not return; ``None``: the worker stays.
    :param since: since when a call has got no usable answer, in seconds since the epoch; of the worker before, if it
        has left during an outage.
    """

    server: str
    max_outage_seconds: float
    tell: Callable[[LogLine], None]
    credentials_refused: type[ServiceError] = ServiceError
    may_be_running: Callable[[], bool] = lambda: False
    leave: Callable[[], NoReturn] | None = None
    since: dict[str, float] = field(default_factory=dict)
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = field(default_factory=steady_clock)
    _here_since: dict[str, float] = field(default_factory=dict, init=False)
    _under_way: set[str] = field(default_factory=set, init=False)
    _has_given_up: bool = field(default=False, init=False)

    def bear(
        self, call: str, act: Callable[[], _T], *, may_repeat: Callable[[ServiceError], bool] = lambda _error: True
    ) -> _T:
        """Do something, again while an outage lasts, and return its result.

        :param call: its name, under which the account is kept.
        :param act: does it once.
        :param may_repeat: whether it can be done again after an error without acting twice. If not, the error is
            raised, for a ``bear`` of the same name around this one, which first looks what has become of it.
        :raises ServiceError: an answer, or the last error of an outage that was too long.
        """
        is_part, attempt = call in self._under_way, 0
        self._under_way.add(call)
        try:
            while True:
                try:
                    result = act()
                except ServiceError as error:
                    attempt += 1
                    if self._is_outage(error) and not may_repeat(error):
                        if is_part:
                            self._note(call, error)
                        raise
                    pause = self._pause_after(call, error, attempt)
                    if pause is None:
                        raise
                    self.sleep(pause)
                else:
                    self._answered(call)
                    return result
        finally:
            if not is_part:
                self._under_way.discard(call)

    async def bear_async(self, call: str, act: Callable[[], Awaitable[_T]]) -> _T:
        """Do the same in the triggerer, without blocking the event loop."""
        attempt = 0
        while True:
            try:
                result = await act()
            except ServiceError as error:
                attempt += 1
                pause = self._pause_after(call, error, attempt)
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                self._answered(call)
                return result

    def _is_outage(self, error: ServiceError) -> bool:
        return error.is_outage or (isinstance(error, self.credentials_refused) and self.may_be_running())

    def _pause_after(self, call: str, error: ServiceError, attempt: int) -> float | None:
        """Return the pause before the next try; ``None`` if there is none."""
        if not self._is_outage(error):
            self._answered(call)
            return None
        now = self._note(call, error)
        lasted = now - self.since[call]
        # What was begun because of a call that was given up must not bear as much again.
        self._has_given_up |= attempt >= _FEWEST_TRIES and lasted >= self.max_outage_seconds
        if self._has_given_up:
            return None
        pause = self._next_pause(error, attempt)
        if self.leave is not None and now - self._here_since[call] + pause > WORKER_SECONDS:
            self.leave()
        return pause

    def _note(self, call: str, error: ServiceError) -> float:
        """Open the account of a call, unless it is, and return the time."""
        now = self.clock()
        if not self.since:
            self.tell(self._beginning(call, error))
        self.since.setdefault(call, now)
        self._here_since.setdefault(call, now)
        return now

    def _next_pause(self, error: ServiceError, attempt: int) -> float:
        asked_for: float | None = getattr(error, "retry_after_seconds", None)
        if asked_for is not None:
            return asked_for
        growing = _FIRST_PAUSE_SECONDS * 2.0 ** min(attempt - 1, 10)
        # Many tasks must not come back in step.
        return min(growing, _LONGEST_PAUSES_SECONDS[self.leave is None]) * random.uniform(0.8, 1.2)  # noqa: S311

    def _answered(self, call: str) -> None:
        began = self.since.pop(call, None)
        self._here_since.pop(call, None)
        if began is not None and not self.since:
            self.tell(LogLine(f"{self.server} answers again after {self.clock() - began:.0f} s"))

    def _beginning(self, call: str, error: ServiceError) -> LogLine:
        then = "" if self.leave is None else f", after {WORKER_SECONDS:.0f} s in the triggerer"
        return LogLine(
            f"{self.server} gives no usable answer to {call}. Asking again for up to "
            f"{self.max_outage_seconds:.0f} s{then}: {error}",
            logging.WARNING,
        )

"""An outage: the time in which a server gives no usable answer, and how much of it a wait bears."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_sops.waiting.model import LogLine

if TYPE_CHECKING:
    from airflow_provider_sops.service.errors import ServiceError

#: After this many refusals in a row, what is waited for does not exist.
_REFUSALS = 2


class OutageEnd(StrEnum):
    """Why a wait gives up after an error."""

    #: The server has given no usable answer for ``max_outage_seconds``.
    UNREACHABLE = "unreachable"
    #: The server has said twice in a row that it does not know what is waited for.
    REFUSED = "refused"


@dataclass
class Outage:
    """Keeps account of missing answers.

    Whatever the error, a wait goes on until ``max_outage_seconds`` without an answer: what it waits for runs on at the
    server. Only an error of ``refusals``, twice in a row, ends it at once.

    :param server: the server's name, for the log: ``SOPS``.
    :param waited_for: what runs on there: ``task``.
    :param now: when the wait begins, in seconds since the epoch.
    :param max_outage_seconds: how long the wait goes on without an answer.
    :param refusals: the errors by which the server says that it does not know what is waited for.
    """

    server: str
    waited_for: str
    now: float
    max_outage_seconds: float
    refusals: tuple[type[ServiceError], ...]
    _last_answer: float = field(init=False)
    _is_told: bool = field(default=False, init=False)
    _refusals_in_a_row: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._last_answer = self.now

    @property
    def needs_confirmation(self) -> bool:
        """Whether the last error was a refusal that ends the wait if the next answer is one too."""
        return self._refusals_in_a_row > 0

    def end(self, now: float) -> list[LogLine]:
        """Take note of an answer, and return what to log."""
        seconds, was_told = now - self._last_answer, self._is_told
        self._last_answer, self._is_told, self._refusals_in_a_row = now, False, 0
        return [LogLine(f"{self.server} answers again after {seconds:.0f} s")] if was_told else []

    def go_on(self, error: ServiceError, now: float) -> tuple[list[LogLine], OutageEnd | None, str]:
        """Take note of an error in place of an answer.

        :return: what to log; why the wait ends, if it does; and the reason in words.
        """
        if isinstance(error, self.refusals):
            self._refusals_in_a_row += 1
            if self._refusals_in_a_row >= _REFUSALS:
                return [], OutageEnd.REFUSED, str(error)
        else:
            self._refusals_in_a_row = 0
        lines = [] if self._is_told else [self._beginning(error)]
        self._is_told = True
        seconds = now - self._last_answer
        if seconds >= self.max_outage_seconds:
            reason = f"no usable answer for {seconds:.0f} s; the last error: {error}"
            return lines, OutageEnd.UNREACHABLE, reason
        return lines, None, ""

    def _beginning(self, error: ServiceError) -> LogLine:
        return LogLine(
            f"{self.server} gives no usable answer; the {self.waited_for} itself runs on. Asking again for up to "
            f"{self.max_outage_seconds:.0f} s: {error}",
            logging.WARNING,
        )

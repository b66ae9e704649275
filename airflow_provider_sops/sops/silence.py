"""What it means that a server gives no usable answer, for how long that is borne and what to tell."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsNotFoundError
from airflow_provider_sops.sops.waiting import LogLine, Outcome

if TYPE_CHECKING:
    from airflow_provider_sops.sops.errors import SopsError


@dataclass
class Silence:
    """Keeps account of answers that do not come.

    Whatever the error, waiting goes on until ``max_outage_seconds`` without an answer: the task itself runs on in
    SOPS. Only a task that SOPS says it does not know, twice in a row, ends the wait at once.

    :param now: when waiting begins, in seconds since the epoch.
    :param max_outage_seconds: how long no answer is borne.
    """

    now: float
    max_outage_seconds: float
    _last_answer: float = field(init=False)
    _told: bool = False
    _unknown: int = 0

    def __post_init__(self) -> None:
        self._last_answer = self.now

    def end(self, now: float) -> list[LogLine]:
        """Take note of an answer."""
        seconds, was_told = now - self._last_answer, self._told
        self._last_answer, self._told, self._unknown = now, False, 0
        return [LogLine(f"SOPS answers again after {seconds:.0f} s")] if was_told else []

    def go_on(self, error: SopsError, now: float) -> tuple[list[LogLine], Outcome | None, str]:
        """Take note of an error in place of an answer.

        :return: what to log, how waiting ends if it does, and why.
        """
        if isinstance(error, SopsNotFoundError):
            self._unknown += 1
            if self._unknown > 1:
                return [], Outcome.UNKNOWN_TASK, str(error)
        lines = [] if self._told else [self._beginning(error)]
        self._told = True
        seconds = now - self._last_answer
        if seconds >= self.max_outage_seconds:
            return lines, Outcome.UNREACHABLE, f"no usable answer for {seconds:.0f} s; the last error: {error}"
        return lines, None, ""

    def _beginning(self, error: SopsError) -> LogLine:
        return LogLine(
            f"SOPS gives no usable answer, the task itself runs on; asking again for up to "
            f"{self.max_outage_seconds:.0f} s: {error}",
            logging.WARNING,
        )

"""The log of an Airflow task, as far as this package writes to it."""

from __future__ import annotations

import logging
import textwrap
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sops.service.text import log_entry, shortened

if TYPE_CHECKING:
    from airflow_provider_sops.service.errors import ServiceError

#: What Airflow's page of a log shows of a line in a window that is 1280 pixels wide.
_LINE_WIDTH = 100
_LONGEST_EXCEPTION = 300


class TaskLog(Protocol):
    """What Airflow's loggers of every version have in common."""

    def debug(self, event: Any, /, *args: Any) -> Any:
        """Write a line for those who look for a fault."""

    def info(self, event: Any, /, *args: Any) -> Any:
        """Write a line."""

    def warning(self, event: Any, /, *args: Any) -> Any:
        """Write a line about something that needs attention."""

    def error(self, event: Any, /, *args: Any) -> Any:
        """Write a line about something that went wrong for good."""

    def exception(self, event: Any, /, *args: Any) -> Any:
        """Write a line about an exception that is being handled, with its traceback."""

    def log(self, level: int, event: Any, /, *args: Any) -> Any:
        """Write a line of the given level, one of the logging module's."""


def tell_error(error: ServiceError, log: TaskLog, level: int = logging.ERROR) -> str:
    """Write an error to the log as one entry, and return it in short for the exception that follows.

    The entry says what failed and why, then the address of the page in the service on a line of its own, then what to
    do, such as what a clear of the task does. The exception is one line: Airflow shows it below its traceback.
    """
    advice = textwrap.wrap(error.advice or "", _LINE_WIDTH, break_long_words=False, break_on_hyphens=False)
    log.log(level, "%s", log_entry("\n".join(filter(None, [error.headline, error.page, *advice]))))
    what = shortened(" ".join(error.headline.split()), _LONGEST_EXCEPTION)
    return f"{what}. See {error.page}" if error.page else what

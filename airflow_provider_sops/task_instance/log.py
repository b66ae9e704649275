"""The log of an Airflow task, as far as this package writes to it."""

from __future__ import annotations

from typing import Any, Protocol


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

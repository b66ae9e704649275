"""What a trigger has written to the task's log, carried to the worker that takes over, which writes it again.

Without remote logging Airflow shows the triggerer's part of a log only while the task waits. Afterwards it asks the
last worker's host alone.
"""

from __future__ import annotations

import base64
import json
import logging
import zlib
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_sops.service.reading import read_int, read_list, read_mapping, read_text

if TYPE_CHECKING:
    from airflow_provider_sops.task_instance.log import TaskLog

#: An event is stored in Airflow's database, as a part of the task instance's row.
_MOST_CHARACTERS = 6000
_LONGEST_LINE = 500
_KEY = "log"

#: When, at which level, what.
_Line = tuple[str, int, str]


class ToldLines:
    """A log that remembers its lines: the first and the last ones, where there are too many.

    :param log: where each line goes at once.
    """

    def __init__(self, log: TaskLog) -> None:
        self._log = log
        self._first: list[_Line] = []
        self._last: deque[_Line] = deque()
        self._left_out = 0

    def log(self, level: int, event: Any, /, *args: Any) -> None:
        """Write a line, and remember it unless only those who look for a fault need it."""
        self._log.log(level, event, *args)
        if level >= logging.INFO:
            text = str(event % args if args else event)[:_LONGEST_LINE]
            self._remember((f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", level, text))

    def debug(self, event: Any, /, *args: Any) -> None:
        """Write a line for those who look for a fault."""
        self.log(logging.DEBUG, event, *args)

    def info(self, event: Any, /, *args: Any) -> None:
        """Write a line."""
        self.log(logging.INFO, event, *args)

    def warning(self, event: Any, /, *args: Any) -> None:
        """Write a line about something that needs attention."""
        self.log(logging.WARNING, event, *args)

    def error(self, event: Any, /, *args: Any) -> None:
        """Write a line about something that went wrong for good."""
        self.log(logging.ERROR, event, *args)

    def exception(self, event: Any, /, *args: Any) -> None:
        """Write a line about an exception; its traceback is not remembered."""
        self._log.exception(event, *args)

    def in_event(self) -> dict[str, Any]:
        """Return the part of a trigger's event that ``tell_again`` reads; empty where nothing was told.

        Looks the host's name up: not for an event loop.
        """
        if not self._first:
            return {}
        cut = [("", logging.INFO, f"… {self._left_out} lines are left out here …")] if self._left_out else []
        return {_KEY: {"host": own_host(), "lines": _packed([*self._first, *cut, *self._last])}}

    def _remember(self, line: _Line) -> None:
        if not self._last and _length([*self._first, line]) <= _MOST_CHARACTERS // 2:
            self._first.append(line)
            return
        self._last.append(line)
        while _length(self._last) > _MOST_CHARACTERS // 2:
            self._last.popleft()
            self._left_out += 1


def tell_again(event: Any, log: TaskLog) -> bool:
    """Write again what a trigger told, where Airflow will not show the triggerer's own log.

    It will where logs are kept remotely, and on the triggerer's own host.

    :param event: the trigger's; one of another version may carry nothing.
    :return: whether anything was written.
    """
    carried = read_mapping(read_mapping(event).get(_KEY))
    lines = [read_list(line) for line in _unpacked(carried.get("lines"))]
    host = read_text(carried.get("host"))
    if not lines or conf.getboolean("logging", "remote_logging", fallback=False) or host == own_host():
        return False
    log.info("The triggerer on %s told this before; it is repeated since its own log is not shown any more:", host)
    for line in lines:
        moment, level, text = (*line, "", "", "")[:3]
        log.log(read_int(level, logging.INFO), "[%s] %s", read_text(moment), read_text(text))
    return True


def own_host() -> str:
    """Return this host's name as Airflow knows it."""
    from airflow.utils.net import get_hostname

    return str(get_hostname())  # type: ignore[no-untyped-call]


def _packed(lines: list[_Line]) -> str:
    """Return lines as a short text: the triggerer writes each event into the task's log, where they are already."""
    return base64.b64encode(zlib.compress(json.dumps(lines, ensure_ascii=False).encode(errors="replace"))).decode()


def _unpacked(text: Any) -> list[Any]:
    try:
        return read_list(json.loads(zlib.decompress(base64.b64decode(read_text(text), validate=True))))
    except (ValueError, zlib.error):
        return []


def _length(lines: Any) -> int:
    return sum(len(text) for _, _, text in lines)

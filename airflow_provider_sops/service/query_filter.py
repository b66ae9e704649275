"""Keep the queries of URLs, which may hold credentials, out of the HTTP libraries' logs."""

from __future__ import annotations

import logging
import re
import traceback

#: The loggers that may write addresses. A filter does not apply to child loggers.
_LOGGERS = (
    "asyncio",
    "aiohttp.client",
    "aiohttp.internal",
    "requests",
    "urllib3",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)
#: A path, with or without a host before it, and its query.
_QUERY = re.compile(r"(/[^\s?'\"<>]*)\?[^\s'\"<>]*")


class _QueryFilter(logging.Filter):
    """Removes the query of each URL in a record and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        shown = _QUERY.sub(r"\1?…", message)
        if shown != message:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            shown = _QUERY.sub(r"\1?…", text)
            if shown != text:
                record.exc_info, record.exc_text = None, shown
        return True


_FILTER = _QueryFilter()


def keep_queries_out_of_logs() -> None:
    """Make the HTTP libraries log addresses without queries from now on, for all users of them. Idempotent."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)

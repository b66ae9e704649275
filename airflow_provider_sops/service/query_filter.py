"""Keep the queries of URLs, which may hold credentials, and what servers echo out of the HTTP libraries' logs."""

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
    "urllib3.http2.connection",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)
#: What an address may consist of. Matched as a whole, so that it takes no longer than the text is long.
_ADDRESS = re.compile(r"[^\s'\"<>]+")
#: What urllib3 writes of headers that it cannot read; a server may echo anything there.
_UNPARSED = re.compile(r"(unparsed data: ).*", re.DOTALL)


class _QueryFilter(logging.Filter):
    """Removes the query of each URL in a record and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        shown = _without_queries(message)
        if shown != message:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            shown = _without_queries(text)
            if shown != text:
                record.exc_info, record.exc_text = None, shown
        return True


def _without_queries(text: str) -> str:
    return _ADDRESS.sub(_without_query, _UNPARSED.sub(r"\1…", text))


def _without_query(match: re.Match[str]) -> str:
    path, mark, _ = match[0].partition("?")
    return f"{path}?…" if mark and "/" in path else match[0]


_FILTER = _QueryFilter()


def keep_queries_out_of_logs() -> None:
    """Make the HTTP libraries log addresses without queries from now on, for all users of them. Idempotent."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)

"""What can go wrong with one request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tests.faults.pace import CACHE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(StrEnum):
    """A way to spoil one request. *Before* and *after* mean: before or after SOPS has acted on it."""

    RESET_BEFORE = "connection reset before"
    RESET_AFTER = "connection reset after"
    SILENT = "no answer, never arrived"
    SLOW = "slow"
    SLOW_BEYOND_TIMEOUT = "answered after the client gave up"
    #: Lands up to two seconds later, long after the client was told that it failed.
    HELD_BACK = "held back"
    CUT_CONNECTION = "answer cut, connection reset"
    CUT_JSON = "answer cut"
    EMPTY_BEFORE = "empty 200 before"
    EMPTY_AFTER = "empty 200 after"
    HTML = "HTML 200"
    REDIRECT = "302"
    FORBIDDEN = "403"
    RATE_LIMIT = "429"
    SERVER_ERROR_BEFORE = "500 before"
    SERVER_ERROR_AFTER = "500 after"
    BAD_GATEWAY_BEFORE = "502 before"
    BAD_GATEWAY_AFTER = "502 after"
    BAD_GATEWAY_PAGE = "502 page that echoes the request"
    GATEWAY_TIMEOUT = "504 after"
    #: A day, or a time since the epoch: whoever believes it asks too late.
    RATE_LIMIT_POISON = "429 for a day"
    TRICKLE = "answer trickles"
    OVERSIZE = "answer without end"
    DEEP = "data of 400 levels"
    #: Out of the cache of another web process of SOPS.
    STALE = "older answer"

    @property
    def reaches_sops(self) -> bool:
        """Whether SOPS has acted on the request before the client hears of it."""
        return self in _REACHES

    def fits(self, api: str, *, cached: bool) -> bool:
        """Whether it can happen to a call.

        :param cached: whether there is an answer to the very same request that SOPS may still have in a cache.
        """
        if self == Fault.HELD_BACK:
            return api == "create_task"
        return self != Fault.STALE or (cached and api in CACHE_SECONDS)


_REACHES = frozenset(
    {
        Fault.RESET_AFTER,
        Fault.SLOW,
        Fault.SLOW_BEYOND_TIMEOUT,
        Fault.CUT_CONNECTION,
        Fault.CUT_JSON,
        Fault.EMPTY_AFTER,
        Fault.SERVER_ERROR_AFTER,
        Fault.BAD_GATEWAY_AFTER,
        Fault.GATEWAY_TIMEOUT,
        Fault.TRICKLE,
        Fault.OVERSIZE,
        Fault.DEEP,
    }
)


@dataclass(frozen=True)
class CannedAnswer:
    """An answer that is not SOPS's. ``ECHO`` in the body stands for the request."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


def _refusal(code: int | str, message: str) -> bytes:
    content: dict[str, Any] = {"result": False, "code": code, "message": message, "data": None}
    return json.dumps(content).encode()


_HTML = {"Content-Type": "text/html"}
_SERVER_ERROR = CannedAnswer(500, _refusal("50000", "系统异常,请联系管理员处理"))
_BAD_GATEWAY = CannedAnswer(502, _refusal(1650200, "cannot read header from upstream"))

ANSWERS: Mapping[Fault, CannedAnswer] = {
    Fault.HELD_BACK: CannedAnswer(504, _refusal(1650401, "request backend timeout")),
    Fault.EMPTY_BEFORE: CannedAnswer(200),
    Fault.EMPTY_AFTER: CannedAnswer(200),
    Fault.HTML: CannedAnswer(200, b"<html><body>Log in, please. You asked for ECHO</body></html>", _HTML),
    Fault.REDIRECT: CannedAnswer(302, b"", {"Location": "/login/?next=1"}),
    Fault.FORBIDDEN: CannedAnswer(403, b"<html><body>Forbidden: ECHO</body></html>", _HTML),
    Fault.RATE_LIMIT: CannedAnswer(
        429,
        _refusal(1642902, "API rate limit exceeded"),
        {"Content-Type": "application/json", "X-Bkapi-RateLimit-Reset": "0"},
    ),
    Fault.RATE_LIMIT_POISON: CannedAnswer(
        429,
        _refusal(1642902, "API rate limit exceeded"),
        {"Content-Type": "application/json", "X-Bkapi-RateLimit-Reset": "86400", "Retry-After": "4102444800"},
    ),
    Fault.SERVER_ERROR_BEFORE: _SERVER_ERROR,
    Fault.SERVER_ERROR_AFTER: _SERVER_ERROR,
    Fault.BAD_GATEWAY_BEFORE: _BAD_GATEWAY,
    Fault.BAD_GATEWAY_AFTER: _BAD_GATEWAY,
    Fault.BAD_GATEWAY_PAGE: CannedAnswer(502, b"<html><body>Bad gateway: ECHO</body></html>", _HTML),
    Fault.GATEWAY_TIMEOUT: CannedAnswer(504, _refusal(1650401, "request backend timeout")),
}

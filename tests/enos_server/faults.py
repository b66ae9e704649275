"""What can go wrong with one request."""

from __future__ import annotations

import enum


class Fault(enum.Enum):
    """A fault; ``executes`` says whether the call is carried out all the same."""

    RESET_BEFORE = "the connection is reset before the call"
    RESET_AFTER = "the connection is reset after the call"
    CUT_JSON = "the answer breaks off"
    BAD_GATEWAY_BEFORE = "502 before the call"
    BAD_GATEWAY_AFTER = "502 after the call"
    WEB_PAGE = "a page of HTML, with the request's headers in it"
    RATE_LIMITED = "429"
    SERVER_ERROR = "62109"
    TOKEN_REFUSED = "the gateway does not accept the token"
    LANDS_LATER = "the connection is reset, and the call is carried out only when the server is told to"

    @property
    def executes(self) -> bool:
        """Whether the call is carried out before the answer."""
        return self in (Fault.RESET_AFTER, Fault.CUT_JSON, Fault.BAD_GATEWAY_AFTER)

    @property
    def resets(self) -> bool:
        """Whether the connection is reset instead of an answer."""
        return self in (Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.LANDS_LATER)

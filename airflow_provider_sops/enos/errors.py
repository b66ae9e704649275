"""The error hierarchy for EnOS.

``service.errors`` explains their attributes, and what ``temporary`` and ``outcome_unknown`` mean.

Errors are distinguished by HTTP status and code, never by message text.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow_provider_sops.service.errors import (
    ConnectionFailedError,
    InvalidParameterError,
    RateLimitError,
    ServiceError,
    TransportErrors,
    UnusableAnswerError,
)


class EnosError(ServiceError):
    """Something went wrong with EnOS. Raised itself if no subclass fits, for example for unknown codes.

    :param reason: what went wrong, in English.
    :param request_id: EnOS's id of the request, to quote to EnOS's support.
    :param details: ``api``, the call's name in the endpoint table, for example ``trigger_flow``; ``ids``, the ids in
        the call, for example ``{"flowId": "3377"}``; ``code``, the code in the answer as it came, ``None`` if there was
        none;
        ``http_status``, ``None`` if no answer came; ``server_message``, the server's full message; ``advice``,
        what to do next.
    """

    trace_name: ClassVar[str] = "request id"
    speaker: ClassVar[str] = "EnOS"

    def __init__(self, reason: str, *, request_id: str | None = None, **details: Any) -> None:
        super().__init__(reason, trace=request_id, **details)

    @property
    def request_id(self) -> str | None:
        """EnOS's id of the request."""
        return self.trace


class EnosConnectionError(EnosError, ConnectionFailedError):
    """No usable answer arrived: name not found, connection refused, TLS failure, timeout, connection lost."""


class EnosGatewayError(EnosError, UnusableAnswerError):
    """An answer that did not come from EnOS: a redirect, HTML, broken JSON, an empty body, or a gateway's refusal."""


class EnosServerError(EnosError):
    """EnOS, or the gateway in front of it, failed with an internal error (62109, 1005, HTTP 500)."""

    @property
    def temporary(self) -> bool:
        """Always: the request is not the cause."""
        return True

    @property
    def outcome_unknown(self) -> bool:
        """Always: EnOS may have acted before it failed."""
        return True


class EnosRepeatedRequestError(EnosError):
    """The token service has already seen this request (1001); a new timestamp makes it a new request."""

    @property
    def temporary(self) -> bool:
        """Always: the next attempt has a new timestamp."""
        return True


class EnosAuthError(EnosError):
    """The app or the user was rejected: unknown app, wrong secret, no permission, locked account."""

    @property
    def is_outage(self) -> bool:
        """Whether a page says so, perhaps of a proxy's, and not EnOS or its gateway."""
        return super().is_outage or (self.http_status is not None and self.code is None)


class EnosTokenRefusedError(EnosAuthError):
    """The gateway rejected the access token or the signature; the call was not executed."""


class EnosRateLimitError(EnosError, RateLimitError):
    """The gateway rejected the call because of its rate limit; it was not executed."""


class EnosNotFoundError(EnosError):
    """The instance does not exist, or not in this organisation."""


class EnosNoLogError(EnosNotFoundError):
    """The task instance has no log (yet), or does not exist: EnOS does not distinguish these."""


class EnosInvalidParameterError(EnosError, InvalidParameterError):
    """A parameter is missing or invalid; found by EnOS, or by this package before anything was sent."""


class EnosInvalidOperationError(EnosError):
    """The flow's state does not allow it: for example, triggering a flow without tasks."""


class EnosTriggerRefusedError(EnosInvalidOperationError):
    """EnOS created no instance: the flow or task does not exist, or the flow was triggered less than a minute ago.

    One code covers all of these.
    """


class EnosTriggerTimeTakenError(EnosInvalidOperationError):
    """Someone else has created the flow's instance for this trigger time."""


class _EnosInstanceOutcomeError(EnosError):
    """An instance did not end successfully; no call failed.

    :param instance_id: the flow's or task's instance.
    :param status: its final status, as a word.
    """

    def __init__(self, reason: str, *, instance_id: str = "", status: str = "", **details: Any) -> None:
        super().__init__(reason, **details)
        self.instance_id = instance_id
        self.status = status


class EnosInstanceFailedError(_EnosInstanceOutcomeError):
    """The instance ended in a status that does not count as success."""


class EnosInstanceCancelledError(_EnosInstanceOutcomeError):
    """Someone stopped the instance."""


#: The errors that a transport to EnOS raises.
TRANSPORT_ERRORS = TransportErrors(EnosConnectionError, EnosGatewayError, EnosInvalidParameterError)

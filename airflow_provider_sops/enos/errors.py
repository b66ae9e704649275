"""One tree of errors for everything that can go wrong with EnOS.

What each of them carries, and what ``temporary`` and ``outcome_unknown`` mean, is said in ``service.errors``.

Errors are told apart by HTTP status and code, never by the text of a message.
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
    """Something went wrong with EnOS. Directly of this class where no closer one fits, as for unknown codes.

    :param reason: what went wrong, in English.
    :param request_id: EnOS's id of the request, to quote to EnOS's support.
    :param details: ``api``, the call's name as in the endpoint table, ``trigger_flow``; ``ids``, the ids that the call
        named, ``{"flowId": "3377"}``; ``code``, the code in the answer as it came, ``None`` where there was none;
        ``http_status``, ``None`` where no answer came; ``server_message``, the server's own words in full; ``advice``,
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
    """No usable answer reached us: name not found, connection refused, TLS, timeout, connection lost."""


class EnosGatewayError(EnosError, UnusableAnswerError):
    """An answer that is not EnOS's own: a redirect, HTML, broken JSON, an empty body, or a gateway's refusal."""


class EnosServerError(EnosError):
    """EnOS, or the gateway before it, met an error of its own (62109, 1005, HTTP 500)."""

    @property
    def temporary(self) -> bool:
        """Always: it has nothing to do with the request."""
        return True

    @property
    def outcome_unknown(self) -> bool:
        """Always: it may have come after the deed."""
        return True


class EnosRepeatedRequestError(EnosError):
    """The token service has seen the same request before (1001); another timestamp makes it another request."""

    @property
    def temporary(self) -> bool:
        """Always: time goes on."""
        return True


class EnosAuthError(EnosError):
    """The app or the user was refused: unknown app, wrong secret, no privilege, locked account."""


class EnosTokenRefusedError(EnosAuthError):
    """The gateway did not accept the access token or the signature; the call was not executed."""


class EnosRateLimitError(EnosError, RateLimitError):
    """The gateway refused the call because there were too many; it was not executed."""


class EnosNotFoundError(EnosError):
    """The instance does not exist, or not in this organisation."""


class EnosNoLogError(EnosNotFoundError):
    """The task instance has no log (yet), or does not exist: EnOS does not tell these apart."""


class EnosInvalidParameterError(EnosError, InvalidParameterError):
    """A parameter is missing or wrong, found by EnOS or here before anything was sent."""


class EnosInvalidOperationError(EnosError):
    """EnOS does not do this with the flow as it is, such as triggering one that has no task."""


class EnosTriggerRefusedError(EnosInvalidOperationError):
    """EnOS made no instance: the flow or task does not exist, or the flow was triggered less than a minute ago.

    EnOS has one code for all of these.
    """


class EnosTriggerTimeTakenError(EnosInvalidOperationError):
    """The flow has an instance for this trigger time that somebody else has made."""


class _EnosInstanceOutcomeError(EnosError):
    """An instance ended otherwise than well; the call about it did not fail.

    :param instance_id: the flow's or task's instance.
    :param status: the word of the status in which it ended.
    """

    def __init__(self, reason: str, *, instance_id: str = "", status: str = "", **details: Any) -> None:
        super().__init__(reason, **details)
        self.instance_id = instance_id
        self.status = status


class EnosInstanceFailedError(_EnosInstanceOutcomeError):
    """The instance ended with a status that does not count as success."""


class EnosInstanceCancelledError(_EnosInstanceOutcomeError):
    """Somebody stopped the instance."""


#: What a transport raises on the way to EnOS.
TRANSPORT_ERRORS = TransportErrors(EnosConnectionError, EnosGatewayError, EnosInvalidParameterError)

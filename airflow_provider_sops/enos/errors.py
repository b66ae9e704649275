"""One tree of errors for everything that can go wrong with EnOS, of the same shape as the one for SOPS.

Each error carries which call failed, EnOS's own code, the HTTP status, the request id, the server's own words and, in
English, why it failed and what to do next. Two properties answer what code needs to know: ``temporary`` (may the same
call succeed later unaided) and ``outcome_unknown`` (may EnOS have acted although an error came back).

Errors are told apart by HTTP status and code, never by the text of a message. All of them can be pickled, and none
ever holds a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import error_text

if TYPE_CHECKING:
    from collections.abc import Mapping


class EnosError(Exception):
    """Something went wrong with EnOS. Directly of this class where no closer one fits, as for unknown codes.

    :param reason: what went wrong, in English.
    :param api: the call's name as in the endpoint table, ``trigger_flow``.
    :param ids: the ids that the call named: ``{"flowId": "3377"}``.
    :param code: the code in the answer as it came; ``None`` where there was none.
    :param http_status: the answer's HTTP status; ``None`` where no answer came.
    :param request_id: EnOS's id of the request, to quote to EnOS's support.
    :param server_message: the server's own words in full.
    :param advice: what to do next.
    """

    def __init__(
        self,
        reason: str,
        *,
        api: str | None = None,
        ids: Mapping[str, str] | None = None,
        code: int | str | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
        server_message: str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.api = api
        self.ids = dict(ids or {})
        self.code = code
        self.http_status = http_status
        self.request_id = request_id
        self.server_message = server_message
        self.advice = advice

    @property
    def temporary(self) -> bool:
        """Whether the same call may succeed later without anybody changing anything."""
        return False

    @property
    def outcome_unknown(self) -> bool:
        """Whether EnOS may have done what was asked although this error came back."""
        return self.http_status is not None and self.http_status >= 500

    def __str__(self) -> str:
        return error_text(self, "request id", self.request_id, speaker="EnOS")


class EnosConnectionError(EnosError):
    """No usable answer reached us: name not found, connection refused, TLS, timeout, connection lost.

    :param request_sent: ``False`` where it is certain that the request never left, so that nothing can have
        happened.
    """

    def __init__(self, reason: str, *, request_sent: bool = True, **details: Any) -> None:
        super().__init__(reason, **details)
        self.request_sent = request_sent

    @property
    def temporary(self) -> bool:
        """Always: networks come back."""
        return True

    @property
    def outcome_unknown(self) -> bool:
        """Whether the request may have arrived."""
        return self.request_sent


class EnosGatewayError(EnosError):
    """An answer that is not EnOS's own: a redirect, HTML, broken JSON, an empty body, or a gateway's refusal.

    :param answer_cut: the answer began like one of EnOS's and broke off, or was empty.
    """

    def __init__(self, reason: str, *, answer_cut: bool = False, **details: Any) -> None:
        super().__init__(reason, **details)
        self.answer_cut = answer_cut

    @property
    def temporary(self) -> bool:
        """Whether EnOS was out of reach (HTTP 502, 503, 504) or its answer broke off."""
        if self.http_status in (502, 503, 504):
            return True
        return self.answer_cut and self.http_status is not None and self.http_status < 300

    @property
    def outcome_unknown(self) -> bool:
        """Whether EnOS may have acted: it was asked, and something else than its answer came back."""
        return self.http_status is not None and (self.http_status < 300 or self.http_status >= 500)


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


class EnosRateLimitError(EnosError):
    """The gateway refused the call because there were too many; it was not executed.

    :param retry_after_seconds: when the gateway will accept calls again; ``None`` where it does not say.
    """

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None, **details: Any) -> None:
        super().__init__(reason, **details)
        self.retry_after_seconds = retry_after_seconds

    @property
    def temporary(self) -> bool:
        """Always: the limit is per period."""
        return True


class EnosNotFoundError(EnosError):
    """The instance does not exist, or not in this organisation."""


class EnosNoLogError(EnosNotFoundError):
    """The task instance has no log (yet), or does not exist: EnOS does not tell these apart."""


class EnosInvalidParameterError(EnosError):
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

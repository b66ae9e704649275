"""The error hierarchy for SOPS.

``service.errors`` explains their attributes, and what ``temporary`` and ``outcome_unknown`` mean.

Errors are distinguished by HTTP status and code, never by message text: most of SOPS's texts are Chinese and change
freely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.errors import (
    ConnectionFailedError,
    InvalidParameterError,
    RateLimitError,
    ServiceError,
    TransportErrors,
    UnusableAnswerError,
    code_number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Codes of the API gateway and of ESB for "there is no such call here".
_MISSING_CALL_CODES = frozenset({1640401, 1306404, 1306405})
#: Calls of a run without which it goes on.
_CALLS_OF_YOUNGER_SERVERS = frozenset({"get_task_node_log", "get_task_node_data", "get_template_schemes"})
#: ESB's code for "SOPS is unreachable", sent with HTTP 200.
_ESB_BACKEND_FAILED = 1306201
_HTTP_OK = 200


class SopsError(ServiceError):
    """Something went wrong with SOPS. Raised itself if no subclass fits, for example for unknown codes.

    :param reason: what went wrong, in English.
    :param trace_id: SOPS's trace id, or the gateway's request id if SOPS was not reached.
    :param details: ``api``, the call's name in the endpoint table, for example ``create_task``; ``ids``, the ids in the
        call, for example ``{"task_id": "25", "bk_biz_id": "2"}``; ``code``, the code in the answer as it came, ``None``
        if there was none, as from servers of 2019; ``http_status``, ``None`` if no answer came; ``server_message``, the
        server's full message; ``advice``, what to do next; ``page``, where a person sees more.
    """

    def __init__(self, reason: str, *, trace_id: str | None = None, **details: Any) -> None:
        super().__init__(reason, trace=trace_id, **details)

    @property
    def trace_id(self) -> str | None:
        """SOPS's trace id, or the gateway's request id if SOPS was not reached."""
        return self.trace


class SopsConnectionError(SopsError, ConnectionFailedError):
    """No usable answer arrived: name not found, connection refused, TLS failure, timeout, connection lost."""


class SopsGatewayError(SopsError, UnusableAnswerError):
    """An answer that did not come from SOPS: a redirect, HTML, broken JSON, an empty body, or a gateway's refusal."""

    @property
    def api_missing(self) -> bool:
        """Whether the server lacks the call; old servers lack ``get_tasks_status``, for example.

        SOPS redirects (HTTP 302) for an unknown path.
        """
        if code_number(self.code) in _MISSING_CALL_CODES:
            return True
        return self.http_status is not None and (300 <= self.http_status < 400 or self.http_status in (404, 405))

    @property
    def temporary(self) -> bool:
        """Whether SOPS was unreachable (HTTP 502, 503, 504, ESB 1306201) or its answer was cut off."""
        return code_number(self.code) == _ESB_BACKEND_FAILED or super().temporary

    @property
    def outcome_unknown(self) -> bool:
        """Whether SOPS may have acted: the request was sent, but the answer is not SOPS's."""
        return not self.api_missing and super().outcome_unknown

    @property
    def is_outage(self) -> bool:
        """Whether something else has answered; of a call that old servers lack, its absence is an answer."""
        return super().is_outage and not (self.api_missing and self.api in _CALLS_OF_YOUNGER_SERVERS)


class SopsAuthError(SopsError):
    """The app or the user was rejected: unknown app, wrong secret, user not verified, no permission."""

    @property
    def is_outage(self) -> bool:
        """Whether a page says so, perhaps of a proxy's, and not SOPS or its gateway."""
        return super().is_outage or (self.http_status is not None and self.code is None)


class SopsRateLimitError(SopsError, RateLimitError):
    """The gateway rejected the call because of its rate limit; it was not executed."""


class SopsNotFoundError(SopsError):
    """The project, template or task does not exist, or not in this project."""


class SopsInvalidParameterError(SopsError, InvalidParameterError):
    """A parameter is missing or invalid; found by SOPS, or by this package before anything was sent."""


class SopsInvalidOperationError(SopsError):
    """The state of the task or node does not allow it: already started, not started, finished, not failed."""


class _SopsTaskOutcomeError(SopsError):
    """A SOPS task did not end successfully; no call failed.

    :param sops_task_id: the task's id.
    :param task_url: its page in SOPS.
    :param failed_nodes: the names of the nodes that failed.
    """

    def __init__(
        self,
        reason: str,
        *,
        sops_task_id: int | None = None,
        task_url: str = "",
        failed_nodes: Sequence[str] = (),
        **details: Any,
    ) -> None:
        super().__init__(reason, page=task_url, **details)
        self.sops_task_id = sops_task_id
        self.task_url = task_url
        self.failed_nodes = tuple(failed_nodes)


class SopsTaskFailedError(_SopsTaskOutcomeError):
    """Nodes of the task failed, and nothing more happens until a person acts."""


class SopsTaskRevokedError(_SopsTaskOutcomeError):
    """Someone revoked the task; it cannot be resumed."""


class SopsTaskExpiredError(_SopsTaskOutcomeError):
    """SOPS removed the task's run-time data; its state is lost."""


#: The errors that a transport to SOPS raises.
TRANSPORT_ERRORS = TransportErrors(SopsConnectionError, SopsGatewayError, SopsInvalidParameterError)


def is_own_refusal(error: ServiceError) -> bool:
    """Whether SOPS itself refused a call. ESB answers with HTTP 200 too when it could not ask SOPS at all."""
    return error.http_status == _HTTP_OK and not isinstance(
        error, (SopsAuthError, SopsGatewayError, SopsRateLimitError)
    )

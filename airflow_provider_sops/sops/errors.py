"""One tree of errors for everything that can go wrong with SOPS.

What each of them carries, and what ``temporary`` and ``outcome_unknown`` mean, is said in ``service.errors``.

Errors are told apart by HTTP status and code, never by the text of a message: SOPS writes most of its texts
in Chinese and changes them freely.
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
#: ESB's code for "SOPS could not be asked"; ESB answers it with HTTP 200.
_ESB_BACKEND_FAILED = 1306201


class SopsError(ServiceError):
    """Something went wrong with SOPS. Directly of this class where no closer one fits, as for unknown codes.

    :param reason: what went wrong, in English.
    :param trace_id: SOPS's trace id, or the gateway's request id where SOPS was not reached.
    :param details: ``api``, the call's name as in the endpoint table, ``create_task``; ``ids``, the ids that the call
        named, ``{"task_id": "25", "bk_biz_id": "2"}``; ``code``, the code in the answer as it came, ``None`` where
        there was none, as from servers of 2019; ``http_status``, ``None`` where no answer came; ``server_message``, the
        server's own words in full; ``advice``, what to do next.
    """

    def __init__(self, reason: str, *, trace_id: str | None = None, **details: Any) -> None:
        super().__init__(reason, trace=trace_id, **details)

    @property
    def trace_id(self) -> str | None:
        """SOPS's trace id, or the gateway's request id where SOPS was not reached."""
        return self.trace


class SopsConnectionError(SopsError, ConnectionFailedError):
    """No usable answer reached us: name not found, connection refused, TLS, timeout, connection lost."""


class SopsGatewayError(SopsError, UnusableAnswerError):
    """An answer that is not SOPS's own: a redirect, HTML, broken JSON, an empty body, or a gateway's refusal."""

    @property
    def api_missing(self) -> bool:
        """Whether the server has no such call, as old servers lack ``get_tasks_status``.

        SOPS itself redirects (HTTP 302) where it does not know a path.
        """
        if code_number(self.code) in _MISSING_CALL_CODES:
            return True
        return self.http_status is not None and (300 <= self.http_status < 400 or self.http_status in (404, 405))

    @property
    def temporary(self) -> bool:
        """Whether SOPS was out of reach (HTTP 502, 503, 504, ESB 1306201) or its answer broke off."""
        return code_number(self.code) == _ESB_BACKEND_FAILED or super().temporary

    @property
    def outcome_unknown(self) -> bool:
        """Whether SOPS may have acted: it was asked, and something else than its answer came back."""
        return not self.api_missing and super().outcome_unknown


class SopsAuthError(SopsError):
    """The app or the user was refused: unknown app, wrong secret, user not verified, no permission."""


class SopsRateLimitError(SopsError, RateLimitError):
    """The gateway refused the call because there were too many; it was not executed."""


class SopsNotFoundError(SopsError):
    """The project, template or task does not exist, or not in this project."""


class SopsInvalidParameterError(SopsError, InvalidParameterError):
    """A parameter is missing or wrong, found by SOPS or here before anything was sent."""


class SopsInvalidOperationError(SopsError):
    """The state of the task or node does not allow it: already started, not started, finished, not failed."""


class _SopsTaskOutcomeError(SopsError):
    """A SOPS task ended otherwise than well; the call about it did not fail.

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
        super().__init__(reason, **details)
        self.sops_task_id = sops_task_id
        self.task_url = task_url
        self.failed_nodes = tuple(failed_nodes)


class SopsTaskFailedError(_SopsTaskOutcomeError):
    """Nodes of the task failed, and nothing goes on in it unless a person acts."""


class SopsTaskRevokedError(_SopsTaskOutcomeError):
    """Somebody revoked the task; it cannot be revived."""


class SopsTaskExpiredError(_SopsTaskOutcomeError):
    """SOPS removed the task's run-time data; its state can no longer be known."""


#: What a transport raises on the way to SOPS.
TRANSPORT_ERRORS = TransportErrors(SopsConnectionError, SopsGatewayError, SopsInvalidParameterError)

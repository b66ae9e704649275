"""One tree of errors for everything that can go wrong with SOPS.

Each error carries what a person needs in order to act: which call failed, SOPS's or the gateway's own code,
the HTTP status, the trace id to quote to SOPS's administrators, the server's own words and, in English, why
it failed and what to do next. Two properties answer what code needs to know: ``temporary`` (may the same call
succeed later unaided) and ``outcome_unknown`` (may the server have acted although an error came back).

Errors are told apart by HTTP status and code, never by the text of a message: SOPS writes most of its texts
in Chinese and changes them freely. All of them can be pickled, and none ever holds a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHOWN_CHARACTERS = 500
#: No code is longer; Python refuses to read some thousand digits.
_MOST_CODE_DIGITS = 18

#: Codes of the API gateway and of ESB for "there is no such call here".
_MISSING_CALL_CODES = frozenset({1640401, 1306404, 1306405})
#: ESB's code for "SOPS could not be asked"; ESB answers it with HTTP 200.
_ESB_BACKEND_FAILED = 1306201


def code_number(code: int | str | None) -> int | None:
    """Return a code as a number, or ``None``; servers give ``3540400`` as well as ``"50000"``."""
    if isinstance(code, bool):
        return None
    if isinstance(code, int):
        return code
    is_number = isinstance(code, str) and code.isascii() and code.isdigit() and len(code) <= _MOST_CODE_DIGITS
    return int(code) if is_number else None  # type: ignore[arg-type]


def shown_words(message: str) -> str:
    """Return the server's words as they fit into an error text: on one line, at most 500 characters.

    Of a Python traceback, which SOPS sends for refusals of its engine, that is the last line that is not
    empty: it holds the reason.
    """
    words = message.strip()
    if "Traceback (most recent call last)" in words:
        words = words.splitlines()[-1]
    words = " ".join(words.split())
    return words if len(words) <= _SHOWN_CHARACTERS else words[:_SHOWN_CHARACTERS] + "..."


class _Described(Protocol):
    """What an error of a remote service knows of itself."""

    reason: str
    api: str | None
    ids: dict[str, str]
    code: int | str | None
    http_status: int | None
    server_message: str | None
    advice: str | None


def error_text(error: _Described, trace_name: str, trace: str | None, *, speaker: str) -> str:
    """Return an error in words: the call and its ids, the reason, codes, the server's words, what to do next.

    :param trace_name: what the service calls the id by which its own people find the call.
    :param speaker: who the server's words are from.
    """
    known = {"code": error.code, "HTTP": error.http_status, trace_name: trace}
    marks = ", ".join(f"{name} {value}" for name, value in known.items() if value not in (None, ""))
    ids = ", ".join(f"{name} {value}" for name, value in error.ids.items())
    call = f"{error.api or ''}{f' ({ids})' if ids else ''}"
    text = f"{call}: {error.reason}" if call else error.reason
    if marks:
        text += f" ({marks})"
    if error.server_message:
        text += f". {speaker} says: {shown_words(error.server_message)}"
    if error.advice:
        text += f"{'' if text.endswith('.') else '.'} {error.advice}"
    return text


class SopsError(Exception):
    """Something went wrong with SOPS. Directly of this class where no closer one fits, as for unknown codes.

    :param reason: what went wrong, in English.
    :param api: the call's name as in the endpoint table, ``create_task``.
    :param ids: the ids that the call named: ``{"task_id": "25", "bk_biz_id": "2"}``.
    :param code: the code in the answer as it came; ``None`` where there was none, as from servers of 2019.
    :param http_status: the answer's HTTP status; ``None`` where no answer came.
    :param trace_id: SOPS's trace id, or the gateway's request id where SOPS was not reached.
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
        trace_id: str | None = None,
        server_message: str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.api = api
        self.ids = dict(ids or {})
        self.code = code
        self.http_status = http_status
        self.trace_id = trace_id
        self.server_message = server_message
        self.advice = advice

    @property
    def temporary(self) -> bool:
        """Whether the same call may succeed later without anybody changing anything."""
        return False

    @property
    def outcome_unknown(self) -> bool:
        """Whether the server may have done what was asked although this error came back."""
        return self.http_status is not None and self.http_status >= 500

    def __str__(self) -> str:
        return error_text(self, "trace id", self.trace_id, speaker="The server")


class SopsConnectionError(SopsError):
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


class SopsGatewayError(SopsError):
    """An answer that is not SOPS's own: a redirect, HTML, broken JSON, an empty body, or a gateway's refusal.

    :param answer_cut: the answer began like one of SOPS's and broke off, or was empty.
    """

    def __init__(self, reason: str, *, answer_cut: bool = False, **details: Any) -> None:
        super().__init__(reason, **details)
        self.answer_cut = answer_cut

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
        if self.http_status in (502, 503, 504) or code_number(self.code) == _ESB_BACKEND_FAILED:
            return True
        return self.answer_cut and self.http_status is not None and self.http_status < 300

    @property
    def outcome_unknown(self) -> bool:
        """Whether SOPS may have acted: it was asked, and something else than its answer came back."""
        if self.api_missing or self.http_status is None:
            return False
        return self.http_status < 300 or self.http_status >= 500


class SopsAuthError(SopsError):
    """The app or the user was refused: unknown app, wrong secret, user not verified, no permission."""


class SopsRateLimitError(SopsError):
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


class SopsNotFoundError(SopsError):
    """The project, template or task does not exist, or not in this project."""


class SopsInvalidParameterError(SopsError):
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

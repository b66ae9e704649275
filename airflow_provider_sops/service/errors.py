"""The base classes for errors of a remote service. Each service derives its own error hierarchy from them.

Each error carries what a person needs to act: the call that failed, the service's or gateway's code, the HTTP status,
the id under which the service's operators find the call, the server's message and, in English, why it failed and what
to do next. Two properties are for code: ``temporary`` (may the same call succeed later, without anyone changing
anything) and ``outcome_unknown`` (may the server have acted despite the error).

All of them can be pickled, and none ever holds a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_sops.service.text import log_entry, shown_words

if TYPE_CHECKING:
    from collections.abc import Mapping


#: Method not allowed, body too large: refusals also without a code.
_STATUSES_OF_REFUSALS = (405, 413)
#: No code is longer, and Python refuses to parse thousands of digits.
_MOST_CODE_DIGITS = 18


class ServiceError(Exception):
    """Something went wrong with a remote service.

    :param reason: what went wrong, in English.
    :param api: the call's name as in the service's endpoint table.
    :param ids: the ids that the call named.
    :param code: the code in the answer as it came; ``None`` if there was none.
    :param http_status: the answer's HTTP status; ``None`` if no answer came.
    :param trace: the id under which the service's operators find the call.
    :param server_message: the server's full message.
    :param advice: what to do next.
    :param page: the address of the web page on which a person sees more; empty if there is none.
    """

    #: What the service calls ``trace``, and who is quoted as the author of ``server_message``.
    trace_name: ClassVar[str] = "trace id"
    speaker: ClassVar[str] = "The server"

    def __init__(
        self,
        reason: str,
        *,
        api: str | None = None,
        ids: Mapping[str, str] | None = None,
        code: int | str | None = None,
        http_status: int | None = None,
        trace: str | None = None,
        server_message: str | None = None,
        advice: str | None = None,
        page: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.api = api
        self.ids = dict(ids or {})
        self.code = code
        self.http_status = http_status
        self.trace = trace
        self.server_message = server_message
        self.advice = advice
        self.page = page

    @property
    def temporary(self) -> bool:
        """Whether the same call may succeed later without anybody changing anything."""
        return False

    @property
    def outcome_unknown(self) -> bool:
        """Whether the server may have carried out the request despite this error."""
        return self.http_status is not None and self.http_status >= 500

    @property
    def is_outage(self) -> bool:
        """Whether the service itself has not spoken, so that a run asks again for ``max_outage_seconds``."""
        return self.temporary or self.outcome_unknown

    @property
    def headline(self) -> str:
        """What failed and why, without what to do about it."""
        known = {"code": self.code, "HTTP": self.http_status, self.trace_name: self.trace}
        marks = ", ".join(f"{name} {value}" for name, value in known.items() if value not in (None, ""))
        ids = ", ".join(f"{name} {value}" for name, value in self.ids.items())
        call = f"{self.api or ''}{f' ({ids})' if ids else ''}"
        text = f"{call}: {self.reason}" if call else self.reason
        if marks:
            text += f" ({marks})"
        if self.server_message:
            text += f". {self.speaker} says: {shown_words(self.server_message)}"
        return log_entry(text)

    def __str__(self) -> str:
        text = self.headline
        for more in (self.page and f"See {self.page}.", self.advice):
            if more:
                text += f"{'' if text.endswith('.') else '.'} {more}"
        return log_entry(text)


class ConnectionFailedError(ServiceError):
    """No usable answer arrived: name not found, connection refused, TLS failure, timeout, connection lost.

    :param request_sent: ``False`` if the request certainly never left, so nothing can have happened.
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


class UnusableAnswerError(ServiceError):
    """An answer that did not come from the service: a redirect, HTML, broken JSON, an empty or oversized body.

    :param answer_cut: the answer began like one of the service's and was cut off, or was empty.
    """

    def __init__(self, reason: str, *, answer_cut: bool = False, **details: Any) -> None:
        super().__init__(reason, **details)
        self.answer_cut = answer_cut

    @property
    def temporary(self) -> bool:
        """Whether the service was unreachable (HTTP 502, 503, 504) or its answer was cut off."""
        if self.http_status in (502, 503, 504):
            return True
        return self.answer_cut and self.http_status is not None and self.http_status < 300

    @property
    def outcome_unknown(self) -> bool:
        """Whether the service may have acted: the request was sent, but the answer is not the service's."""
        return self.http_status is not None and (self.http_status < 300 or self.http_status >= 500)

    @property
    def is_outage(self) -> bool:
        """Whether something else has answered, such as a page or a redirect; not a gateway's own refusal."""
        is_page = self.http_status not in (None, *_STATUSES_OF_REFUSALS) and self.code is None
        return is_page or super().is_outage


class RateLimitError(ServiceError):
    """The gateway rejected the call because of its rate limit; it was not executed.

    :param retry_after_seconds: when the gateway will accept calls again; ``None`` if it does not say.
    """

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None, **details: Any) -> None:
        super().__init__(reason, **details)
        self.retry_after_seconds = retry_after_seconds

    @property
    def temporary(self) -> bool:
        """Always: the limit is per period."""
        return True


class InvalidParameterError(ServiceError):
    """A parameter is missing or wrong, found by the service or here before anything was sent."""


@dataclass(frozen=True, slots=True)
class TransportErrors:
    """The service's classes for the errors that a transport raises."""

    connection_failed: type[ConnectionFailedError]
    unusable_answer: type[UnusableAnswerError]
    invalid_parameter: type[InvalidParameterError]


def code_number(code: int | str | None) -> int | None:
    """Return a code as a number, or ``None``; servers give ``3540400`` as well as ``"50000"``."""
    if isinstance(code, bool):
        return None
    if isinstance(code, int):
        return code
    is_number = isinstance(code, str) and code.isascii() and code.isdigit() and len(code) <= _MOST_CODE_DIGITS
    return int(code) if is_number else None  # type: ignore[arg-type]


def server_words(error: ServiceError) -> str:
    """Return the server's message as the end of a sentence; empty if there is none."""
    return f'; it says: "{shown_words(error.server_message)}"' if error.server_message else ""


def what_is_wrong(error: ServiceError, service: str, root: str, refused: type[ServiceError]) -> str:
    """Return the error of a first call as one sentence.

    :param service: the service's name.
    :param root: the gateway's address.
    :param refused: the service's error class for rejected credentials.
    """
    words = server_words(error)
    status = f" (HTTP {error.http_status})" if error.http_status not in (None, 200) else ""
    if isinstance(error, refused):
        advice = f" ({error.advice.rstrip('.')})" if error.advice else ""
        return f"Access was denied{status}: {error.reason}{words}{advice}"
    if isinstance(error, UnusableAnswerError) and not error.temporary:
        return f"{root} is not a gateway to {service}{status}: {error.reason}{words}"
    if isinstance(error, ConnectionFailedError) or error.http_status is None:
        return error.reason
    return f"{service} cannot be called{status}: {error.reason}{words}"

"""Turn an HTTP response into a service's answer or an error: the part that all services share.

Only the code in the body and the HTTP status decide; each service has its own table of them. Message texts are passed
on, never interpreted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sops.service.errors import RateLimitError, ServiceError, UnusableAnswerError
from airflow_provider_sops.service.storable import read_json, storable_text
from airflow_provider_sops.service.text import word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.service.http import HttpResponse

_MARKUP = re.compile(r"<[^>]*>")
#: How many characters of a foreign body (a proxy's page, for example) an error keeps.
_EXCERPT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered to a call that succeeded.

    :param data: the answer's ``data``; an empty answer looks different in each service.
    :param raw: the whole answer.
    """

    data: Any
    raw: Mapping[str, Any] = field(repr=False)


class Kind(NamedTuple):
    """What a code means: the error's class, its English reason and what to do next."""

    error: type[ServiceError]
    reason: str
    advice: str | None = None


def read_object(response: HttpResponse) -> Mapping[str, Any] | None:
    """Return a body that is a JSON object, made storable; ``None`` for anything else."""
    try:
        payload = read_json(response.body)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def read_code(value: Any) -> int | str | None:
    """Return a code as it came; ``None`` for a value that cannot be a code."""
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def refusal(
    kind: Kind,
    response: HttpResponse,
    payload: Mapping[str, Any] | None,
    *,
    message: Any,
    conceal: Callable[[str], str] | None,
    other_words: str | None = None,
    wait_headers: tuple[str, ...] = ("Retry-After",),
    **details: Any,
) -> ServiceError:
    """Return the error for an answer that reports a failure.

    :param kind: what the answer means. If the body is not a JSON object, the reason also describes the body.
    :param payload: the body, if it is a JSON object.
    :param message: the server's message in it.
    :param conceal: removes secrets from whatever the server said; a proxy's page may echo the request.
    :param other_words: the server's message from elsewhere, used if the body has none.
    :param wait_headers: headers that may hold the seconds to wait after a rate limit; the first one present counts.
    :param details: more attributes for the error; texts become a ``word``.
    """
    if issubclass(kind.error, RateLimitError):
        details["retry_after_seconds"] = _seconds_to_wait(response, wait_headers)
    if issubclass(kind.error, UnusableAnswerError):
        details["answer_cut"] = payload is None and response.body.lstrip()[:1] in (b"", b"{")
    # Before anything is cut: a part of a secret would not be found.
    hide = conceal or str
    words = _excerpt(response, hide) if payload is None else _words(message)
    words = words or other_words
    shown: dict[str, Any] = {
        name: word(hide(value)) if isinstance(value, str) else value for name, value in details.items()
    }
    return kind.error(
        kind.reason if payload is not None else f"{kind.reason}: {_describe_body(response, hide)}",
        http_status=response.status,
        server_message=hide(words) if words else None,
        advice=kind.advice,
        **shown,
    )


def _seconds_to_wait(response: HttpResponse, headers: tuple[str, ...]) -> float | None:
    """Return when calls are accepted again; a ``Retry-After`` date is ignored."""
    values = ((response.header(name) or "").strip() for name in headers)
    return next((float(value) for value in values if value.isascii() and value.isdigit()), None)


def _words(message: Any) -> str | None:
    """Return the server's message; one that is not a string (from form validation) as JSON."""
    if message is None or message == "":
        return None
    return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)


def _excerpt(response: HttpResponse, hide: Callable[[str], str]) -> str | None:
    """Return the beginning of a page's text."""
    text = _MARKUP.sub(" ", hide(response.body[: 20 * _EXCERPT_CHARACTERS].decode(errors="replace")))
    return storable_text(" ".join(text.split())[:_EXCERPT_CHARACTERS]) or None


def _describe_body(response: HttpResponse, hide: Callable[[str], str]) -> str:
    if 300 <= response.status < 400:
        return f"a redirect to {word(hide((response.header('Location') or 'nowhere').partition('?')[0]))!r}"
    if not response.body:
        return "an empty body"
    content_type = word(hide((response.header("Content-Type") or "").partition(";")[0]))
    if content_type == "application/json" or response.body.lstrip()[:1] in (b"{", b"["):
        return f"broken JSON or not an object, {len(response.body)} bytes"
    return f"{content_type or 'unknown content'}, {len(response.body)} bytes"

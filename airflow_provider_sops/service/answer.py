"""From an HTTP response to what a service says in it: what the answers of all services have in common.

What decides about an answer is its code and its HTTP status, which each service reads in its own way. Texts are passed
on and never looked at.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sops.service.errors import RateLimitError, ServiceError, UnusableAnswerError
from airflow_provider_sops.service.storable import read_json, storable_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.service.http import HttpResponse

_MARKUP = re.compile(r"<[^>]*>")
#: Characters of a body that is not the service's that an error keeps.
_EXCERPT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered to a call that succeeded.

    :param data: the answer's ``data``; what stands there where there is nothing to say depends on the service.
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
    """Return a code as it came; ``None`` for what can be none."""
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
    """Return the error for an answer that is no success.

    :param kind: what the answer means. Its reason is told with a description of a body that is no JSON object.
    :param payload: the body, if it is a JSON object.
    :param message: the server's words in it.
    :param conceal: removes secrets from the server's words; a page in between may echo the request.
    :param other_words: what the server says elsewhere, where the body says nothing.
    :param wait_headers: where a rate limit says for how many seconds, the first one that does counts.
    :param details: what else the error is to hold.
    """
    if issubclass(kind.error, RateLimitError):
        details["retry_after_seconds"] = _seconds_to_wait(response, wait_headers)
    if issubclass(kind.error, UnusableAnswerError):
        details["answer_cut"] = payload is None and response.body.lstrip()[:1] in (b"", b"{")
    words = (_excerpt(response) if payload is None else _words(message)) or other_words
    return kind.error(
        kind.reason if payload is not None else f"{kind.reason}: {_describe_body(response)}",
        http_status=response.status,
        server_message=conceal(words) if conceal and words else words,
        advice=kind.advice,
        **details,
    )


def _seconds_to_wait(response: HttpResponse, headers: tuple[str, ...]) -> float | None:
    """Return when calls are accepted again; a ``Retry-After`` that is a date is not read."""
    values = ((response.header(name) or "").strip() for name in headers)
    return next((float(value) for value in values if value.isascii() and value.isdigit()), None)


def _words(message: Any) -> str | None:
    """Return the server's own words; a message that is not a text, as of a form's validation, as JSON."""
    if message is None or message == "":
        return None
    return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)


def _excerpt(response: HttpResponse) -> str | None:
    """Return the beginning of a page's text."""
    text = _MARKUP.sub(" ", response.body[: 4 * _EXCERPT_CHARACTERS].decode(errors="replace"))
    return storable_text(" ".join(text.split())[:_EXCERPT_CHARACTERS]) or None


def _describe_body(response: HttpResponse) -> str:
    if 300 <= response.status < 400:
        return f"a redirect to {(response.header('Location') or 'nowhere').partition('?')[0]!r}"
    if not response.body:
        return "an empty body"
    content_type = (response.header("Content-Type") or "").partition(";")[0].strip()
    if content_type == "application/json" or response.body.lstrip()[:1] in (b"{", b"["):
        return f"JSON that is broken or no object, {len(response.body)} bytes"
    return f"{content_type or 'unknown content'}, {len(response.body)} bytes"

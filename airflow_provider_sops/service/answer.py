"""Turn an HTTP response into a service's answer or an error: the part that all services share.

Only the code in the body and the HTTP status decide; each service has its own table of them. Message texts are passed
on, never interpreted.
"""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sops.service.errors import RateLimitError, ServiceError, UnusableAnswerError
from airflow_provider_sops.service.json_text import read_json_as_sent
from airflow_provider_sops.service.storable import storable_text
from airflow_provider_sops.service.text import word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.service.http import HttpResponse
    from airflow_provider_sops.service.storable import Path

_MARKUP = re.compile(r"<[^>]*>")
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
#: The longest pause after a rate limit; whether the gateway accepts calls again is better tried than believed.
LONGEST_PAUSE_SECONDS = 120.0
#: A larger number than this is a time, in seconds or in milliseconds since the epoch.
_LONGEST_DURATION, _LATEST_SECOND = 1e8, 1e11
#: A time is at most this long.
_LONGEST_TIME = 40
#: How many characters of a foreign body (a proxy's page, for example) an error keeps.
_EXCERPT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered to a call that succeeded.

    :param data: the answer's ``data``; an empty answer looks different in each service.
    :param raw: the whole answer.
    :param replaced: where ``data`` holds something else than what was sent, since it could not be stored.
    :param unusable: returns the error of a caller that cannot use the data, for a reason in words.
    """

    data: Any
    raw: Mapping[str, Any] = field(repr=False)
    replaced: tuple[Path, ...] = field(default=(), repr=False, kw_only=True)
    unusable: Callable[[str], ServiceError] = field(default=UnusableAnswerError, repr=False, kw_only=True)


class Kind(NamedTuple):
    """What a code means: the error's class, its English reason and what to do next."""

    error: type[ServiceError]
    reason: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A body that was read, made storable.

    :param content: ``None`` if it is not a JSON object.
    :param replaced: where the object's ``data`` holds something else than what was sent.
    """

    content: Mapping[str, Any] | None
    replaced: tuple[Path, ...] = ()


def read_body(response: HttpResponse) -> Body:
    """Read a body."""
    try:
        payload, replaced = read_json_as_sent(response.body)
    except ValueError:
        return Body(None)
    if not isinstance(payload, dict):
        return Body(None)
    return Body(payload, tuple(path[1:] for path in replaced if path[0] == "data"))


def unusable_as(error: type[ServiceError], advice: str, **details: Any) -> Callable[[str], ServiceError]:
    """Return the ``unusable`` of a service's answers.

    :param details: more attributes for the error.
    """
    return lambda reason: error(f"the answer says nothing that can be used: {reason}", advice=advice, **details)


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
    wait_headers: tuple[str, ...] = ("Retry-After", "RateLimit-Reset"),
    **details: Any,
) -> ServiceError:
    """Return the error for an answer that reports a failure.

    :param kind: what the answer means. If the body is not a JSON object, the reason also describes the body.
    :param payload: the body, if it is a JSON object.
    :param message: the server's message in it.
    :param conceal: removes secrets from whatever the server said; a proxy's page may echo the request.
    :param other_words: the server's message from elsewhere, used if the body has none.
    :param wait_headers: headers that may say how long to wait after a rate limit; the first one that does counts.
    :param details: more attributes for the error; texts become a ``word``.
    """
    if issubclass(kind.error, RateLimitError):
        details["retry_after_seconds"] = _seconds_to_wait(response, wait_headers)
    if issubclass(kind.error, UnusableAnswerError):
        details["answer_cut"] = payload is None and _begins_with(response) in (b"", b"{")
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
    """Return how long to wait until calls are accepted again, at most ``LONGEST_PAUSE_SECONDS``."""
    found = (_pause_in((response.header(name) or "").strip()) for name in headers)
    return next((min(value, LONGEST_PAUSE_SECONDS) for value in found if value is not None), None)


def _pause_in(text: str) -> float | None:
    """Return the seconds that a header means; it holds a duration, a time since the epoch, or an HTTP date.

    A time that has passed means nothing: the clocks differ.
    """
    if _SECONDS.fullmatch(text):
        number = float(text)
        if number < _LONGEST_DURATION or math.isinf(number):
            return number
        moment = number / (1.0 if number < _LATEST_SECOND else 1000.0)
    else:
        try:
            moment = email.utils.parsedate_to_datetime(text[:_LONGEST_TIME]).timestamp()
        except (TypeError, ValueError, OverflowError):
            return None
    seconds = moment - time.time()
    return seconds if seconds >= 0 else None


def _words(message: Any) -> str | None:
    """Return the server's message; one that is not a string (from form validation) as JSON."""
    if message is None or message == "":
        return None
    return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)


def _excerpt(response: HttpResponse, hide: Callable[[str], str]) -> str | None:
    """Return the beginning of a page's text."""
    text = _MARKUP.sub(" ", hide(response.body[: 20 * _EXCERPT_CHARACTERS].decode(errors="replace")))
    return storable_text(" ".join(text.split())[:_EXCERPT_CHARACTERS]) or None


def _begins_with(response: HttpResponse) -> bytes:
    """Return the first character of the body that is no blank; a long body is not copied for that."""
    return bytes(response.body[:_EXCERPT_CHARACTERS].lstrip()[:1])


def _describe_body(response: HttpResponse, hide: Callable[[str], str]) -> str:
    if 300 <= response.status < 400:
        return f"a redirect to {word(hide((response.header('Location') or 'nowhere').partition('?')[0]))!r}"
    if not response.body:
        return "an empty body"
    content_type = word(hide((response.header("Content-Type") or "").partition(";")[0]).strip())
    if content_type == "application/json" or _begins_with(response) in (b"{", b"["):
        return f"broken JSON or not an object, {len(response.body)} bytes"
    return f"{content_type or 'unknown content'}, {len(response.body)} bytes"

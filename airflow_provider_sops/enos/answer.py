"""What comes back: an HTTP response becomes the answer's data, or one error that says what is wrong.

v2.1 tells success by ``code``, v2.0 and the token service by ``status``, and all of them by 0. Which HTTP status comes
with another code is not documented, so code and status are both looked at, the code first. Texts are passed on and
never looked at.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sops.enos.errors import (
    EnosAuthError,
    EnosError,
    EnosGatewayError,
    EnosInvalidOperationError,
    EnosInvalidParameterError,
    EnosNoLogError,
    EnosNotFoundError,
    EnosRateLimitError,
    EnosRepeatedRequestError,
    EnosServerError,
    EnosTokenRefusedError,
    EnosTriggerRefusedError,
)
from airflow_provider_sops.sops.errors import code_number
from airflow_provider_sops.sops.storable import read_json, storable_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.enos.endpoints import Endpoint
    from airflow_provider_sops.sops.answer import HttpResponse

#: Where answers carry their code. The last one is a slip that the documents of the token service show.
_CODE_KEYS = ("code", "status", "stauts")
_MARKUP = re.compile(r"<[^>]*>")
_EXCERPT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What EnOS answered to a call that succeeded.

    :param data: the answer's ``data``; an empty text where there is nothing to say.
    :param raw: the whole answer.
    """

    data: Any
    raw: Mapping[str, Any] = field(repr=False)


class _Kind(NamedTuple):
    """What a code means: the error's class, its English reason and what to do next."""

    error: type[EnosError]
    reason: str
    advice: str | None = None


_TOKEN_REFUSED = _Kind(
    EnosTokenRefusedError,
    "the gateway did not accept the access token or the signature",
    "Check the SecretKey in the connection's password, and this machine's clock.",
)
_APP_REFUSED = _Kind(
    EnosAuthError,
    "EnOS did not accept the app",
    "Check AccessKey and SecretKey (login and password of the connection) and that the app is registered.",
)
_INVALID_PARAMETER = _Kind(EnosInvalidParameterError, "a parameter is missing or wrong")
_NO_INSTANCE = _Kind(
    EnosNotFoundError,
    "there is no such instance",
    "Check the id (ids of task and flow instances look alike) and that it belongs to the organisation org_id.",
)
_NO_LOG = _Kind(EnosNoLogError, "the task instance has no log, or does not exist")
_TRIGGER_REFUSED = _Kind(
    EnosTriggerRefusedError,
    "EnOS made no instance of the flow",
    "It has one code for all of these: the flow or task does not exist, or the flow was triggered less than a minute "
    "ago.",
)
_SERVER_ERROR = _Kind(EnosServerError, "EnOS met an internal error", "It may have acted: read its state.")
_UNREACHABLE = _Kind(
    EnosGatewayError, "the gateway could not get an answer from EnOS", "EnOS may have acted: read its state."
)
_REFUSED = _Kind(EnosError, "EnOS refused the call")
_FOREIGN = _Kind(
    EnosGatewayError,
    "this is not an answer of EnOS",
    "Check the connection's host and api_version; something else may stand before EnOS.",
)

_BY_CODE: Mapping[int, _Kind] = {
    62101: _Kind(
        EnosAuthError,
        "the user does not exist or does not belong to the organisation",
        "Check user_id and org_id of the connection.",
    ),
    62102: _INVALID_PARAMETER,
    62103: _Kind(
        EnosAuthError,
        "the user has no privilege for this",
        "Triggering and stopping a flow is its owner's alone: check user_id, or the flow's owners in EnOS.",
    ),
    62104: _Kind(
        EnosInvalidOperationError, "EnOS does not do this with the flow: it has no task, or others rely on it"
    ),
    62105: _Kind(EnosAuthError, "the user's account is locked", "Ask EnOS's administrators."),
    62109: _SERVER_ERROR,
    1001: _Kind(EnosRepeatedRequestError, "the token service has seen this very request before"),
    1002: _APP_REFUSED,
    1003: _APP_REFUSED,
    1004: _INVALID_PARAMETER,
    1005: _SERVER_ERROR,
    1202: _INVALID_PARAMETER,
    1203: _TOKEN_REFUSED,
    1204: _Kind(EnosAuthError, "the token service did not replace the access token"),
}

#: One code has many meanings: where the call decides which.
_BY_CALL_AND_CODE: Mapping[tuple[str, int], _Kind] = {
    ("get_task_instance", 62102): _NO_INSTANCE,
    ("get_flow_instance", 62102): _NO_INSTANCE,
    ("get_task_instance_log", 62102): _NO_LOG,
    ("get_task_instance_log", 62109): _NO_LOG,
    ("trigger_flow", 62102): _TRIGGER_REFUSED,
    ("trigger_flow_from_task", 62102): _TRIGGER_REFUSED,
    ("update_and_trigger_flow", 62102): _TRIGGER_REFUSED,
}

#: Where there is no code of EnOS's.
_BY_STATUS: Mapping[int, _Kind] = {
    400: _Kind(EnosInvalidParameterError, "the gateway cannot read the request"),
    401: _TOKEN_REFUSED,
    403: _Kind(EnosAuthError, "the gateway refused access", "It may not accept calls from this machine's address."),
    413: _Kind(EnosGatewayError, "the request is too big for the gateway", "Send smaller parameters."),
    429: _Kind(EnosRateLimitError, "the gateway refused the call because there were too many", "It was not executed."),
    500: _SERVER_ERROR,
    502: _UNREACHABLE,
    503: _UNREACHABLE,
    504: _UNREACHABLE,
}


def read_response(
    endpoint: Endpoint,
    response: HttpResponse,
    *,
    ids: Mapping[str, str] | None = None,
    conceal: Callable[[str], str] | None = None,
) -> Answer:
    """Return what EnOS answered to a call.

    :param endpoint: the call.
    :param response: what came back, redirects not followed.
    :param ids: the ids that the request named, for errors (``HttpRequest.ids``).
    :param conceal: removes secrets from the server's words; a page in between may echo the request's headers.
    :raises EnosError: the call did not succeed; see the module ``errors`` for what each class means.
    """
    payload = _read_object(response.body)
    code = None if payload is None else _code(payload)
    if payload is not None and 200 <= response.status < 300 and code_number(code) == 0:
        return Answer(payload.get("data"), payload)

    kind = _classify(endpoint, response.status, code)
    details: dict[str, Any] = {}
    if issubclass(kind.error, EnosRateLimitError):
        details["retry_after_seconds"] = _retry_after_seconds(response)
    if issubclass(kind.error, EnosGatewayError):
        details["answer_cut"] = payload is None and response.body.lstrip()[:1] in (b"", b"{")
    words = _server_words(response, payload)
    raise kind.error(
        f"{kind.reason}: {_describe_body(response)}" if kind is _FOREIGN else kind.reason,
        api=endpoint.name,
        ids=ids,
        code=code,
        http_status=response.status,
        request_id=str((payload or {}).get("requestId") or "") or None,
        server_message=conceal(words) if conceal and words else words,
        advice=kind.advice,
        **details,
    )


def _classify(endpoint: Endpoint, status: int, code: int | str | None) -> _Kind:
    number = code_number(code)
    if number is not None and number != 0:
        kind = _BY_CALL_AND_CODE.get((endpoint.name, number)) or _BY_CODE.get(number)
        if kind is not None:
            return kind
        if status < 300:
            return _REFUSED
    return _BY_STATUS.get(status, _FOREIGN)


def _read_object(body: bytes) -> Mapping[str, Any] | None:
    """Return a body that is a JSON object, made storable; ``None`` for anything else."""
    try:
        payload = read_json(body)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def _code(payload: Mapping[str, Any]) -> int | str | None:
    code = next((payload[key] for key in _CODE_KEYS if payload.get(key) is not None), None)
    return code if isinstance(code, (int, str)) and not isinstance(code, bool) else None


def _retry_after_seconds(response: HttpResponse) -> float | None:
    """Return when calls are accepted again; a ``Retry-After`` that is a date is not read."""
    value = (response.header("Retry-After") or "").strip()
    return float(value) if value.isascii() and value.isdigit() else None


def _server_words(response: HttpResponse, payload: Mapping[str, Any] | None) -> str | None:
    """Return the server's own words: EnOS's ``msg``, a gateway's ``message``, or the text of a page."""
    if payload is None:
        text = _MARKUP.sub(" ", response.body[: 4 * _EXCERPT_CHARACTERS].decode(errors="replace"))
        return storable_text(" ".join(text.split())[:_EXCERPT_CHARACTERS]) or None
    message = payload.get("msg") or payload.get("message")
    if message is None or message == "":
        return None
    return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)


def _describe_body(response: HttpResponse) -> str:
    if 300 <= response.status < 400:
        return f"a redirect to {(response.header('Location') or 'nowhere').partition('?')[0]!r}"
    if not response.body:
        return "an empty body"
    content_type = (response.header("Content-Type") or "").partition(";")[0].strip()
    return f"{content_type or 'unknown content'}, {len(response.body)} bytes"

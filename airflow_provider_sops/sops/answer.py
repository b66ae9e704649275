"""What comes back: an HTTP response becomes the answer's data, or one error that says what is wrong.

SOPS answers nearly everything with HTTP 200 and tells success by ``result``; around it stand gateways with
codes and statuses of their own, and proxies that answer in HTML. What decides here is, in this order: the
code in the body, then the HTTP status. Texts are passed on and never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.answer import Answer as ServiceAnswer
from airflow_provider_sops.service.answer import Kind, read_code, read_object, refusal
from airflow_provider_sops.service.errors import code_number
from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsError,
    SopsGatewayError,
    SopsInvalidOperationError,
    SopsInvalidParameterError,
    SopsNotFoundError,
    SopsRateLimitError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.service.http import HttpResponse
    from airflow_provider_sops.sops.endpoints import Endpoint

#: The API gateway's one code for everything that is wrong with the app or the user.
BAD_CREDENTIALS_CODE = 1640001


@dataclass(frozen=True, slots=True)
class Answer(ServiceAnswer):
    """What SOPS answered to a call that succeeded; ``data`` is ``None`` where there is none, as for ``operate_task``.

    :param trace_id: SOPS's trace id, ``None`` from old servers.
    """

    trace_id: str | None


_BAD_CREDENTIALS = Kind(
    SopsAuthError,
    "the gateway did not accept the app or the user",
    "It has one code for all of these: bk_app_code is unknown, bk_app_secret is wrong, no user was given, "
    "bk_token or access_token has expired, or the app may not name a bk_username without a token.",
)
_NO_PERMISSION = Kind(
    SopsAuthError,
    "the app has no permission for this call",
    "Apply for the permission in the gateway's developer centre, or ask SOPS's administrators for it.",
)
_ESB_APP_REFUSED = Kind(
    SopsAuthError, "ESB did not accept the app", "Check bk_app_code and bk_app_secret of the connection."
)
_NO_SUCH_CALL = Kind(
    SopsGatewayError,
    "the gateway has no such call",
    "Check the connection's host, gateway and stage. Old servers lack some calls.",
)
_TOO_MANY_CALLS = Kind(
    SopsRateLimitError,
    "the gateway refused the call because there were too many",
    "It was not executed; call later.",
)
_BACKEND_FAILED = Kind(
    SopsGatewayError, "the gateway could not get an answer from SOPS", "SOPS may have acted: read its state."
)
_INVALID_PARAMETER = Kind(SopsInvalidParameterError, "a parameter is missing or wrong")
_REFUSED_OPERATION = Kind(
    SopsInvalidOperationError,
    "SOPS refused this action on the task or node",
    "Mostly its present state does not allow it: look at the task in SOPS.",
)
_BODY_TOO_BIG = Kind(SopsGatewayError, "the request is too big for the gateway", "Send smaller constants.")
_UNHANDLED = Kind(
    SopsError,
    "SOPS met an error that it does not handle",
    "It may have acted: read its state. SOPS's administrators find the cause by the trace id and the time.",
)
_REFUSED = Kind(SopsError, "SOPS refused the call")
_FOREIGN = Kind(
    SopsGatewayError,
    "this is not an answer of SOPS",
    "Check the connection's host, gateway and stage; something else may stand before SOPS.",
)

#: Every code with a meaning of its own: of SOPS (``gcloud/err_code.py``), of the API gateway and of ESB.
_BY_CODE: Mapping[int, Kind] = {
    3540000: _INVALID_PARAMETER,
    3546100: _INVALID_PARAMETER,
    3540100: Kind(
        SopsAuthError, "SOPS forbids this to the user or app", "Ask SOPS's administrators for the permission."
    ),
    3540400: Kind(
        SopsNotFoundError,
        "the project, template or task does not exist",
        "Check the ids, bk_biz_id and scope: a task or template is found only in its own project.",
    ),
    3545000: _REFUSED_OPERATION,
    50000: _UNHANDLED,
    BAD_CREDENTIALS_CODE: _BAD_CREDENTIALS,
    1640301: _NO_PERMISSION,
    1640302: Kind(SopsAuthError, "the gateway does not accept calls from this machine's address"),
    1640401: _NO_SUCH_CALL,
    1641301: _BODY_TOO_BIG,
    1306401: Kind(SopsAuthError, "ESB was told no user", "Set bk_username, bk_token or access_token."),
    1306402: Kind(SopsAuthError, "ESB says that the user has no permission"),
    1306403: _NO_PERMISSION,
    1306404: _NO_SUCH_CALL,
    1306405: _NO_SUCH_CALL,
    1306406: _INVALID_PARAMETER,
    1306407: _INVALID_PARAMETER,
    1306429: _TOO_MANY_CALLS,
    **dict.fromkeys(range(20100, 20200), _ESB_APP_REFUSED),
    **dict.fromkeys(range(1306200, 1306300), _BACKEND_FAILED),
    **dict.fromkeys(range(1642900, 1643000), _TOO_MANY_CALLS),
}

#: Where the code says nothing.
_BY_STATUS: Mapping[int, Kind] = {
    401: _BAD_CREDENTIALS,
    403: Kind(
        SopsAuthError,
        "access was refused",
        "The app may lack the permission, or the connection's host is SOPS itself instead of its gateway.",
    ),
    404: _NO_SUCH_CALL,
    405: _NO_SUCH_CALL,
    413: _BODY_TOO_BIG,
    429: _TOO_MANY_CALLS,
    502: _BACKEND_FAILED,
    503: _BACKEND_FAILED,
    504: _BACKEND_FAILED,
}

#: SOPS's code for everything it has no other code for.
_UNKNOWN_ERROR = 3599999
#: Calls in which that code means that the engine refused.
_ENGINE_CALLS = frozenset({"operate_task", "operate_node", "node_callback"})
#: Codes of the API gateway itself.
_GATEWAY_CODES = range(1600000, 1700000)


def read_response(
    endpoint: Endpoint,
    response: HttpResponse,
    *,
    ids: Mapping[str, str] | None = None,
    conceal: Callable[[str], str] | None = None,
) -> Answer:
    """Return what SOPS answered to a call.

    :param endpoint: the call.
    :param response: what came back, redirects not followed.
    :param ids: the ids that the request named, for errors (``HttpRequest.ids``).
    :param conceal: removes secrets from the server's words (``Credentials.conceal``). A page in between may
        echo the request's URL, which holds them when ESB is used.
    :raises SopsError: the call did not succeed; see the module ``errors`` for what each class means.
    """
    payload = read_object(response)
    if response.is_success and payload is not None and payload.get("result") is True:
        return Answer(payload.get("data"), payload, _trace_id(response, payload))
    said = payload or {}
    raise refusal(
        _classify(endpoint, response.status, payload),
        response,
        payload,
        message=said.get("message"),
        conceal=conceal,
        other_words=response.header("X-Bkapi-Error-Message"),
        wait_headers=("X-Bkapi-RateLimit-Reset", "Retry-After"),
        api=endpoint.name,
        ids=ids,
        code=read_code(said.get("code")),
        trace_id=_trace_id(response, said),
    )


def _classify(endpoint: Endpoint, status: int, payload: Mapping[str, Any] | None) -> Kind:
    if payload is not None:
        number = code_number(read_code(payload.get("code")))
        if number == _UNKNOWN_ERROR and endpoint.name in _ENGINE_CALLS:
            return _REFUSED_OPERATION
        if number is not None and number in _BY_CODE:
            return _BY_CODE[number]
        if payload.get("result") is False and number not in _GATEWAY_CODES:
            if status < 300:
                return _REFUSED
            if status == 500:
                return _UNHANDLED
    return _BY_STATUS.get(status, _FOREIGN)


def _trace_id(response: HttpResponse, payload: Mapping[str, Any]) -> str | None:
    """Return SOPS's trace id, else the id that the gateway gave the request."""
    found = (
        payload.get("trace_id")
        or response.header("Sops-Trace-Id")
        or payload.get("request_id")
        or response.header("X-Bkapi-Request-Id")
    )
    return str(found) if found else None

"""Turn an HTTP response into the answer's data, or into one error that says what is wrong.

SOPS answers nearly everything with HTTP 200 and marks success by ``result``; in front of it are gateways with their own
codes and statuses, and proxies that answer in HTML. The code in the body decides first, then the HTTP status. The API
gateway gives a ``code_name`` beside its code, which decides before the number: one number may stand for two errors.
Message texts are passed on, never interpreted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.answer import Answer as ServiceAnswer
from airflow_provider_sops.service.answer import Kind, read_body, read_code, refusal, unusable_as
from airflow_provider_sops.service.errors import code_number
from airflow_provider_sops.service.text import word
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

#: The API gateway's only code for any problem with the app or the user.
BAD_CREDENTIALS_CODE = 1640001


@dataclass(frozen=True, slots=True)
class Answer(ServiceAnswer):
    """What SOPS answered to a call that succeeded; ``data`` is ``None`` if there is none, as for ``operate_task``.

    :param trace_id: SOPS's trace id, ``None`` from old servers.
    """

    trace_id: str | None


_BAD_CREDENTIALS = Kind(
    SopsAuthError,
    "the gateway rejected the app or the user",
    "One code covers all of these: bk_app_code is unknown, bk_app_secret is wrong, no user was given, "
    "bk_token or access_token has expired, or the app may not name a bk_username without a token.",
)
_NO_PERMISSION = Kind(
    SopsAuthError,
    "the app has no permission for this call",
    "Apply for the permission in the gateway's developer centre, or ask SOPS's administrators for it.",
)
_ESB_APP_REFUSED = Kind(SopsAuthError, "ESB rejected the app", "Check bk_app_code and bk_app_secret of the connection.")
_NO_SUCH_CALL = Kind(
    SopsGatewayError,
    "the gateway has no such call",
    "Check the connection's host, gateway and stage. Old servers lack some calls, and all of identity 'app'.",
)
_TOO_MANY_CALLS = Kind(
    SopsRateLimitError,
    "the gateway rejected the call because of its rate limit",
    "It was not executed; try again later.",
)
_BACKEND_FAILED = Kind(
    SopsGatewayError, "the gateway could not get an answer from SOPS", "SOPS may have acted: check the state in SOPS."
)
# Like an internal error that SOPS reports itself, it may concern one task alone, so it is not taken for an outage.
_BACKEND_5XX = Kind(
    SopsGatewayError,
    "SOPS failed behind the gateway, which hides its HTTP status and its answer",
    "SOPS may have acted: check the state in SOPS. Its administrators can find the cause by the time.",
)
_TOO_MANY_AT_ONCE = Kind(
    SopsRateLimitError,
    "the gateway rejected the call because of too many calls at the same time",
    "It was not executed; try again later. Let fewer tasks call SOPS at once, or ask the gateway's administrators to "
    "raise the limit.",
)
_ADDRESS_REFUSED = Kind(
    SopsAuthError,
    "the gateway rejects calls from this machine's address",
    "Ask the gateway's administrators to allow it.",
)
_TENANT_REFUSED = Kind(
    SopsAuthError,
    "the gateway rejected the call because of the tenant",
    "Set extra 'tenant_id' of the connection to the tenant whose tasks these are. An app of all tenants must always "
    "name one; an app or user of one tenant reaches this tenant alone.",
)
_ADDRESS_OR_TENANT_REFUSED = Kind(
    SopsAuthError,
    "the gateway rejects calls from this machine's address, or the tenant",
    "On a platform with tenants, set extra 'tenant_id' of the connection; otherwise ask the gateway's administrators "
    "to allow this address.",
)
_USER_EXCLUDED = Kind(
    SopsAuthError,
    "the gateway does not let this user make this call",
    "Ask the gateway's administrators to allow the user, or act for another one: bk_username, bk_token or "
    "access_token of the connection.",
)
_TENANT_EXCLUDED = Kind(
    SopsAuthError,
    "the gateway does not let this tenant make this call",
    "Check extra 'tenant_id' of the connection, or ask the gateway's administrators to allow the tenant.",
)
_INVALID_PARAMETER = Kind(SopsInvalidParameterError, "a parameter is missing or invalid")
_REFUSED_OPERATION = Kind(
    SopsInvalidOperationError,
    "SOPS refused this action on the task or node",
    "Usually its current state does not allow it: look at the task in SOPS.",
)
_BODY_TOO_BIG = Kind(SopsGatewayError, "the request is too large for the gateway", "Send smaller constants.")
_UNHANDLED = Kind(
    SopsError,
    "SOPS failed with an internal error",
    "It may have acted: check the state there. SOPS's administrators can find the cause by the trace id and the time.",
)
_REFUSED = Kind(SopsError, "SOPS refused the call")
_FOREIGN = Kind(
    SopsGatewayError,
    "the answer did not come from SOPS",
    "Check the connection's host, gateway and stage; a proxy may have answered instead of SOPS.",
)

#: Every known code: of SOPS (``gcloud/err_code.py``), of the API gateway and of ESB.
_BY_CODE: Mapping[int, Kind] = {
    3540000: _INVALID_PARAMETER,
    3546100: _INVALID_PARAMETER,
    3540100: Kind(
        SopsAuthError,
        "the user or app has no permission for this in SOPS",
        "Ask SOPS's administrators for the permission.",
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
    1640302: _ADDRESS_OR_TENANT_REFUSED,
    1640303: _USER_EXCLUDED,
    1640304: _TENANT_EXCLUDED,
    1640401: _NO_SUCH_CALL,
    1641301: _BODY_TOO_BIG,
    1306401: Kind(SopsAuthError, "ESB got no user", "Set bk_username, bk_token or access_token."),
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
    1642904: _TOO_MANY_AT_ONCE,
    1650000: _BACKEND_5XX,
}

#: The API gateway's names of errors (``errorx.lua`` in its source), where they say more than the code or the status.
_BY_CODE_NAME: Mapping[str, Kind] = {
    "IP_NOT_ALLOWED": _ADDRESS_REFUSED,
    "CROSS_TENANT_FORBIDDEN": _TENANT_REFUSED,
    "BK_USER_NOT_ALLOWED": _USER_EXCLUDED,
    "BK_TENANT_NOT_ALLOWED": _TENANT_EXCLUDED,
    "CONCURRENCY_LIMIT_RESTRICTION": _TOO_MANY_AT_ONCE,
    "REQUEST_RESOURCE_5xx": _BACKEND_5XX,
}

#: HTTP statuses, used if the code is unknown.
_BY_STATUS: Mapping[int, Kind] = {
    401: _BAD_CREDENTIALS,
    403: Kind(
        SopsAuthError,
        "access was denied",
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

#: SOPS's catch-all code.
_UNKNOWN_ERROR = 3599999
#: Calls in which the catch-all code means that the engine refused.
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
    :param conceal: removes secrets from whatever the server said. A proxy's page may echo the request's URL, which
        contains them with ESB.
    :raises SopsError: the call failed; the module ``errors`` explains each class.
    """
    body = read_body(response)
    payload = body.content
    said = payload or {}
    if response.is_success and said.get("result") is True:
        found = _trace_id(response, said)
        trace_id = found and word(found)
        unusable = unusable_as(
            SopsGatewayError,
            "A proxy may have answered instead of SOPS; SOPS's administrators can find the call by its id.",
            api=endpoint.name,
            ids=ids,
            http_status=response.status,
            trace_id=trace_id,
        )
        return Answer(said.get("data"), said, trace_id, replaced=body.replaced, unusable=unusable)
    raise refusal(
        _classify(endpoint, response.status, payload),
        response,
        payload,
        message=said.get("message"),
        conceal=conceal,
        other_words=response.header("X-Bkapi-Error-Message"),
        wait_headers=("X-Bkapi-RateLimit-Reset", "Retry-After", "RateLimit-Reset"),
        api=endpoint.name,
        ids=ids,
        code=read_code(said.get("code")),
        trace_id=_trace_id(response, said),
    )


def _classify(endpoint: Endpoint, status: int, payload: Mapping[str, Any] | None) -> Kind:
    if payload is not None:
        number = code_number(read_code(payload.get("code")))
        name = payload.get("code_name")
        if number in _GATEWAY_CODES and isinstance(name, str) and name in _BY_CODE_NAME:
            return _BY_CODE_NAME[name]
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
    """Return SOPS's trace id, or else the gateway's request id."""
    found = (
        payload.get("trace_id")
        or response.header("Sops-Trace-Id")
        or payload.get("request_id")
        or response.header("X-Bkapi-Request-Id")
    )
    return str(found) if found else None

"""Turn an HTTP response into the answer's data, or into one error that says what is wrong.

v2.1 marks success by ``code`` 0, v2.0 and the token service by ``status`` 0. Which HTTP status comes with another code
is not documented, so both are checked, the code first. Message texts are passed on, never interpreted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from airflow_provider_sops.service.answer import Answer, Kind, read_body, read_code, refusal, unusable_as
from airflow_provider_sops.service.errors import code_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.enos.endpoints import Endpoint
    from airflow_provider_sops.service.http import HttpResponse

#: Where answers carry their code. The last one is a typo in the token service's documentation.
_CODE_KEYS = ("code", "status", "stauts")


_TOKEN_REFUSED = Kind(
    EnosTokenRefusedError,
    "the gateway rejected the access token or the signature",
    "Check the SecretKey in the connection's password, and this machine's clock.",
)
_APP_REFUSED = Kind(
    EnosAuthError,
    "EnOS rejected the app",
    "Check AccessKey and SecretKey (login and password of the connection) and whether the app is registered.",
)
_INVALID_PARAMETER = Kind(EnosInvalidParameterError, "a parameter is missing or invalid")
_NO_INSTANCE = Kind(
    EnosNotFoundError,
    "there is no such instance",
    "Check the id (ids of task and flow instances look alike) and whether it belongs to the organisation org_id.",
)
_NO_LOG = Kind(EnosNoLogError, "the task instance has no log, or does not exist")
_TRIGGER_REFUSED = Kind(
    EnosTriggerRefusedError,
    "EnOS created no instance of the flow",
    "One code covers all of these: the flow or task does not exist, or the flow was triggered less than a minute ago.",
)
_SERVER_ERROR = Kind(EnosServerError, "EnOS failed with an internal error", "It may have acted: check the state there.")
_UNREACHABLE = Kind(
    EnosGatewayError, "the gateway could not get an answer from EnOS", "EnOS may have acted: check the state in EnOS."
)
_REFUSED = Kind(EnosError, "EnOS refused the call")
_FOREIGN = Kind(
    EnosGatewayError,
    "the answer did not come from EnOS",
    "Check the connection's host and api_version; a proxy may have answered instead of EnOS.",
)

_BY_CODE: Mapping[int, Kind] = {
    62101: Kind(
        EnosAuthError,
        "the user does not exist or does not belong to the organisation",
        "Check user_id and org_id of the connection.",
    ),
    62102: _INVALID_PARAMETER,
    62103: Kind(
        EnosAuthError,
        "the user has no permission for this",
        "Only a flow's owner may trigger or stop it: check user_id, or the flow's owners in EnOS.",
    ),
    62104: Kind(
        EnosInvalidOperationError, "EnOS refuses this for the flow: it has no task, or other flows depend on it"
    ),
    62105: Kind(EnosAuthError, "the user's account is locked", "Ask EnOS's administrators."),
    62109: _SERVER_ERROR,
    1001: Kind(EnosRepeatedRequestError, "the token service has already seen this request"),
    1002: _APP_REFUSED,
    1003: _APP_REFUSED,
    1004: _INVALID_PARAMETER,
    1005: _SERVER_ERROR,
    1202: _INVALID_PARAMETER,
    1203: _TOKEN_REFUSED,
    1204: Kind(EnosAuthError, "the token service did not replace the access token"),
}

#: Codes with several meanings: the call decides which.
_BY_CALL_AND_CODE: Mapping[tuple[str, int], Kind] = {
    ("get_task_instance", 62102): _NO_INSTANCE,
    ("get_flow_instance", 62102): _NO_INSTANCE,
    ("get_task_instance_log", 62102): _NO_LOG,
    ("get_task_instance_log", 62109): _NO_LOG,
    ("trigger_flow", 62102): _TRIGGER_REFUSED,
    ("trigger_flow_from_task", 62102): _TRIGGER_REFUSED,
    ("update_and_trigger_flow", 62102): _TRIGGER_REFUSED,
}

#: HTTP statuses, used if there is no EnOS code.
_BY_STATUS: Mapping[int, Kind] = {
    400: Kind(EnosInvalidParameterError, "the gateway cannot read the request"),
    401: _TOKEN_REFUSED,
    403: Kind(EnosAuthError, "the gateway denied access", "It may reject calls from this machine's address."),
    413: Kind(EnosGatewayError, "the request is too large for the gateway", "Send smaller parameters."),
    429: Kind(EnosRateLimitError, "the gateway rejected the call because of its rate limit", "It was not executed."),
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
    :param conceal: removes secrets from the server's message; a proxy's page may echo the request's headers.
    :raises EnosError: the call failed; the module ``errors`` explains each class.
    """
    body = read_body(response)
    payload = body.content
    said = payload or {}
    code = read_code(next((said[key] for key in _CODE_KEYS if said.get(key) is not None), None))
    if response.is_success and code_number(code) == 0:
        advice = "A proxy may have answered instead of EnOS."
        unusable = unusable_as(EnosGatewayError, advice, api=endpoint.name, ids=ids, http_status=response.status)
        return Answer(said.get("data"), said, replaced=body.replaced, unusable=unusable)
    raise refusal(
        _classify(endpoint, response.status, code),
        response,
        payload,
        message=said.get("msg") or said.get("message"),
        conceal=conceal,
        api=endpoint.name,
        ids=ids,
        code=code,
        request_id=str(said.get("requestId") or "") or None,
    )


def _classify(endpoint: Endpoint, status: int, code: int | str | None) -> Kind:
    number = code_number(code)
    if number is not None and number != 0:
        kind = _BY_CALL_AND_CODE.get((endpoint.name, number)) or _BY_CODE.get(number)
        if kind is not None:
            return kind
        if status < 300:
            return _REFUSED
    return _BY_STATUS.get(status, _FOREIGN)

"""The ESB: ``/api/c/compapi/v2/sops/{call}/``, ids among the parameters, always HTTP 200.

Credentials are in the header ``X-Bkapi-Authorization``, or among the parameters if it is missing. ESBs of the time of
SOPS 2019 and 2020 do not know the header.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from local_sops.api.dispatch import answer, is_id, json_response
from local_sops.gateways.credentials import UnknownAppError, UnknownUserError, check_app, find_user

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from local_sops.api.routes import Route
    from local_sops.server_state import ServerState

PREFIX = "/api/c/compapi/v2/sops/"
_CREDENTIALS = frozenset({"bk_app_code", "bk_app_secret", "bk_username", "bk_token", "access_token"})
_NO_APP, _NO_OPERATOR, _NO_COMPONENT = 20101, 1306401, 1306404
_BAD_PARAMETERS, _BACKEND_FAILED, _UNNAMED_FAILURE = 1306406, 1306201, 1306000
_RATE_LIMITED = 1306429


def handle(state: ServerState, request: Request) -> Response:
    """Answer a request; every call accepts GET and POST."""
    route = state.routes.get(request.path.removeprefix(PREFIX).rstrip("/"))
    if route is None:
        return _error(_NO_COMPONENT, f"Component not found, path: {request.path}")
    try:
        parameters = _parameters(request)
        credentials = _credentials(state, request, parameters)
        check_app(state.config, credentials)
        username = find_user(state.config, credentials)
    except (ValueError, RecursionError):
        return _error(_BAD_PARAMETERS, "Request JSON string is wrong in format, which cannot be analyzed.")
    except UnknownAppError:
        return _error(_NO_APP, "APP authentication failed, app_code or app_secret is incorrect")
    except UnknownUserError as error:
        return _error(_NO_OPERATOR, str(error))
    seconds_to_wait = state.rate_limiter.seconds_to_wait()
    if seconds_to_wait:
        return _error(_RATE_LIMITED, f"API rate limit exceeded, try again in {seconds_to_wait} s")
    missing = [name for name in route.path_ids if parameters.get(name) in (None, "")]
    if missing:
        return _error(_BAD_PARAMETERS, f"Parameters error: '{missing[0]}' required")
    texts = {name: str(parameters[name]) for name in route.path_ids}
    if not all(map(is_id, texts.values())):
        return _error(_BACKEND_FAILED, "Request backend failed: the path does not match")
    ids = {name: int(text) for name, text in texts.items()}
    return _ask_sops(state, route, username, ids, parameters)


def _ask_sops(
    state: ServerState, route: Route, username: str, ids: dict[str, int], parameters: dict[str, Any]
) -> Response:
    fault = state.outages.draw()
    if fault and not fault.after_sops:
        return _error(_BACKEND_FAILED, f"Request backend failed: HTTP {fault.status}")
    passed_on = {name: value for name, value in parameters.items() if name not in _CREDENTIALS}
    response = answer(
        state,
        route,
        username=username,
        ids=ids,
        query={name: _query_text(value) for name, value in passed_on.items()},
        raw_body=json.dumps(passed_on).encode() if route.method == "POST" else b"",
    )
    if fault or response.status_code != 200:
        status = fault.status if fault else response.status_code
        return _error(_BACKEND_FAILED, f"Request backend failed: HTTP {status}")
    content = response.get_json()
    content.setdefault("code", 0 if content["result"] else _UNNAMED_FAILURE)
    return _with_request_id(content)


def _parameters(request: Request) -> dict[str, Any]:
    if request.method == "GET":
        return dict(request.args.to_dict())
    body = json.loads(request.get_data() or b"{}")
    if not isinstance(body, dict):
        raise ValueError("not an object")
    return body


def _credentials(state: ServerState, request: Request, parameters: dict[str, Any]) -> dict[str, Any]:
    header = request.headers.get("X-Bkapi-Authorization")
    if header is None or state.config.api != "current":
        return parameters
    found = json.loads(header)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _query_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _error(code: int, message: str) -> Response:
    return _with_request_id({"result": False, "code": code, "message": message, "data": None})


def _with_request_id(content: dict[str, Any]) -> Response:
    return json_response({**content, "request_id": uuid.uuid4().hex})

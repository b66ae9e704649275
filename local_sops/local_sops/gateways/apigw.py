"""The API gateway: ``/{stage}/{call}/{ids}/``, with credentials in a header, and its own errors with HTTP statuses."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from local_sops.api.dispatch import answer, is_id, json_response, page_not_found
from local_sops.gateways.credentials import UnknownAppError, UnknownUserError, check_app, find_user

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from local_sops.config import RateLimit
    from local_sops.server_state import ServerState

_HEADER = "X-Bkapi-Authorization"
MAX_BODY_BYTES = 40 * 1024 * 1024


def handle(state: ServerState, request: Request) -> Response:
    """Answer a request; any stage is accepted."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return _error(413, 1641301, "REQUEST_BODY_SIZE_EXCEED", "Request body size too large")
    stage, _, resource = request.path.lstrip("/").partition("/")
    name, _, ids_text = resource.partition("/")
    route = state.routes.get(name)
    if not stage or route is None or route.method != request.method:
        message = f'API not found [method="{request.method}" path="/{resource}"]'
        return _error(404, 1640401, "API_NOT_FOUND", message)
    try:
        credentials = _credentials(request)
        check_app(state.config, credentials)
        username = find_user(state.config, credentials)
    except (UnknownAppError, UnknownUserError) as error:
        return _error(400, 1640001, "INVALID_ARGS", f'Parameters error [reason="{error}"]')
    seconds_to_wait = state.rate_limiter.seconds_to_wait()
    if state.rate_limiter.limit and seconds_to_wait:
        return _rate_limited(state.rate_limiter.limit, seconds_to_wait)
    parts = ids_text.split("/") if ids_text else [""]
    if len(parts) != len(route.path_ids) + 1 or parts[-1] or not resource.endswith("/"):
        return page_not_found(request.url)
    if not all(map(is_id, parts[:-1])):
        return page_not_found(request.url)
    fault = state.outages.draw()
    if fault and not fault.after_sops:
        return _error(fault.status, fault.code, fault.code_name, fault.message)
    response = answer(
        state,
        route,
        username=username,
        ids=dict(zip(route.path_ids, map(int, parts[:-1]), strict=True)),
        query=request.args.to_dict(),
        raw_body=request.get_data(),
    )
    if fault:
        return _error(fault.status, fault.code, fault.code_name, fault.message)
    response.headers["X-Bkapi-Request-Id"] = str(uuid.uuid4())
    return response


def _rate_limited(limit: RateLimit, seconds_to_wait: int) -> Response:
    response = _error(429, 1642902, "RATE_LIMIT_RESTRICTION", "API rate limit exceeded by stage strategy")
    response.headers["X-Bkapi-RateLimit-Limit"] = str(limit.requests)
    response.headers["X-Bkapi-RateLimit-Remaining"] = "0"
    response.headers["X-Bkapi-RateLimit-Reset"] = str(seconds_to_wait)
    response.headers["X-Bkapi-RateLimit-Plugin"] = "bk-stage-rate-limit"
    return response


def _credentials(request: Request) -> dict[str, Any]:
    text = request.headers.get(_HEADER, "")
    if not text:
        return {}
    try:
        credentials = json.loads(text)
    except (ValueError, RecursionError):
        credentials = None
    if not isinstance(credentials, dict):
        raise UnknownAppError(f"request header {_HEADER} is not a valid JSON")
    return credentials


def _error(status: int, code: int, code_name: str, message: str) -> Response:
    """Build an error of the gateway itself."""
    response = json_response(
        {"code": code, "code_name": code_name, "message": message, "data": None, "result": False}, status
    )
    response.headers["X-Bkapi-Error-Code"] = str(code)
    response.headers["X-Bkapi-Error-Message"] = message.encode("unicode_escape").decode()
    response.headers["X-Bkapi-Request-Id"] = str(uuid.uuid4())
    return response

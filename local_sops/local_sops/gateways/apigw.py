"""The API gateway: ``/{stage}/{call}/{ids}/``, with credentials in a header, and its own errors with HTTP statuses.

From 3.35 on most calls exist twice: as *plain* resources, and below ``system/`` as *app resources* for apps without a
user. On a platform with several tenants the app here belongs to all of them, so each request must name its tenant, and
plain resources want a verified user.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_sops.api.dispatch import answer, is_id, json_response, page_not_found
from local_sops.config import TENANT
from local_sops.gateways.credentials import UnknownAppError, UnknownUserError, check_app, find_user

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from local_sops.api.routes import Route
    from local_sops.config import RateLimit
    from local_sops.server_state import ServerState

_HEADER = "X-Bkapi-Authorization"
_TENANT_HEADER = "X-Bk-Tenant-Id"
_APP_RESOURCES = "system/"
MAX_BODY_BYTES = 40 * 1024 * 1024
_WITHOUT_APP_RESOURCE = frozenset(
    {
        "claim_functionalization_task",
        "create_and_start_task",
        "get_clocked_task_list",
        # Of these SOPS's own list of resources says nothing; create_template is no resource of any gateway.
        "create_template",
        "get_plugin_detail",
    }
)
"""Calls that exist only for users."""
_GRANTED_SEPARATELY = frozenset({"get_task_node_log"})
"""Calls whose app resource only an administrator can grant; here nobody has."""


class _RejectedError(Exception):
    """A request that the gateway answers itself."""

    def __init__(self, status: int, code: int, code_name: str, message: str) -> None:
        super().__init__(message)
        self.response = _error(status, code, code_name, message)


@dataclass(frozen=True, slots=True)
class _Resource:
    """A resource of the gateway.

    :param for_apps: whether it is an app resource.
    :param ids_text: the rest of the path, with the ids.
    """

    route: Route
    for_apps: bool
    ids_text: str


def handle(state: ServerState, request: Request) -> Response:
    """Answer a request; any stage is accepted."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return _error(413, 1641301, "REQUEST_BODY_SIZE_EXCEED", "Request body size too large")
    try:
        resource = _resource(state, request)
        username = _caller(state, request, resource)
        tenant = _tenant(state, request)
    except _RejectedError as rejected:
        return rejected.response
    seconds_to_wait = state.rate_limiter.seconds_to_wait()
    if state.rate_limiter.limit and seconds_to_wait:
        return _rate_limited(state.rate_limiter.limit, seconds_to_wait)
    route, parts = resource.route, resource.ids_text.split("/") if resource.ids_text else [""]
    if len(parts) != len(route.path_ids) + 1 or parts[-1] or not request.path.endswith("/"):
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
        tenant=tenant,
    )
    if fault:
        return _error(fault.status, fault.code, fault.code_name, fault.message)
    response.headers["X-Bkapi-Request-Id"] = str(uuid.uuid4())
    return response


def _resource(state: ServerState, request: Request) -> _Resource:
    stage, _, path = request.path.lstrip("/").partition("/")
    for_apps = state.config.age.has_app_resources and path.startswith(_APP_RESOURCES)
    name, _, ids_text = path.removeprefix(_APP_RESOURCES if for_apps else "").partition("/")
    route = None if for_apps and name in _WITHOUT_APP_RESOURCE else state.routes.get(name)
    if not stage or route is None or route.method != request.method:
        message = f'API not found [method="{request.method}" path="/{path}"]'
        raise _RejectedError(404, 1640401, "API_NOT_FOUND", message)
    return _Resource(route, for_apps, ids_text)


def _caller(state: ServerState, request: Request, resource: _Resource) -> str:
    trust = None if not (state.config.multi_tenant or resource.for_apps) else resource.for_apps
    try:
        credentials = _credentials(request)
        check_app(state.config, credentials)
        username = find_user(state.config, credentials, trusts_names=trust)
    except (UnknownAppError, UnknownUserError) as error:
        reason = f'Parameters error [reason="{error}"]'
        raise _RejectedError(400, 1640001, "INVALID_ARGS", reason) from error
    if resource.for_apps and resource.route.name in _GRANTED_SEPARATELY:
        raise _RejectedError(403, 1640301, "APP_NO_PERMISSION", "App has no permission to the resource")
    return username


def _tenant(state: ServerState, request: Request) -> str:
    tenant = request.headers.get(_TENANT_HEADER, "") if state.config.age.has_app_resources else ""
    if state.config.multi_tenant and not tenant:
        message = f"Cross-tenant calls are forbidden: the app has no tenant, and {_TENANT_HEADER} names none"
        raise _RejectedError(403, 1640302, "CROSS_TENANT_FORBIDDEN", message)
    return tenant or TENANT


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

"""Dispatch a request that passed a gateway to its view."""

from __future__ import annotations

import json
import logging
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.utils.functional import Promise
from werkzeug.wrappers import Response

from local_sops.api.call import Answer, Call, Code, Refusal, ServerFaultError
from local_sops.api.old_answers import old_answer, old_call, old_envelope
from local_sops.config import PROJECTS, Project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.api.routes import Route
    from local_sops.server_state import ServerState

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 25 * 1024 * 1024
"""SOPS reads no more of a body, and then rejects it as invalid JSON."""


def json_response(content: Mapping[str, Any], status: int = 200) -> Response:
    """Build an answer in SOPS's format."""
    text = json.dumps(content, default=_as_text)
    return Response(text, status=status, content_type="application/json")


def _as_text(value: Any) -> str:
    """Serialise values that are not JSON: a translated text, or an object like the value of a table variable."""
    return str(value) if isinstance(value, Promise) or not hasattr(value, "__dict__") else str(vars(value))


def is_id(text: str) -> bool:
    """Whether a text is an id: a number of at most 64 bits."""
    return text.isascii() and text.isdigit() and len(text) < len(str(2**63))


def page_not_found(url: str) -> Response:
    """SOPS redirects unmatched paths, including ids that are not numbers, to a web page."""
    location = f"/?page_not_found={quote(url, safe='/')}"
    return Response(status=302, headers={"Location": location}, content_type="text/html; charset=utf-8")


def answer(
    state: ServerState,
    route: Route,
    *,
    username: str,
    ids: Mapping[str, int],
    query: Mapping[str, str],
    raw_body: bytes,
) -> Response:
    """Answer a call.

    :param ids: the path's ids by name.
    :param query: without credentials.
    :param raw_body: the body, JSON or not.
    """
    content, status = _content(state, route, username=username, ids=ids, query=query, raw_body=raw_body)
    return json_response(old_envelope(content) if state.config.api == "2019" else content, status)


def _content(
    state: ServerState,
    route: Route,
    *,
    username: str,
    ids: Mapping[str, int],
    query: Mapping[str, str],
    raw_body: bytes,
) -> tuple[Mapping[str, Any], int]:
    trace = {"trace_id": uuid.uuid4().hex} if route.traced else {}
    try:
        body = _parsed(raw_body) if route.method == "POST" else {}
        project = _project(ids.get("bk_biz_id"), (body if route.method == "POST" else query).get("scope"))
        call = Call(route.name, username, ids, query, raw_body, body, project, state)
        return {**_answer(call, route), **trace}, 200
    except Refusal as refusal:
        return {**refusal.answer, **(trace if refusal.traced else {})}, 200
    except ServerFaultError:
        return {"result": False, "code": "50000", "message": "系统异常,请联系管理员处理", "data": None}, 500
    except Exception as error:
        # Parameters that no view expects; most of SOPS's views answer so.
        logger.exception("%s %s failed", route.name, dict(ids))
        return {"result": False, "code": Code.UNKNOWN, "message": f"{type(error).__name__}: {error}", **trace}, 200


def _answer(call: Call, route: Route) -> Answer:
    if call.state.config.api == "current":
        return call.state.caches.answer(call, route.view)
    asked = old_call(call)
    return old_answer(asked, call.state.caches.answer(asked, route.view))


def _parsed(raw_body: bytes) -> dict[str, Any]:
    if not raw_body:
        return {}
    try:
        body = json.loads(raw_body) if len(raw_body) <= MAX_BODY_BYTES else None
        # A lone surrogate, which no database takes, is a ValueError too.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal("invalid param format", Code.BAD_PARAMETER, traced=False)
    return body


def _project(business_id: int | None, scope: Any) -> Project:
    """Find the project of a call: by business, or for any other scope by its own id."""
    if business_id is None:
        return PROJECTS[0]
    scope = scope or "cmdb_biz"
    by_business = scope == "cmdb_biz"
    for project in PROJECTS:
        if business_id == (project.bk_biz_id if by_business else project.id):
            return project
    message = f"project({business_id}) with scope({scope}) does not exist."
    raise Refusal(message, Code.NOT_FOUND, traced=False)

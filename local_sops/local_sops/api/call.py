"""A call as passed to the views, and their answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.config import Project
    from local_sops.server_state import ServerState

Answer = dict[str, Any]
"""The JSON object of an answer."""


class Code:
    """SOPS's own error codes."""

    SUCCESS = 0
    BAD_PARAMETER = 3540000
    NOT_FOUND = 3540400
    INVALID_OPERATION = 3545000
    VALIDATION = 3546100
    UNKNOWN = 3599999


class Refusal(Exception):  # noqa: N818 - an answer, not a program error
    """A business error: HTTP 200 with ``result`` false.

    :param message: the server's message; for invalid form fields, a message per field.
    :param code: one of :class:`Code`.
    :param traced: whether the answer has a trace id: answers before a view is reached have none.
    :param extra: more keys of the answer, usually ``data``.
    """

    def __init__(self, message: str | dict[str, list[str]], code: int, *, traced: bool = True, **extra: Any) -> None:
        super().__init__(message)
        self.traced = traced
        self.answer: Answer = {"result": False, "message": message, "code": code, **extra}


class ServerFaultError(Exception):
    """An error that SOPS does not handle: it answers HTTP 500."""


def not_found(kind: str, key: int) -> Refusal:
    """Build the refusal for a missing task or template.

    :param kind: the server's class: ``TaskFlowInstance``, ``TaskTemplate`` or ``CommonTemplate``.
    """
    message = f"数据不存在错误: 数据不存在错误, 错误内容 {kind}(id={key}) does not exist. | process_exception"
    return Refusal(message, Code.NOT_FOUND, traced=False, data=None)


def success(data: Any, **extra: Any) -> Answer:
    """Build a successful answer.

    :param extra: more keys: a few calls also return ``message``, ``count`` or ``task_url``.
    """
    return {"result": True, "data": data, "code": Code.SUCCESS, **extra}


@dataclass(frozen=True, slots=True)
class Call:
    """One call, past the gateway.

    :param name: of the API, ``create_task``.
    :param username: the caller.
    :param ids: the ids of the path by name, ``task_id``.
    :param query: the query's parameters, all strings.
    :param raw_body: the body as sent.
    :param body: the body, a JSON object; empty if there was none.
    :param project: of ``bk_biz_id`` and ``scope``; the default project for calls without one.
    :param state: the server's templates, tasks, engine and settings.
    """

    name: str
    username: str
    ids: Mapping[str, int]
    query: Mapping[str, str]
    raw_body: bytes
    body: Mapping[str, Any]
    project: Project
    state: ServerState

    def require_body(self) -> None:
        """Refuse a call without a body, as SOPS does."""
        if not self.raw_body:
            message = "非法请求: 数据错误, 请求不是合法的Json格式 | validate"
            raise Refusal(message, Code.BAD_PARAMETER, traced=False, data=None)

    def query_flag(self, name: str) -> bool:
        """Whether a flag of the query is set; any non-empty text sets it, even ``false``."""
        return bool(self.query.get(name))

    def query_json(self, name: str, default: Any) -> Any:
        """Read a JSON value from the query."""
        text = self.query.get(name)
        return json.loads(text) if text else default

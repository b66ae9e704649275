"""Passwords in the words by which SOPS refuses a call: it may quote a constant, an input or a rendered text.

Which texts are passwords is told by the task that the call is about, or by the template that a task is made from, so
one of them is read. What a proxy answers may echo the request, so whatever values the request has are hidden in it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.service.secrets import Secrets, secret_texts
from airflow_provider_sops.sops.calls import tasks, templates
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsConnectionError,
    SopsGatewayError,
    SopsNotFoundError,
    SopsRateLimitError,
)
from airflow_provider_sops.sops.models import TaskDetail, Template
from airflow_provider_sops.sops.task_secrets import WITHHELD, TaskSecrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.calls import Call
    from airflow_provider_sops.service.http import HttpRequest
    from airflow_provider_sops.sops.errors import SopsError

#: Calls that send or read values of variables.
_ABOUT_TASK = frozenset(
    {
        "start_task",
        "operate_task",
        "operate_node",
        "node_callback",
        "claim_functionalization_task",
        "get_task_node_detail",
        "get_task_node_data",
        "get_task_node_log",
    }
)
_FROM_TEMPLATE = frozenset(
    {"create_task", "create_and_start_task", "create_periodic_task", "create_clocked_task", "preview_task_tree"}
)
#: Parameters that hold such values.
_VALUES = ("constants", "inputs", "data", "callback_data", "task_params")
#: More values than these cannot be looked for in a moment.
_MOST_TEXTS, _LONGEST_TEXT = 200, 5_000
#: Errors that are not SOPS's own words about values.
_NOT_ABOUT_VALUES = (SopsAuthError, SopsConnectionError, SopsGatewayError, SopsNotFoundError, SopsRateLimitError)


def source_of_passwords(request: HttpRequest, error: SopsError) -> Call[TaskDetail] | Call[Template] | None:
    """Return the call that tells which passwords the error may quote; ``None`` if it can quote none."""
    if not error.server_message or isinstance(error, _NOT_ABOUT_VALUES):
        return None
    ids, given = request.ids, _parameters(request)
    call: Call[TaskDetail] | Call[Template] | None = None
    if request.api in _ABOUT_TASK and "task_id" in ids:
        call = tasks.get_task_detail(ids["task_id"])
    elif request.api in _FROM_TEMPLATE and "template_id" in ids:
        source = "common" if given.get("template_source") == "common" else None
        call = templates.get_template_info(ids["template_id"], template_source=source, unfold_subprocess=True)
    if call is None:
        return None
    place = {"bk_biz_id": ids.get("bk_biz_id"), "scope": given.get("scope")}
    return replace(call, parameters={**call.parameters, **place})


def hide_passwords(request: HttpRequest, error: SopsError, source: TaskDetail | Template | None) -> None:
    """Hide in an error's words the passwords of the task or template that its call was about.

    :param source: the answer to the call of ``source_of_passwords``; ``None`` if there is no such call, or no answer.
    """
    words = error.server_message
    if not words:
        return
    given = _parameters(request)
    texts = {text for name in _VALUES for text in secret_texts(given.get(name))}
    is_foreign = isinstance(error, (SopsConnectionError, SopsGatewayError))
    if is_foreign or source_of_passwords(request, error) is None:
        if is_foreign:
            error.server_message = _hidden(words, texts)
        return
    if source is None:
        error.server_message = WITHHELD
        return
    detail = _as_made(source, given) if isinstance(source, Template) else source
    secrets = TaskSecrets([detail])
    if secrets.exist and isinstance(source, TaskDetail):
        words = _hidden(words, texts)
    error.server_message = secrets.message(words)


def _as_made(template: Template, given: Mapping[str, Any]) -> TaskDetail:
    """Return what a template's task would tell, had it been created with what was given."""
    tree = read_mapping(given.get("pipeline_tree")) or template.pipeline_tree
    values = read_mapping(given.get("constants"))
    constants = {
        key: {**read_mapping(raw), "value": values[key]} if key in values and is_password(raw) else raw
        for key, raw in read_mapping(tree.get("constants")).items()
    }
    whole = {**tree, "constants": constants}
    return TaskDetail.read({"constants": constants, "pipeline_tree": whole})


def _hidden(words: str, texts: set[str]) -> str:
    if len(texts) > _MOST_TEXTS or any(len(text) > _LONGEST_TEXT for text in texts):
        return WITHHELD
    return str(Secrets(texts).hide_in(words))


def _parameters(request: HttpRequest) -> Mapping[str, Any]:
    if request.body is None:
        return dict(parse_qsl(urlsplit(request.url).query))
    try:
        return read_mapping(json.loads(request.body))
    except ValueError:
        return {}

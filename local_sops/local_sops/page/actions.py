"""The actions on a task's page, done by the functions that answer operate_task, operate_node and node_callback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local_sops.api.call import Refusal
from local_sops.api.operations import node_callback, operate_node, operate_task
from local_sops.page.task_page import Complaint, call_for, task_page
from local_sops.page.words import t

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.wrappers import Response

    from local_sops.api.call import Answer, Call
    from local_sops.server_state import ServerState
    from local_sops.store.models import Task

_TASK_ACTIONS = ("start", "pause", "resume", "revoke")


class _NoJsonError(Exception):
    """The input is not a JSON object."""


def act(state: ServerState, task: Task, username: str, form: Mapping[str, str]) -> Response | None:
    """Execute a form's action.

    :returns: None on success; otherwise the page, with the reason and the input.
    """
    node_id, action = form.get("node", ""), form.get("do", "")
    try:
        view, body = _asked(node_id, action, form)
        view(call_for(state, task, username, **body))
    except _NoJsonError as error:
        complaint = Complaint(action, str(error), form.get("typed", ""))
    except Refusal as refusal:
        complaint = Complaint(action, _reason(refusal), form.get("typed", ""))
    else:
        return None
    return task_page(state, task, username, node_id=node_id, complaint=complaint)


def _asked(node_id: str, action: str, form: Mapping[str, str]) -> tuple[Callable[[Call], Answer], dict[str, Any]]:
    """Find the call for a form, and its body."""
    if not node_id and action in _TASK_ACTIONS:
        return operate_task, {"action": action}
    if action in ("approve", "reject"):
        return node_callback, {"node_id": node_id, "callback_data": {"approve_result": action == "approve"}}
    if action == "callback":
        return node_callback, {"node_id": node_id, "callback_data": _typed(form)}
    body = {"node_id": node_id, "action": action}
    # Unchanged inputs are not sent, so the node reads its variables again.
    if action == "retry" and form.get("typed", "").split() != form.get("offered", "").split():
        body["inputs"] = _typed(form)
    if action == "skip_exg":
        body["flow_id"] = form.get("flow", "")
    return operate_node, body


def _typed(form: Mapping[str, str]) -> Any:
    try:
        typed = json.loads(form.get("typed", "") or "{}")
    except (ValueError, RecursionError) as error:
        raise _NoJsonError(t("This is not JSON: {error}", error=error)) from error
    if not isinstance(typed, dict):
        raise _NoJsonError(t('This is not a JSON object, for example {"key": "value"}.'))
    return typed


def _reason(refusal: Refusal) -> str:
    """Shorten a refusal to its reason; for the engine, that is the last line of a traceback."""
    lines = str(refusal.answer["message"]).strip().splitlines()
    return lines[-1] if lines else "refused"

"""The routes of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect

from local_sops.api.dispatch import is_id
from local_sops.page.actions import act
from local_sops.page.protection import refusal, user_of
from local_sops.page.rendering import page, static_file
from local_sops.page.task_list import task_list
from local_sops.page.task_page import task_page
from local_sops.page.words import choose_language
from local_sops.store.models import Task

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from local_sops.server_state import ServerState

_ADDRESSES = Map(
    [
        Rule("/", endpoint="list", methods=["GET"]),
        Rule("/taskflow/execute/<int(max=2147483647):project_id>/", endpoint="task", methods=["GET", "POST"]),
        Rule("/page/<name>", endpoint="static", methods=["GET"]),
    ],
    redirect_defaults=False,
    strict_slashes=False,
)
MAX_FORM_BYTES = 2 * 1024 * 1024


def handle(state: ServerState, request: Request) -> Response | None:
    """Answer a request for the page; None for any other request."""
    try:
        address, parts = _ADDRESSES.bind_to_environ(request.environ).match()
    except HTTPException:
        return None
    if address == "static":
        return static_file(parts["name"])
    refused = refusal(state.config, request)
    if refused is not None:
        return refused
    choose_language(request)
    try:
        return task_list(state, request) if address == "list" else _task(state, request, parts["project_id"])
    except HTTPException as error:
        # A form that is too large.
        return error.get_response()


def _task(state: ServerState, request: Request, project_id: int) -> Response:
    request.max_form_memory_size = request.max_content_length = MAX_FORM_BYTES
    text = request.args.get("instance_id", "")
    task_id = int(text) if is_id(text) else None
    task: Task | None = Task.objects.filter(pk=task_id, project_id=project_id).first()
    if task is None:
        return page("no_task.html", task_id=text, status=404)
    username = user_of(request)
    if request.method == "GET":
        return task_page(state, task, username, node_id=request.args.get("node", ""))
    node_id = request.form.get("node", "")
    complained = act(state, task, username, request.form)
    if complained is not None:
        return complained
    return redirect(state.task_life.path_of(task) + (f"&node={node_id}" if node_id.isalnum() else ""), 303)

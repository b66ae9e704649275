"""The page of one task: its state, its nodes, and on request one node with its data and actions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bamboo_engine import states
from pipeline.component_framework.library import ComponentLibrary

from local_sops.api.call import Call
from local_sops.api.nodes import get_task_node_detail
from local_sops.config import PROJECTS
from local_sops.page.flow import APPROVE, SUBPROCESS_PLUGIN, NodeRow, node_rows
from local_sops.page.picture import level_of, picture
from local_sops.page.rendering import page
from local_sops.page.task_list import CREATED, shown_time, state_of
from local_sops.runtime.task_life import EXECUTE_TASK
from local_sops.runtime.task_outputs import task_outputs
from local_sops.status_tree import NODE_SUSPENDED, read_status
from local_sops.store.models import Task
from local_sops.times import elapsed_seconds
from local_sops.trees.nodes import node_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from werkzeug.wrappers import Response

    from local_sops.server_state import ServerState

TASK_ACTIONS = {
    CREATED: ("start",),
    states.RUNNING: ("pause", "revoke"),
    states.FAILED: ("pause", "revoke"),
    NODE_SUSPENDED: ("pause", "revoke"),
    states.SUSPENDED: ("resume", "revoke"),
}
"""The actions on a task, by its state."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why an action failed, shown with the input.

    :param action: the requested action.
    """

    action: str
    text: str
    typed: str = ""


@dataclass(frozen=True, slots=True)
class NodePanel:
    """One node with its data.

    :param inputs: of the latest attempt, as JSON.
    :param actions: its current actions.
    :param branches: flow id -> name, for a failed gateway at which a person may choose.
    :param child_url: the page of the task that runs an independent subprocess.
    """

    row: NodeRow
    inputs: str
    outputs: Sequence[Mapping[str, Any]]
    ex_data: str
    tries: Sequence[Mapping[str, Any]]
    log: str
    actions: frozenset[str]
    branches: Mapping[str, str]
    child_url: str


def call_for(
    state: ServerState, task: Task, username: str, *, query: Mapping[str, str] | None = None, **body: Any
) -> Call:
    """Build the API call for an action of the page.

    :param query: for a call that reads.
    :param body: for a call that acts.
    """
    project = next(project for project in PROJECTS if project.id == task.project_id)
    ids = {"task_id": task.pk, "bk_biz_id": project.bk_biz_id}
    return Call("page", username, ids, query or {}, json.dumps(body).encode(), body, project, state)


def task_page(
    state: ServerState, task: Task, username: str, *, node_id: str = "", complaint: Complaint | None = None
) -> Response:
    """Show a task.

    :param node_id: the node to show in detail.
    :param complaint: why the last action failed.
    """
    zone = state.config.timezone
    tree = task.tree
    status = None if task.is_expired else read_status(task.instance_id, zone)
    rows = node_rows(state.runtime, tree, status)
    task_state = state_of(task, {task.instance_id: status} if status else {})
    chosen = next((row for row in rows if row.id == node_id), None)
    path, drawn = state.task_life.path_of(task), level_of(chosen)
    return page(
        "task.html",
        status=409 if complaint else 200,
        task=task,
        project=next(project.name for project in PROJECTS if project.id == task.project_id),
        path=path,
        task_state=task_state,
        milestones=[
            ("created", task.creator, shown_time(task.create_time, zone)),
            ("started", task.executor, shown_time(task.start_time, zone)),
            ("finished", "", shown_time(task.finish_time, zone)),
        ],
        zone=zone.key,
        elapsed=elapsed_seconds(task.start_time, task.finish_time) if task.start_time else None,
        actions=TASK_ACTIONS.get(task_state, ()) if _is_operable(task, task_state) else (),
        rows=rows,
        above=[row for row in rows if row.id in drawn],
        drawing=picture(tree, rows, path, chosen=chosen, is_finished=task.is_finished or task.is_revoked),
        constants=tree["constants"].values(),
        outputs=task_outputs(state.runtime, task),
        panel=_panel(state, task, username, chosen) if chosen and not task.is_expired else None,
        complaint=complaint,
        shown=shown,
    )


def shown(value: Any) -> str:
    """Format a JSON value for people; a string is unchanged."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)


def _is_operable(task: Task, task_state: str) -> bool:
    return task.current_flow == EXECUTE_TASK and not (task_state == CREATED and task.is_started)


def _panel(state: ServerState, task: Task, username: str, row: NodeRow) -> NodePanel:
    node = node_at(task.tree, row.id, row.path)
    component = node.get("component", {})
    known = component.get("version", "legacy") in ComponentLibrary.versions(component.get("code", ""))
    query = {"node_id": row.id, "subprocess_stack": json.dumps(row.path)}
    if known:
        query["component_code"] = component["code"]
    detail = get_task_node_detail(call_for(state, task, username, query=query))["data"]
    inputs = {key: value for key, value in detail["inputs"].items() if not key.startswith("_")}
    return NodePanel(
        row=row,
        inputs=json.dumps(inputs, ensure_ascii=False, indent=2, default=str),
        outputs=[one for one in detail["outputs"] if _is_telling(one)],
        ex_data=shown(detail["ex_data"] or ""),
        tries=detail.get("histories", ()),
        # The engine's lines, which the API returns too, contain the flow's passwords.
        log=state.runtime.get_plain_log_for_node(row.id),
        actions=frozenset(_actions(task, node, row)),
        branches=_branches(node, row),
        child_url=_child_url(state, node, detail["outputs"]),
    )


def _is_telling(output: Mapping[str, Any]) -> bool:
    """Whether an output is set and the plugin's own: the engine adds some, and the error is shown separately."""
    key = str(output["key"])
    return not key.startswith("_") and key != "ex_data" and output["value"] not in ("", None)


def _actions(task: Task, node: Mapping[str, Any], row: NodeRow) -> list[str]:
    """List a node's actions by their API names; approving is a callback with its own form."""
    if task.is_finished or not task.is_started or row.type == "SubProcess":
        return []
    actions = []
    is_activity = row.type == "ServiceActivity"
    if row.state == states.FAILED and is_activity:
        actions += ["retry"] if node.get("retryable", True) else []
        actions += ["skip"] if node.get("skippable", True) else []
    if row.state == states.RUNNING and is_activity:
        if row.waits:
            actions.append("approve" if row.kind == APPROVE else "callback")
        actions.append("forced_fail")
    if row.state == states.SUSPENDED:
        actions.append("resume")
    if not row.state and is_activity and not task.is_revoked:
        actions.append("pause")
    return actions


def _branches(node: Mapping[str, Any], row: NodeRow) -> dict[str, str]:
    if row.state != states.FAILED or row.type != "ExclusiveGateway":
        return {}
    conditions = node["conditions"].items()
    return {flow_id: str(condition.get("name") or condition["evaluate"]) for flow_id, condition in conditions}


def _child_url(state: ServerState, node: Mapping[str, Any], outputs: Sequence[Mapping[str, Any]]) -> str:
    if node.get("component", {}).get("code") != SUBPROCESS_PLUGIN:
        return ""
    child_id = next((one["value"] for one in outputs if one["key"] == "task_id"), None)
    child = Task.objects.filter(pk=child_id).first() if child_id else None
    return state.task_life.path_of(child) if child else ""

"""States of tasks: get_task_status, get_tasks_status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bamboo_engine import states
from django.db.models import F

from local_sops.api.call import Answer, Call, Code, Refusal, ServerFaultError, success
from local_sops.api.tasks import find_task
from local_sops.status_tree import Status, created_status, read_status, read_subtree, statuses_of, with_names
from local_sops.store.models import AutoRetry, Task
from local_sops.times import format_time, format_time_or_empty
from local_sops.trees.nodes import activity_names

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TASKS = 50
EXPIRED_STATUS = {"state": "EXPIRED"}
"""The status of an expired task."""


def get_task_status(call: Call) -> Answer:
    """Return the state of one task and of the nodes it has reached."""
    task_id = call.ids["task_id"]
    find_task(call, any_project=True)
    task = Task.objects.filter(pk=task_id, project_id=call.project.id).first()
    if task is None:
        message = f"task[id={task_id}] get status error: TaskFlowInstance matching query does not exist."
        raise Refusal(message, Code.UNKNOWN)
    if task.is_expired:
        _refuse_details_of_created(call)
        return success({**EXPIRED_STATUS, "name": task.name}, message="")
    subprocess_id = call.query.get("subprocess_id")
    zone = call.state.config.timezone
    if subprocess_id:
        status = read_subtree(task.instance_id, subprocess_id, zone)
        # SOPS looks the names up among the root's nodes only.
        names: Mapping[str, str] = {}
    else:
        status = read_status(task.instance_id, zone)
        names = activity_names(task.tree)
    if status is None:
        _refuse_details_of_created(call)
        return success({**created_status(), "name": task.name}, message="")
    with_names(status, names)
    _add_details(call, status)
    status["name"] = task.name
    return success(status, message="")


def get_tasks_status(call: Call) -> Answer:
    """Return the states of up to 50 tasks, newest first; ids of other projects are left out."""
    task_ids = call.body.get("task_id_list", [])
    if not isinstance(task_ids, list):
        raise Refusal("task_id_list must be a list", Code.BAD_PARAMETER)
    if len(task_ids) > MAX_TASKS:
        message = f"task_id_list is too long, maximum length is {MAX_TASKS}"
        raise Refusal(message, Code.BAD_PARAMETER)
    try:
        wanted = [int(task_id) for task_id in task_ids]
    except (TypeError, ValueError) as error:
        raise ServerFaultError(str(error)) from error
    tasks = list(Task.objects.filter(pk__in=wanted, project_id=call.project.id).order_by("-pk"))
    with_children = bool(call.body.get("include_children_status"))
    found = statuses_of([task.instance_id for task in tasks], call.state.config.timezone)
    # On the server all unstarted tasks share one status, so all show the name of the last one.
    shared = created_status()
    if not with_children:
        del shared["children"]
    statuses = [dict(EXPIRED_STATUS) if task.is_expired else found.get(task.instance_id, shared) for task in tasks]
    return success([_item(call, task, status, with_children) for task, status in zip(tasks, statuses, strict=True)])


def _item(call: Call, task: Task, status: Status, with_children: bool) -> dict[str, Any]:
    zone = call.state.config.timezone
    if with_children and "children" in status:
        with_names(status, activity_names(task.tree))
    else:
        status.pop("children", None)
    status["name"] = task.name
    return {
        "id": task.pk,
        "name": task.name,
        "status": status,
        "flow_type": task.flow_type,
        "current_flow": task.current_flow,
        "is_deleted": False,
        "create_time": format_time(task.create_time, zone),
        "start_time": format_time_or_empty(task.start_time, zone),
        "finish_time": format_time_or_empty(task.finish_time, zone),
        "url": call.state.task_life.url_of(task),
    }


def _refuse_details_of_created(call: Call) -> None:
    if call.query_flag("with_failed_node_info") or call.query_flag("with_auto_retry_status"):
        message = f"task[id={call.ids['task_id']}] extract failed node info error: 'id'"
        raise Refusal(message, Code.UNKNOWN)


def _add_details(call: Call, status: Status) -> None:
    """Add the parts requested by the ``with_`` flags."""
    failed = _failed_nodes(status)
    if call.query_flag("with_ex_data") and status["state"] == states.FAILED:
        status["ex_data"] = {node_id: _ex_data(call, node_id) for node_id in failed}
    with_failed_node_info = call.query_flag("with_failed_node_info")
    with_auto_retry_status = call.query_flag("with_auto_retry_status")
    if not (with_failed_node_info or with_auto_retry_status):
        return
    rules = {rule.node_id: rule for rule in AutoRetry.objects.filter(node_id__in=failed)}
    if with_failed_node_info:
        status["failed_node_info"] = {node_id: _retry_info(rules.get(node_id)) for node_id in failed}
    if with_auto_retry_status:
        pending = AutoRetry.objects.filter(node_id__in=failed, retry_times__lt=F("max_retry_times"))
        pending_ids = set(pending.values_list("node_id", flat=True))
        status["auto_retry_status"] = {
            "exist_auto_retry_nodes": bool(pending_ids),
            "auto_retry_nodes": [node_id for node_id in failed if node_id in pending_ids],
        }


def _failed_nodes(status: Status) -> list[str]:
    """List the failed nodes of a tree, except those that failed only because of a node inside them."""
    failed: list[str] = []
    for node_id, child in status["children"].items():
        if child["state"] != states.FAILED:
            continue
        failed.extend(_failed_nodes(child) if child["children"] else [node_id])
    return failed


def _ex_data(call: Call, node_id: str) -> Any:
    return call.state.runtime.get_execution_data_outputs(node_id).get("ex_data", "")


def _retry_info(rule: AutoRetry | None) -> dict[str, Any]:
    if rule is None:
        return {}
    return {
        "node_id": rule.node_id,
        "auto_retry_times": rule.retry_times,
        "max_auto_retry_times": rule.max_retry_times,
    }

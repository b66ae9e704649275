"""Tasks: start, detail, list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import QuerySet, Value
from django.db.models.functions import StrIndex
from django.utils.dateparse import parse_datetime

from local_sops.api.call import Answer, Call, Code, Refusal, not_found, success
from local_sops.store.models import Task
from local_sops.times import elapsed_seconds, format_iso_time, format_time, format_time_or_empty

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_LIMIT, MAX_LIMIT = 100, 200
_ACTIONS = ["task_view", "task_edit", "task_operate", "task_claim", "task_delete", "task_clone"]


def find_task(call: Call, *, any_project: bool = False) -> Task:
    """Find the task of the path.

    :param any_project: whether one of another project will do.
    :raises Refusal: there is none.
    """
    task_id = call.ids["task_id"]
    task: Task | None = Task.objects.filter(pk=task_id).first()
    if task is None or not (any_project or task.project_id == call.project.id):
        raise not_found("TaskFlowInstance", task_id)
    return task


def start_task(call: Call) -> Answer:
    """Ask for a task's start. Accepted until a worker has taken it; the task runs once all the same."""
    task = find_task(call)
    if task.is_started:
        raise Refusal("task already started", Code.INVALID_OPERATION)
    call.state.task_life.request_start(task, call.username)
    task_url = call.task_url(task.project_id, task.pk)
    return success({"task_url": task_url}, task_url=task_url)


def get_task_detail(call: Call) -> Answer:
    """Describe a task with its tree, constants and, once it is finished, its outputs."""
    task = find_task(call)
    zone = call.state.config.timezone
    tree = task.tree
    return success(
        {
            "id": task.pk,
            "project_id": task.project_id,
            "project_name": call.project.name,
            "name": task.name,
            "create_time": format_time(task.create_time, zone),
            "creator": task.creator,
            "create_method": task.create_method,
            "template_id": int(task.template_id),
            "start_time": format_time_or_empty(task.start_time, zone),
            "finish_time": format_time_or_empty(task.finish_time, zone),
            "executor": task.executor,
            "elapsed_time": elapsed_seconds(task.start_time, task.finish_time),
            "pipeline_tree": tree,
            "task_url": call.task_url(task.project_id, task.pk),
            "constants": tree["constants"],
            "outputs": task_outputs(call, task, tree["constants"]),
            "ex_data": "",
        }
    )


def task_outputs(call: Call, task: Task, constants: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the outputs of a finished task; none of any other."""
    if not task.is_finished:
        return []
    values = call.state.runtime.get_execution_data_outputs(task.instance_id)
    return [
        {"key": key, "value": value, "name": constants[key]["name"]}
        for key, value in values.items()
        if key in constants
    ]


def get_task_list(call: Call) -> Answer:
    """List a page of a project's tasks, newest first, with the count of all that match."""
    zone = _expected_zone(call)
    tasks = _filtered(call)
    offset = _number(call, "offset", 0)
    limit = min(_number(call, "limit", DEFAULT_LIMIT), MAX_LIMIT)
    page = tasks.order_by("-pk")[offset : offset + limit]
    return success([_list_item(call, task, zone) for task in page], count=tasks.count())


def _expected_zone(call: Call) -> ZoneInfo | None:
    name = call.query.get("expected_timezone")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"expected_timezone {name} is unknown."
        raise Refusal(message, Code.VALIDATION, traced=False, data="") from None


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    try:
        return max(int(text), 0) if text else default
    except ValueError:
        message = {name: ["请填写合法的整数值。"]}
        raise Refusal(str(message), Code.VALIDATION, traced=False, data="") from None


def _filtered(call: Call) -> QuerySet[Task]:
    query = call.query
    wanted: dict[str, Any] = {"project_id": call.project.id}
    for name in ("template_id", "template_source", "create_method", "creator", "executor"):
        if query.get(name):
            wanted[name] = query[name]
    for name in ("is_started", "is_finished"):
        if query.get(name):
            wanted[name] = query[name].lower() in ("true", "1")
    for name, lookup in (
        ("create_time_start", "create_time__gte"),
        ("create_time_end", "create_time__lte"),
        ("start_time_start", "start_time__gte"),
        ("start_time_end", "start_time__lte"),
        ("finish_time_start", "finish_time__gte"),
        ("finish_time_end", "finish_time__lte"),
    ):
        if query.get(name):
            wanted[lookup] = _moment(call, name)
    tasks = Task.objects.filter(**wanted)
    if query.get("keyword"):
        # SQLite's LIKE ignores case; SOPS's search does not.
        tasks = tasks.annotate(found_at=StrIndex("name", Value(query["keyword"]))).filter(found_at__gt=0)
    return tasks


def _moment(call: Call, name: str) -> Any:
    text = call.query[name]
    moment = parse_datetime(text)
    if moment is None:
        message = f"{name} {text} is not a time"
        raise Refusal(message, Code.VALIDATION, traced=False, data="")
    return moment if moment.tzinfo else moment.replace(tzinfo=call.state.config.timezone)


def _list_item(call: Call, task: Task, zone: ZoneInfo | None) -> dict[str, Any]:
    def shown(moment: Any) -> str | None:
        return format_time_or_empty(moment, zone) if zone else format_iso_time(moment)

    return {
        "id": task.pk,
        "name": task.name,
        "category": "默认分类",
        "create_method": task.create_method,
        "creator": task.creator,
        "executor": task.executor,
        "start_time": shown(task.start_time),
        "finish_time": shown(task.finish_time),
        "is_started": task.is_started,
        "is_finished": task.is_finished,
        "template_source": task.template_source,
        "template_id": task.template_id,
        "is_child_taskflow": False,
        "project_id": task.project_id,
        "project_name": call.project.name,
        "bk_biz_id": call.project.bk_biz_id,
        "bk_biz_name": call.project.name if call.project.from_cmdb else None,
        "auth_actions": _ACTIONS,
    }

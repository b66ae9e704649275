"""Tasks: start, detail, list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Q, QuerySet, Value
from django.db.models.functions import StrIndex

from local_sops.api.call import Answer, Call, Code, Refusal, not_found, success
from local_sops.runtime.task_outputs import task_outputs
from local_sops.store.models import Task
from local_sops.times import elapsed_seconds, format_iso_time, format_time, format_time_or_empty

DEFAULT_LIMIT, MAX_LIMIT = 100, 200
_DATE_FORM = "%Y-%m-%d"
_TIME_FORMS = (
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%d %H:%M %z",
    "%Y-%m-%d %H:%M%z",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    _DATE_FORM,
)
_ACTIONS = ["task_view", "task_edit", "task_operate", "task_claim", "task_delete", "task_clone"]


def find_task(call: Call, *, any_project: bool = False) -> Task:
    """Find the task of the path.

    :param any_project: whether tasks of other projects are allowed.
    :raises Refusal: it does not exist.
    """
    task_id = call.ids["task_id"]
    task: Task | None = Task.objects.filter(pk=task_id).first()
    if task is None or not (any_project or task.project_id == call.project.id):
        raise not_found("TaskFlowInstance", task_id)
    return task


def start_task(call: Call) -> Answer:
    """Request a task's start. Accepted until a worker has taken it; the task still runs only once."""
    task = find_task(call)
    if task.is_started:
        raise Refusal("task already started", Code.INVALID_OPERATION)
    call.state.task_life.request_start(task, call.username)
    task_url = call.state.task_life.url_of(task)
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
            "template_id": int(task.template_id) if task.template_id else "",
            "start_time": format_time_or_empty(task.start_time, zone),
            "finish_time": format_time_or_empty(task.finish_time, zone),
            "executor": task.executor,
            "elapsed_time": elapsed_seconds(task.start_time, task.finish_time),
            "pipeline_tree": tree,
            "task_url": call.state.task_life.url_of(task),
            "constants": tree["constants"],
            "outputs": task_outputs(call.state.runtime, task),
            "ex_data": "",
        }
    )


def get_task_list(call: Call) -> Answer:
    """List a page of a project's tasks, newest first, with the count of all that match."""
    zone = expected_zone(call)
    tasks = _filtered(call)
    offset, limit = page_of(call)
    page = tasks.order_by("-pk")[offset : offset + limit]
    count = -1 if switch(call, "without_count") else tasks.count()
    return success([_list_item(call, task, zone) for task in page], count=count)


def expected_zone(call: Call) -> ZoneInfo | None:
    """Read the requested time zone; None by default.

    :raises Refusal: it is invalid.
    """
    name = call.query.get("expected_timezone")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"expected_timezone {name} is unknown."
        raise Refusal(message, Code.VALIDATION, traced=False, data="") from None


def page_of(call: Call) -> tuple[int, int]:
    """Read offset and limit.

    :raises Refusal: they are invalid.
    """
    try:
        offset = int(call.query.get("offset", 0))
        limit = int(call.query.get("limit", DEFAULT_LIMIT))
        if offset < 0 or limit < 0:
            raise ValueError("offset and limit must be greater or equal to 0.")
    except ValueError as error:
        raise Refusal(f"[API] pagination error: {error}", Code.INVALID_OPERATION, data="") from error
    return offset, min(limit, MAX_LIMIT)


def switch(call: Call, name: str) -> bool:
    """Read a flag of the query; false by default."""
    return call.query.get(name, "").lower() not in ("", "false", "0")


def _filtered(call: Call) -> QuerySet[Task]:
    query = call.query
    wanted: dict[str, Any] = {"project_id": call.project.id}
    for name in ("template_id", "create_method", "executor"):
        if query.get(name):
            wanted[name] = query[name]
    if query.get("template_ids"):
        wanted["template_id__in"] = [one.strip() for one in query["template_ids"].split(",") if one.strip()]
    for name in ("is_started", "is_finished"):
        if query.get(name):
            wanted[name] = switch(call, name)
    for name, lookup in (("create_time_start", "create_time__gte"), ("create_time_end", "create_time__lte")):
        if query.get(name):
            wanted[lookup] = _moment(call, name)
    tasks = Task.objects.filter(**wanted)
    if query.get("is_child_taskflow"):
        children = ~Q(parent_node_id="")
        tasks = tasks.filter(children if switch(call, "is_child_taskflow") else ~children)
    if query.get("keyword"):
        # SQLite's LIKE ignores case; SOPS's search does not.
        tasks = tasks.annotate(found_at=StrIndex("name", Value(query["keyword"]))).filter(found_at__gt=0)
    return tasks


def _moment(call: Call, name: str) -> datetime:
    """Read a time; a date means its first moment, or its last as an end."""
    text = call.query[name].strip()
    for form in _TIME_FORMS:
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 - without a zone, the server's is used
        except ValueError:
            continue
        if form == _DATE_FORM and name.endswith("_end"):
            moment = moment.replace(hour=23, minute=59, second=59, microsecond=999999)
        if form.endswith("Z"):
            return moment.replace(tzinfo=UTC)
        return moment if moment.tzinfo else moment.replace(tzinfo=call.state.config.timezone)
    reason = (
        f"无法解析日期格式: {text}，支持的格式：YYYY-MM-DD HH:MM:SS、YYYY-MM-DD HH:MM:SS +HHMM、"
        "YYYY-MM-DD HH:MM:SS+HHMM、YYYY-MM-DDTHH:MM:SSZ 或 YYYY-MM-DD"
    )
    raise Refusal({name: [reason]}, Code.VALIDATION, traced=False, data="")


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
        "is_child_taskflow": task.is_child_taskflow,
        "project_id": task.project_id,
        "project_name": call.project.name,
        "bk_biz_id": call.project.bk_biz_id,
        "bk_biz_name": call.project.name if call.project.from_cmdb else None,
        "auth_actions": _ACTIONS,
    }

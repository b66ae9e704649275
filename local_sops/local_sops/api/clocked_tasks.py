"""Clocked tasks, which are started once at a given time: create_clocked_task, get_clocked_task_list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.utils.dateparse import parse_datetime

from local_sops.api.call import Answer, Call, Code, Refusal, success
from local_sops.api.tasks import expected_zone, page_of
from local_sops.api.templates import find_template
from local_sops.plans.starting import NOT_STARTED, START_FAILED, STARTED
from local_sops.store.models import ClockedTask
from local_sops.times import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

_STATES = (NOT_STARTED, STARTED, START_FAILED)
_MAX_NAME = 128
_SELECTIONS = ("exclude_task_nodes_id", "template_schemes_id", "appoint_task_nodes_id")
_ACTIONS = ["clocked_task_view", "clocked_task_edit", "clocked_task_delete", "flow_view"]
_NO_DATE = "日期时间格式错误。请从这些格式中选择：YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]。"


def create_clocked_task(call: Call) -> Answer:
    """Schedule a task from a project's template for a future time."""
    call.require_body()
    template = find_template(call, call.ids["template_id"], common=False)
    parameters = call.body.get("task_parameters", {"constants": {}, "template_schemes_id": []})
    clocked = ClockedTask(
        project_id=call.project.id,
        task_name=_name(call.body),
        template_id=template.id,
        template_name=str(call.body.get("template_name", template.name)),
        template_source="project",
        creator=call.username,
        create_time=datetime.now(UTC),
        plan_start_time=_start_time(call),
        task_parameters=_checked(parameters),
        state=NOT_STARTED,
    )
    clocked.save()
    call.state.plans.wait_for(clocked)
    described = _described(clocked)
    for field, moment in _times(clocked).items():
        # Only here is the time without a space before its zone.
        described[field] = f"{moment.astimezone(call.state.config.timezone):%Y-%m-%d %H:%M:%S%z}"
    return success(described)


def get_clocked_task_list(call: Call) -> Answer:
    """List a page of a project's clocked tasks, newest first, with the count of all that match."""
    zone = expected_zone(call) or call.state.config.timezone
    found = _filtered(call)
    offset, limit = page_of(call)
    items = []
    for clocked in found.order_by("-pk")[offset : offset + limit]:
        times = {field: format_time(moment, zone) for field, moment in _times(clocked).items()}
        # On SOPS it is the id of celery beat's row.
        items.append({**_described(clocked), **times, "clocked_task_id": clocked.pk, "auth_actions": _ACTIONS})
    return success(items, count=found.count())


def _filtered(call: Call) -> QuerySet[ClockedTask]:
    query = call.query
    wanted: dict[str, Any] = {"project_id": call.project.id}
    if query.get("id"):
        if not query["id"].isdigit():
            raise Refusal("参数id必须为数字", Code.BAD_PARAMETER)
        wanted["pk"] = int(query["id"])
    if query.get("task_name"):
        wanted["task_name__icontains"] = query["task_name"]
    if query.get("creator"):
        wanted["creator__icontains"] = query["creator"]
    if query.get("state"):
        if query["state"] not in _STATES:
            raise Refusal(f"参数state必须为以下值之一: {', '.join(_STATES)}", Code.BAD_PARAMETER)
        wanted["state"] = query["state"]
    # They cannot be edited here.
    return ClockedTask.objects.none() if query.get("editor") else ClockedTask.objects.filter(**wanted)


def _name(body: Mapping[str, Any]) -> str:
    if "task_name" not in body:
        raise _wrong("task_name", "该字段是必填项。", "required")
    name = str(body["task_name"])
    if not name.strip():
        raise _wrong("task_name", "该字段不能为空。", "blank")
    if len(name) > _MAX_NAME:
        raise _wrong("task_name", f"请确保这个字段不能超过 {_MAX_NAME} 个字符。", "max_length")
    return name


def _start_time(call: Call) -> datetime:
    """Read the planned time; the default zone is the server's."""
    if "plan_start_time" not in call.body:
        raise _wrong("plan_start_time", "该字段是必填项。", "required")
    moment: datetime | None
    try:
        moment = parse_datetime(str(call.body["plan_start_time"]))
    except ValueError:
        moment = None
    if moment is None:
        raise _wrong("plan_start_time", _NO_DATE, "invalid")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=call.state.config.timezone)
    if datetime.now(UTC) > moment:
        text = "Plan start time should be later than the time to create the plan"
        raise _wrong("plan_start_time", text, "invalid")
    return moment


def _checked(parameters: Any) -> Any:
    if sum(bool(parameters.get(selection)) for selection in _SELECTIONS) > 1:
        raise _wrong("task_parameters", "can not use multiple method to appoint execute nodes", "invalid")
    return parameters


def _wrong(field: str, text: str, code: str) -> Refusal:
    """Build the refusal of a field in the format of the server's form library."""
    message = f"params is invalid, error: {{'{field}': [ErrorDetail(string='{text}', code='{code}')]}}"
    return Refusal(message, Code.VALIDATION)


def _times(clocked: ClockedTask) -> dict[str, datetime]:
    return {
        "plan_start_time": clocked.plan_start_time,
        "create_time": clocked.create_time,
        "edit_time": clocked.create_time,
    }


def _described(clocked: ClockedTask) -> dict[str, Any]:
    """Describe a clocked task without its times."""
    return {
        "id": clocked.pk,
        "task_parameters": clocked.task_parameters,
        "creator": clocked.creator,
        "editor": "",
        "state": clocked.state,
        "project_id": clocked.project_id,
        "task_id": clocked.task_id,
        "task_name": clocked.task_name,
        "template_id": clocked.template_id,
        "template_name": clocked.template_name,
        "template_source": clocked.template_source,
    }

"""Periodic tasks: create_periodic_task, the lists, enabling, changing cron and constants."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db.models import BooleanField
from jsonschema import Draft7Validator

from local_sops.api.call import Answer, Call, Code, Refusal, not_found, success
from local_sops.api.tasks import expected_zone, switch
from local_sops.api.templates import find_template
from local_sops.plans.cron import Cron, InvalidCronError
from local_sops.plans.starting import periodic_tree_json
from local_sops.store.models import PeriodicTask
from local_sops.times import format_time, format_time_or_empty
from local_sops.trees import InvalidTreeError
from local_sops.trees.creation import tree_from_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.template_folder import Template
    from local_sops.trees import Tree

MAX_PERIODIC_TASKS = 50
"""Per project."""
_PARAMETERS = Draft7Validator(
    {
        "type": "object",
        "required": ["name", "cron"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 50},
            "cron": {"type": "object"},
            "exclude_task_nodes_id": {"type": "array"},
            "constants": {"type": "object"},
        },
    }
)
_ACTIONS = ["periodic_task_view", "periodic_task_delete", "periodic_task_edit"]
_OWN_SOURCES = ("project", "business")


def create_periodic_task(call: Call) -> Answer:
    """Create a periodic task; it starts nothing until it is enabled."""
    call.require_body()
    common = call.body.get("template_source", "project") not in _OWN_SOURCES
    template = find_template(call, call.ids["template_id"], common=common)
    if PeriodicTask.objects.filter(project_id=call.project.id).count() >= MAX_PERIODIC_TASKS:
        message = f"Periodic task number reaches limit: {MAX_PERIODIC_TASKS}"
        raise Refusal(message, Code.INVALID_OPERATION)
    parameters = {"constants": {}, "exclude_task_nodes_id": [], **call.body}
    error = next(_PARAMETERS.iter_errors(parameters), None)
    if error is not None:
        raise Refusal(f"task params is invalid: {error}", Code.BAD_PARAMETER)
    tree = _tree(call, template, parameters)
    cron = _cron(parameters["cron"])
    now = datetime.now(UTC)
    periodic = PeriodicTask.objects.create(
        name=parameters["name"],
        project_id=call.project.id,
        template_id=template.id,
        template_source="common" if common else "project",
        template_version=template.version,
        creator=call.username,
        create_time=now,
        edit_time=now,
        cron_fields={name: getattr(cron, name) for name in Cron.__slots__},
        tree_json=periodic_tree_json(tree),
    )
    edit_info = bool(parameters.get("include_edit_info"))
    # Only here is the id a number; elsewhere it is a string.
    return success({**_described(call, periodic, edit_info=edit_info), "template_id": template.id})


def get_periodic_task_list(call: Call) -> Answer:
    """List the periodic tasks of a project, newest first."""
    zone = expected_zone(call) or call.state.config.timezone
    found = PeriodicTask.objects.filter(project_id=call.project.id).order_by("-pk")
    items = [_summary(call, one) for one in found]
    for item, one in zip(items, found, strict=True):
        item |= {"last_run_at": format_time_or_empty(one.last_run_at, zone), "auth_actions": _ACTIONS}
    return success(items)


def get_periodic_task_info(call: Call) -> Answer:
    """Describe a periodic task with the tree of its tasks."""
    return success(_described(call, _find(call), edit_info=switch(call, "include_edit_info")))


def set_periodic_task_enabled(call: Call) -> Answer:
    """Enable or disable a periodic task."""
    _require_json(call)
    periodic = _find(call)
    enabled = call.body.get("enabled", False)
    call.state.plans.set_enabled(periodic, enabled=BooleanField().to_python(enabled))
    return success({"enabled": enabled})


def modify_cron_for_periodic_task(call: Call) -> Answer:
    """Change when a periodic task is due; missing fields become ``*``."""
    _require_json(call)
    periodic = _find(call)
    _refuse_if_enabled_as_formerly(call, periodic, "cron")
    cron = _cron(call.body.get("cron", {}))
    call.state.plans.set_cron(periodic, cron)
    return success({"cron": cron.text(call.state.config.timezone)})


def modify_constants_for_periodic_task(call: Call) -> Answer:
    """Set constants of future tasks; unknown ones are ignored."""
    _require_json(call)
    periodic = _find(call)
    _refuse_if_enabled_as_formerly(call, periodic, "constants")
    tree = periodic.tree
    for key, value in (call.body.get("constants") or {}).items():
        if key in tree["constants"]:
            tree["constants"][key]["value"] = value
    periodic.tree_json = json.dumps(tree, ensure_ascii=False)
    periodic.save(update_fields=["tree_json"])
    return success(tree["constants"])


def _find(call: Call) -> PeriodicTask:
    task_id = call.ids["task_id"]
    periodic: PeriodicTask | None = PeriodicTask.objects.filter(pk=task_id).first()
    if periodic is None:
        raise not_found("PeriodicTask", task_id)
    if periodic.project_id != call.project.id:
        raise Refusal(f"task({task_id}) does not exist", Code.NOT_FOUND)
    return periodic


def _require_json(call: Call) -> None:
    if not call.raw_body:
        raise Refusal("invalid json format", Code.BAD_PARAMETER)


def _refuse_if_enabled_as_formerly(call: Call, periodic: PeriodicTask, what: str) -> None:
    """Refuse as old servers did; today a periodic task may be changed while it is enabled."""
    if periodic.enabled and not call.state.config.age.changes_enabled_plans:
        raise Refusal(f"can not modify {what} when task is enabled", Code.UNKNOWN)


def _cron(fields: Any) -> Cron:
    try:
        return Cron.read(fields)
    except InvalidCronError as error:
        raise Refusal(str(error), Code.UNKNOWN) from error


def _tree(call: Call, template: Template, parameters: Mapping[str, Any]) -> Tree:
    excluded, values = parameters["exclude_task_nodes_id"], parameters["constants"]
    try:
        return tree_from_template(call.state.templates, template, excluded, values)
    except InvalidTreeError as error:
        raise Refusal(str(error), Code.UNKNOWN) from error


def _summary(call: Call, periodic: PeriodicTask) -> dict[str, Any]:
    zone = call.state.config.timezone
    return {
        "id": periodic.pk,
        "name": periodic.name,
        "template_id": str(periodic.template_id),
        "template_source": periodic.template_source,
        "creator": periodic.creator,
        "cron": Cron(**periodic.cron_fields).text(zone),
        "enabled": periodic.enabled,
        "last_run_at": format_time_or_empty(periodic.last_run_at, zone),
        "total_run_count": periodic.total_run_count,
    }


def _described(call: Call, periodic: PeriodicTask, *, edit_info: bool) -> dict[str, Any]:
    described = _summary(call, periodic)
    if edit_info:
        template = call.state.templates.find(periodic.template_id, common=periodic.template_source == "common")
        described["editor"] = ""
        described["edit_time"] = format_time(periodic.edit_time, call.state.config.timezone)
        described["is_latest"] = template is not None and template.version == periodic.template_version
    tree = periodic.tree
    shown = {key: constant for key, constant in tree["constants"].items() if constant["show_type"] == "show"}
    return {**described, "form": shown, "pipeline_tree": tree}

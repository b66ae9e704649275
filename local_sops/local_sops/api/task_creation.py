"""Creating tasks: create_task, create_and_start_task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft7Validator, ValidationError

from local_sops.api.call import Answer, Call, Code, Refusal, success
from local_sops.api.templates import find_template
from local_sops.trees import InvalidTreeError, Tree
from local_sops.trees.constants import without_schema, without_unreferenced
from local_sops.trees.creation import tree_from_caller, tree_from_template
from local_sops.trees.drawing import with_drawing
from local_sops.trees.names import with_safe_names
from local_sops.trees.pruning import nodes_but, without_nodes
from local_sops.trees.schemes import excluded_by_schemes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.store.models import Task
    from local_sops.template_folder import Template

_SCHEME_ID = {"oneOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 1}]}
_PARAMETERS = Draft7Validator(
    {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 100},
            "flow_type": {"type": "string", "enum": ["common", "common_func"]},
            "constants": {"type": "object"},
            "exclude_task_nodes_id": {"type": "array"},
            "execute_task_nodes_id": {"type": "array"},
            "template_schemes_id": {"oneOf": [_SCHEME_ID, {"type": "array", "items": _SCHEME_ID}]},
        },
    }
)
_CALLBACK_URL = re.compile(r"^https?://\w.+$")


def create_task(call: Call) -> Answer:
    """Create a task from a template or the caller's tree."""
    call.require_body()
    parameters = _parameters(call)
    template = find_template(call, call.ids["template_id"], common=_is_common(parameters))
    schemes = parameters["template_schemes_id"]
    if schemes and (parameters["exclude_task_nodes_id"] or parameters["execute_task_nodes_id"]):
        message = "template_schemes_id can not be used with exclude_task_nodes_id or execute_task_nodes_id"
        raise Refusal(message, Code.BAD_PARAMETER)
    try:
        tree = _own_tree(call, template, parameters) or _template_tree(call, template, parameters)
    except InvalidTreeError as error:
        kind = "get invalid pipeline_tree" if parameters.get("pipeline_tree") else "create pipeline without tree error"
        raise Refusal(f"[API] create_task {kind}: {error}", Code.UNKNOWN) from error
    task = _store(call, template, parameters, tree)
    data = {"task_id": task.pk, "task_url": call.state.task_life.url_of(task), "pipeline_tree": task.tree}
    if task.flow_type == "common_func":
        data["function_task_claim_url"] = call.state.task_life.claim_url_of(task)
    return success(data)


def create_and_start_task(call: Call) -> Answer:
    """Create a task from a template and request its start; of the nodes' rules only automatic retries apply."""
    call.require_body()
    parameters = _parameters(call)
    template = find_template(call, call.ids["template_id"], common=_is_common(parameters))
    excluded = parameters["exclude_task_nodes_id"]
    try:
        if parameters["template_schemes_id"]:
            excluded = excluded_by_schemes(template, parameters["template_schemes_id"])
        tree = tree_from_template(
            call.state.templates, template, excluded, parameters["constants"], parameters["simplify_vars"]
        )
    except InvalidTreeError as error:
        raise Refusal(str(error), Code.UNKNOWN) from error
    with_auto_retry = call.state.config.age.retries_what_it_started_at_once
    task = _store(call, template, parameters, tree, with_auto_retry=with_auto_retry, with_timeouts=False)
    call.state.task_life.request_start(task, call.username)
    return success({"pipeline_tree": task.tree, "task_id": task.pk, "task_url": call.state.task_life.url_of(task)})


def preview_task_tree(call: Call) -> Answer:
    """Return the tree that a task would get, still with the template's ids, and the constants it would lack."""
    excluded = call.body.get("exclude_task_nodes_id", [])
    if not isinstance(excluded, list):
        raise Refusal("invalid exclude_task_nodes_id", Code.BAD_PARAMETER)
    try:
        template = find_template(call, call.ids["template_id"], common=False)
        tree = without_schema(with_drawing(template.tree))
        preview = without_unreferenced(without_nodes(tree, excluded))
    except InvalidTreeError as error:
        raise Refusal(f"preview_task_tree fail: {error}", Code.UNKNOWN) from error
    unused = {key: one for key, one in tree["constants"].items() if key not in preview["constants"]}
    return success({"pipeline_tree": preview, "constants_not_referred": unused})


def _parameters(call: Call) -> Mapping[str, Any]:
    """Check the body and fill in defaults."""
    parameters: dict[str, Any] = {
        "flow_type": "common",
        "constants": {},
        "exclude_task_nodes_id": [],
        "simplify_vars": [],
        "execute_task_nodes_id": [],
        "template_schemes_id": [],
    }
    parameters.update(call.body)
    checked = {
        key: value
        for key, value in parameters.items()
        if key in _PARAMETERS.schema["properties"] or key == "simplify_vars"
    }
    error: ValidationError | None = next(_PARAMETERS.iter_errors(checked), None)
    if error is not None:
        raise Refusal(f"task params is invalid: {error}", Code.BAD_PARAMETER)
    callback_url = parameters.get("callback_url")
    if callback_url and not _CALLBACK_URL.match(str(callback_url)):
        message = f"callback_url format error, must match {_CALLBACK_URL.pattern}"
        raise Refusal(message, Code.BAD_PARAMETER)
    return parameters


def _is_common(parameters: Mapping[str, Any]) -> bool:
    """Any source but the project's means the common templates."""
    return parameters.get("template_source", "project") not in ("project", "business")


def _own_tree(call: Call, template: Template, parameters: Mapping[str, Any]) -> Tree | None:
    tree = parameters.get("pipeline_tree")
    if not tree:
        return None
    independent = template.independent_subprocess
    values = parameters["constants"]
    return with_safe_names(tree_from_caller(call.state.templates, tree, values, independent=independent))


def _template_tree(call: Call, template: Template, parameters: Mapping[str, Any]) -> Tree:
    excluded = list(parameters["exclude_task_nodes_id"])
    if parameters["template_schemes_id"]:
        excluded = excluded_by_schemes(template, parameters["template_schemes_id"])
    elif parameters["execute_task_nodes_id"]:
        excluded = nodes_but(template.tree, parameters["execute_task_nodes_id"])
    return tree_from_template(
        call.state.templates, template, excluded, parameters["constants"], parameters["simplify_vars"]
    )


def _store(
    call: Call,
    template: Template,
    parameters: Mapping[str, Any],
    tree: Tree,
    *,
    with_auto_retry: bool = True,
    with_timeouts: bool = True,
) -> Task:
    return call.state.task_life.create(
        tree,
        with_auto_retry=with_auto_retry,
        with_timeouts=with_timeouts,
        name=parameters["name"],
        project_id=call.project.id,
        template_id=str(template.id),
        template_source="common" if template.project_id is None else "project",
        description=str(parameters.get("description") or ""),
        flow_type=parameters["flow_type"],
        creator=call.username,
        create_method="api",
        callback_url=parameters.get("callback_url") or "",
        callback_version=parameters.get("callback_version"),
    )

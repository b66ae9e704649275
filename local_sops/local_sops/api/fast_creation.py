"""fast_create_task: a task from a tree alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_sops.api.call import Answer, Call, Code, Refusal, success
from local_sops.trees import InvalidTreeError
from local_sops.trees.creation import tree_from_caller
from local_sops.trees.names import safe_name, with_safe_names

if TYPE_CHECKING:
    from local_sops.trees import Tree

ONETIME = "onetime"
"""``template_source`` of a task without a template."""
_MAX_NAME = 100


def fast_create_task(call: Call) -> Answer:
    """Create a task from the caller's tree; the server neither retries nor times out its nodes."""
    tree = _tree(call)
    if "name" not in call.body:
        raise Refusal("invalid params: 'name'", Code.BAD_PARAMETER)
    flow_type = "common_func" if call.body.get("flow_type") == "common_func" else "common"
    task = call.state.task_life.create(
        tree,
        with_auto_retry=False,
        with_timeouts=False,
        name=safe_name(str(call.body["name"]), _MAX_NAME),
        project_id=call.project.id,
        template_id="",
        template_source=ONETIME,
        description=str(call.body.get("description") or ""),
        flow_type=flow_type,
        creator=call.username,
        create_method="api",
    )
    task_url = call.state.task_life.url_of(task)
    return success({"task_id": task.pk, "task_url": task_url, "pipeline_tree": task.tree})


def _tree(call: Call) -> Tree:
    """Create the task's tree; optional parts missing from the caller's are filled in."""
    try:
        given = call.body["pipeline_tree"]
        tree: Any = {"gateways": {}, "constants": {}, "outputs": [], **with_safe_names(given)}
        for part in ("start_event", "end_event", "flows"):
            tree[part]
        if call.body.get("has_common_subprocess"):
            tree = _with_common_subprocesses(tree)
        else:
            _check_templates(call, tree)
        return tree_from_caller(call.state.templates, tree, {})
    except (InvalidTreeError, KeyError, TypeError, AttributeError) as error:
        message = f"[API] fast_create_task get invalid pipeline_tree: {error}"
        raise Refusal(message, Code.BAD_PARAMETER, traced=False, data=None) from error


def _with_common_subprocesses(tree: Tree) -> Tree:
    """Use common templates for all subprocesses: then none may be the project's."""
    activities = {
        key: {**node, "template_source": "common"} if "template_id" in node else node
        for key, node in tree["activities"].items()
    }
    return {**tree, "activities": activities}


def _check_templates(call: Call, tree: Tree) -> None:
    """Refuse subprocesses of other projects' templates."""
    own = {str(template.id) for template in call.state.templates.project_templates(call.project.id)}
    used = {str(node["template_id"]) for node in tree["activities"].values() if "template_id" in node}
    if used - own:
        message = (
            f"[API] fast_create_task get invalid template_id: {','.join(sorted(used - own))}, template_id "
            "should belong to current project."
        )
        raise Refusal(message, Code.BAD_PARAMETER, traced=False, data=None)

"""Templates: the lists, one template, its schemes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local_sops.api.call import Answer, Call, Code, Refusal, not_found, success
from local_sops.times import format_time
from local_sops.trees import InvalidTreeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local_sops.config import Project
    from local_sops.template_folder import Template
    from local_sops.trees import Tree

_PROJECT_ACTIONS = [
    "flow_create",
    "flow_view",
    "flow_edit",
    "flow_delete",
    "flow_create_task",
    "flow_create_mini_app",
    "flow_create_periodic_task",
    "flow_create_clocked_task",
]
_COMMON_ACTIONS = [
    "common_flow_create_task",
    "common_flow_edit",
    "common_flow_delete",
    "common_flow_view",
    "common_flow_create",
    "common_flow_create_periodic_task",
]
_SCHEMAS = {
    "input": {"type": "string", "description": "输入框变量", "enum": []},
    "textarea": {"type": "string", "description": "文本框变量", "enum": []},
    "int": {"type": "int", "description": "整数变量", "enum": []},
}


def find_template(call: Call, template_id: int, *, common: bool) -> Template:
    """Find a template available to the call's project.

    :raises Refusal: it does not exist.
    """
    template = call.state.templates.find(template_id, common=common)
    if template is None or template.project_id not in (None, call.project.id):
        raise not_found("CommonTemplate" if common else "TaskTemplate", template_id)
    return template


def get_template_list(call: Call) -> Answer:
    """List the templates of a project, or the common ones with ``template_source=common``."""
    if call.query.get("template_source") == "common":
        return get_common_template_list(call)
    templates = _filtered(call, call.state.templates.project_templates(call.project.id))
    return success(
        [
            {**_summary(call, one), **_project_fields(call.project), "auth_actions": _PROJECT_ACTIONS}
            for one in templates
        ]
    )


def get_common_template_list(call: Call) -> Answer:
    """List the common templates."""
    templates = _filtered(call, call.state.templates.common_templates())
    return success([{**_summary(call, one), "auth_actions": _COMMON_ACTIONS} for one in templates])


def get_template_info(call: Call) -> Answer:
    """Describe a template with its tree, and more on request."""
    common = call.query.get("template_source") == "common"
    template = find_template(call, call.ids["template_id"], common=common)
    fields = {} if common else _project_fields(call.project)
    return success(
        {**_summary(call, template), "pipeline_tree": _tree(call, template), **fields} | _more(call, template)
    )


def get_common_template_info(call: Call) -> Answer:
    """Describe a common template with its tree, and more on request."""
    template = find_template(call, call.ids["template_id"], common=True)
    return success({**_summary(call, template), "pipeline_tree": _tree(call, template)} | _more(call, template))


def get_template_schemes(call: Call) -> Answer:
    """List the execution schemes of a template; their ``data`` is a JSON string."""
    template = find_template(call, call.ids["template_id"], common=False)
    return success(
        [{"id": scheme.id, "name": scheme.name, "data": json.dumps(scheme.node_ids)} for scheme in template.schemes]
    )


def _filtered(call: Call, templates: Iterable[Template]) -> list[Template]:
    """Apply ``name_keyword``. SOPS does not page here: ``limit`` and ``offset`` change nothing."""
    keyword = call.query.get("name_keyword", "")
    return [template for template in templates if keyword in template.name]


def _summary(call: Call, template: Template) -> dict[str, Any]:
    edit_time = format_time(template.edit_time, call.state.config.timezone)
    return {
        "id": template.id,
        "name": template.name,
        "creator": template.creator,
        "create_time": edit_time,
        "editor": None,
        "edit_time": edit_time,
        "category": template.category,
        "description": template.description,
    }


def _project_fields(project: Project) -> dict[str, Any]:
    return {
        "project_id": project.id,
        "project_name": project.name,
        "bk_biz_id": project.bk_biz_id,
        "bk_biz_name": project.name if project.from_cmdb else None,
    }


def _tree(call: Call, template: Template) -> Tree:
    """Format the template's tree for get_template_info: no layout, a schema on each constant."""
    tree = {key: value for key, value in template.tree.items() if key not in ("line", "location")}
    tree["constants"] = {
        key: {**constant, "schema": constant.get("schema", _SCHEMAS.get(constant.get("custom_type", "")))}
        for key, constant in tree["constants"].items()
    }
    if call.query.get("unfold_subprocess"):
        try:
            return call.state.templates.expanded(tree)
        except InvalidTreeError as error:
            raise Refusal(f"format_template_data failed: {error}", Code.UNKNOWN) from error
    return tree


def _more(call: Call, template: Template) -> dict[str, Any]:
    """Add the optional parts."""
    more: dict[str, Any] = {}
    if call.query.get("include_executor_proxy"):
        more["executor_proxy"] = ""
    if call.query.get("include_subprocess"):
        activities = template.tree["activities"].values()
        more["has_subprocess"] = any(one["type"] == "SubProcess" for one in activities)
        more["subprocess_has_update"] = False
    if call.query.get("include_constants"):
        more["template_constants"] = []
    if call.query.get("include_notify"):
        more["notify_type"] = {"success": [], "fail": []}
        more["notify_receivers"] = {"receiver_group": [], "more_receiver": ""}
    return more

"""Creating templates: create_template."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local_sops.api.call import Code, Refusal, success
from local_sops.trees import InvalidTreeError
from local_sops.trees.drawing import with_drawing
from local_sops.trees.engine_tree import validate
from local_sops.trees.names import safe_name, with_safe_names
from local_sops.trees.schema import check_shape

if TYPE_CHECKING:
    from local_sops.api.call import Answer, Call
    from local_sops.trees import Tree

_MAX_NAME = 50


def create_template(call: Call) -> Answer:
    """Create a template of the project from a tree or its JSON string; SOPS also accepts YAML."""
    if not call.raw_body:
        raise Refusal("invalid json format", Code.BAD_PARAMETER)
    tree = _tree(call)
    zone = call.state.config.timezone
    name = call.body.get("name") or f"new{datetime.now(zone):%Y%m%d%H%M%S}"
    template = call.state.templates.add(
        name=safe_name(str(name), _MAX_NAME),
        project_id=call.project.id,
        creator=call.username,
        category=str(call.body.get("category", "Default")),
        description=str(call.body.get("description") or ""),
        tree=tree,
    )
    data = {
        "template_id": template.id,
        "template_name": template.name,
        "pipeline_template_id": template.internal_id,
    }
    return success(data, message="success")


def _tree(call: Call) -> Tree:
    """Read and check the tree; its ids stay."""
    given = _given(call)
    try:
        named = with_safe_names(given)
        check_shape(named)
        tree = with_drawing(named)
        validate(call.state.templates.expanded(tree))
    except InvalidTreeError as error:
        message = f"保存流程失败: 流程树合法性校验失败, 请检查流程. 失败原因: {error} | create_pipeline"
        raise Refusal(message, Code.BAD_PARAMETER) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise Refusal(str(error), Code.UNKNOWN) from error
    return tree


def _given(call: Call) -> Any:
    given = call.body.get("pipeline_tree")
    if not given:
        raise Refusal("pipeline_tree is required", Code.BAD_PARAMETER)
    if call.body.get("format", "json") == "yaml":
        raise Refusal("YAML reconvert failed: local_sops reads JSON only", Code.BAD_PARAMETER)
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError as error:
        raise Refusal("pipeline_tree is not a valid JSON string", Code.BAD_PARAMETER) from error

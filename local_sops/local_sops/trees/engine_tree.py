"""Convert a web tree to the pipeline that the engine runs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from bamboo_engine.validator import validate_and_process_pipeline
from pipeline.core.data.library import VariableLibrary

from local_sops.trees import InvalidTreeError, Tree
from local_sops.trees.constants import references

if TYPE_CHECKING:
    from collections.abc import Mapping

_WITH_CHOICES = "text_value_select"
"""The variable that is computed from all its choices, not only the selected one."""


def engine_pipeline(tree: Tree) -> dict[str, Any]:
    """Convert a task's tree, keeping its ids.

    A constant with a registered ``custom_type`` is computed when it is read; others are text.

    :param tree: a task tree: SubProcess nodes carry their ``pipeline``. Not changed.
    """
    pipeline = copy.deepcopy(tree)
    constants: dict[str, Any] = pipeline.pop("constants")
    pipeline["data"] = {
        "inputs": _context_inputs(constants),
        "outputs": list(pipeline.pop("outputs")),
        "pre_render_keys": [key for key, constant in constants.items() if constant.get("pre_render_mako")],
    }
    for activity in pipeline["activities"].values():
        if activity["type"] == "SubProcess":
            _convert_subprocess(activity)
        else:
            _convert_activity(activity)
    return pipeline


def validate(tree: Tree) -> None:
    """Check a task tree with the engine's own validators.

    :raises InvalidTreeError: with the validator's text.
    """
    try:
        validate_and_process_pipeline(engine_pipeline(tree), cycle_tolerate=True)
    except Exception as error:
        # The validators raise many types, including KeyError and TypeError; all mean an invalid tree.
        raise InvalidTreeError(str(error)) from error


def constants_without_choices(tree: Tree) -> list[str]:
    """List the constants of a task tree, subprocesses included, that cannot be computed for want of ``meta``.

    SOPS accepts such a tree and the request to start it, and then fails to start it.
    """
    own = [
        key
        for key, constant in tree["constants"].items()
        if constant["source_type"] != "component_outputs"
        and constant.get("custom_type") == _WITH_CHOICES
        and "meta" not in constant
    ]
    inner = [node["pipeline"] for node in tree["activities"].values() if node["type"] == "SubProcess"]
    return [*own, *(key for pipeline in inner for key in constants_without_choices(pipeline))]


def _value_kind(value: Any) -> str:
    """Choose the engine's word for a value: ``splice`` is rendered, ``plain`` is not."""
    return "splice" if references(value) else "plain"


def _given(constant: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the value of a constant that is not a node's output: computed by a variable class, or unchanged."""
    value, custom_type = constant["value"], constant.get("custom_type")
    if constant["source_type"] != "custom" or VariableLibrary.get_var_class(custom_type) is None:
        return {"type": _value_kind(value), "value": value}
    if custom_type == _WITH_CHOICES and constant.get("meta"):
        value = {"info_value": value, "meta_data": constant["meta"]["value"]["items_text"]}
    return {"type": "lazy", "custom_type": custom_type, "source_tag": constant.get("source_tag", ""), "value": value}


def _context_inputs(constants: Mapping[str, Any]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for key, constant in constants.items():
        value = constant["value"]
        if constant["source_type"] != "component_outputs":
            inputs[key] = _given(constant)
            continue
        sources = constant.get("source_info") or {}
        if not sources:
            # Its node was left out of the task: the text ${key} then stays unchanged.
            continue
        node_id, output_keys = next(iter(sources.items()))
        inputs[key] = {"type": "splice", "source_act": node_id, "source_key": output_keys[0], "value": value}
    return inputs


def _convert_activity(activity: dict[str, Any]) -> None:
    component = activity["component"]
    component["inputs"] = {
        name: {
            "type": _value_kind(item["value"]),
            "value": item["value"],
            "need_render": item.get("need_render", True),
        }
        for name, item in component.pop("data").items()
    }
    activity["skippable"] = activity.get("skippable", activity.get("isSkipped", True))
    activity["retryable"] = activity.get("retryable", activity.get("can_retry", True))
    activity["error_ignorable"] = activity.get("error_ignorable", False)


def _convert_subprocess(activity: dict[str, Any]) -> None:
    """Shown variables of the child are parameters: the parent renders them in its own context."""
    shown = {
        key: constant
        for key, constant in activity["pipeline"]["constants"].items()
        if constant.get("show_type") == "show"
    }
    activity["params"] = {
        key: {**_given(constant), "need_render": constant.get("need_render", True)} for key, constant in shown.items()
    }
    activity["pipeline"] = engine_pipeline(activity["pipeline"])

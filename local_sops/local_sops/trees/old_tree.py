"""Trees and node names in statuses as a SOPS of 2019 wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_sops.trees.nodes import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.trees import Tree

PIPELINE_CLASS = "<class 'pipeline.core.pipeline.Pipeline'>"
_MODULES = {
    "EmptyStartEvent": "event",
    "EmptyEndEvent": "event",
    "ServiceActivity": "activity",
    "SubProcess": "activity",
    "ParallelGateway": "gateway",
    "ExclusiveGateway": "gateway",
    "ConditionalParallelGateway": "gateway",
    "ConvergeGateway": "gateway",
}
_RENAMED = {"retryable": "can_retry", "skippable": "isSkipped"}
_LATER = frozenset({"auto_retry", "labels", "template_node_id", "timeout_config"})


def class_names(tree: Tree) -> dict[str, str]:
    """Node id -> the text of its class, ``<class 'pipeline.core.flow.event.EmptyStartEvent'>``."""
    return {node["id"]: f"<class 'pipeline.core.flow.{_MODULES[node['type']]}.{node['type']}'>" for node in walk(tree)}


def old_tree(tree: Tree) -> Tree:
    """Convert a tree to the form of 2019: single flows as strings, old names of flags, plugins without a version.

    :param tree: not changed.
    """
    return {
        **tree,
        "start_event": _old_node(tree["start_event"]),
        "end_event": _old_node(tree["end_event"]),
        "activities": {key: _old_activity(node) for key, node in tree["activities"].items()},
        "gateways": {key: _old_node(node) for key, node in tree["gateways"].items()},
    }


def _old_node(node: Mapping[str, Any]) -> dict[str, Any]:
    old = {_RENAMED.get(key, key): value for key, value in node.items() if key not in _LATER}
    incoming = node["incoming"]
    if isinstance(incoming, list) and len(incoming) == 1:
        old["incoming"] = incoming[0]
    return old


def _old_activity(activity: Mapping[str, Any]) -> dict[str, Any]:
    old = _old_node(activity)
    if "pipeline" in old:
        old["pipeline"] = old_tree(old["pipeline"])
    if "component" in old:
        component = old["component"]
        data = {
            key: {"hook": item.get("hook", False), "value": item["value"]} for key, item in component["data"].items()
        }
        old["component"] = {"code": component["code"], "data": data}
    return old

"""Renew all ids in a tree.

SOPS gives every task fresh ids for its nodes, gateways and flows, subprocesses included. Only activities record their
origin, in ``template_node_id``.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from local_sops.trees import InvalidTreeError, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping


def new_id(prefix: str = "n") -> str:
    """Create an id in the engine's format: a letter and 31 hex digits.

    :param prefix: ``n`` for nodes and pipelines, ``l`` for flows.
    """
    return prefix + uuid.uuid4().hex[1:]


def with_new_ids(
    tree: Tree,
    tree_id: str | None = None,
    *,
    ids: Mapping[str, str] | None = None,
    mark_origins: bool = True,
) -> Tree:
    """Copy a tree with new ids and update every reference.

    :param tree: not changed.
    :param tree_id: id of the pipeline; new if left out. In a subprocess it is the id of its SubProcess node.
    :param ids: of :func:`new_ids_of`, if the caller needs them.
    :param mark_origins: whether activities get ``template_node_id``, their former id; one that is there is kept.
    :raises InvalidTreeError: a constant names a source node, or a flow a node, that is not in the tree.
    """
    ids = ids or new_ids_of(tree)
    result: Tree = {
        **tree,
        "start_event": _renewed_node(tree["start_event"], ids),
        "end_event": _renewed_node(tree["end_event"], ids),
        "activities": {
            ids[key]: _renewed_activity(node, ids, mark_origins=mark_origins)
            for key, node in tree["activities"].items()
        },
        "gateways": {ids[key]: _renewed_node(node, ids) for key, node in tree["gateways"].items()},
        "flows": {ids[key]: _renewed_flow(flow, ids) for key, flow in tree["flows"].items()},
        "constants": {key: _renewed_constant(constant, ids) for key, constant in tree["constants"].items()},
    }
    if "line" in tree:
        result["line"] = [_renewed_line(line, ids) for line in tree["line"]]
    if "location" in tree:
        result["location"] = [{**place, "id": ids.get(place["id"], place["id"])} for place in tree["location"]]
    result["id"] = tree_id or new_id()
    return result


def new_ids_of(tree: Tree) -> dict[str, str]:
    """Make new ids for the nodes and flows of a tree's top level, by the old ones."""
    nodes = [tree["start_event"]["id"], tree["end_event"]["id"], *tree["activities"], *tree["gateways"]]
    return {old: new_id() for old in nodes} | {old: new_id("l") for old in tree["flows"]}


def _renewed(ids: Mapping[str, str], reference: Any) -> Any:
    """Map an id, or a list of ids; ``""`` stays."""
    if isinstance(reference, list):
        return [_renewed(ids, one) for one in reference]
    if reference in ("", None):
        return reference
    try:
        return ids[reference]
    except KeyError:
        raise InvalidTreeError(f"node({reference}) not in data") from None


def _renewed_node(node: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    renewed = {
        **node,
        "id": ids[node["id"]],
        "incoming": _renewed(ids, node["incoming"]),
        "outgoing": _renewed(ids, node["outgoing"]),
    }
    renewed["labels"] = renewed.get("labels") or []
    if "conditions" in node:
        renewed["conditions"] = {_renewed(ids, flow): condition for flow, condition in node["conditions"].items()}
    if node.get("default_condition"):
        default = node["default_condition"]
        renewed["default_condition"] = {**default, "flow_id": _renewed(ids, default["flow_id"])}
    if node.get("converge_gateway_id"):
        # A stored one may be stale; the validator recomputes it.
        converge = node["converge_gateway_id"]
        renewed["converge_gateway_id"] = ids.get(converge, converge)
    return renewed


def _renewed_activity(activity: Mapping[str, Any], ids: Mapping[str, str], *, mark_origins: bool) -> dict[str, Any]:
    renewed = _renewed_node(activity, ids)
    if mark_origins:
        renewed["template_node_id"] = activity.get("template_node_id") or activity["id"]
    if "pipeline" in activity:
        renewed["pipeline"] = with_new_ids(activity["pipeline"], renewed["id"], mark_origins=mark_origins)
    return renewed


def _renewed_flow(flow: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    return {
        **flow,
        "id": ids[flow["id"]],
        "source": _renewed(ids, flow["source"]),
        "target": _renewed(ids, flow["target"]),
    }


def _renewed_constant(constant: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    sources = {_renewed(ids, node): keys for node, keys in (constant.get("source_info") or {}).items()}
    return {**constant, "source_info": sources}


def _renewed_line(line: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    return {
        **line,
        "id": ids.get(line["id"], line["id"]),
        "source": {**line["source"], "id": ids.get(line["source"]["id"], line["source"]["id"])},
        "target": {**line["target"], "id": ids.get(line["target"]["id"], line["target"]["id"])},
    }

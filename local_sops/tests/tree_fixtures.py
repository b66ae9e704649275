"""Small web trees, written as the editor writes them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def display(node_id: str, message: str = "hi", **fields: Any) -> Json:
    return {
        "id": node_id,
        "name": fields.pop("name", node_id),
        "type": "ServiceActivity",
        "incoming": [],
        "outgoing": "",
        "optional": True,
        "error_ignorable": False,
        "component": {"code": "bk_display", "version": "1.0", "data": {"bk_display_message": {"value": message}}},
        **fields,
    }


def constant(name: str, value: Any, **fields: Any) -> Json:
    return {
        "key": f"${{{name}}}",
        "name": name,
        "value": value,
        "index": fields.pop("index", 0),
        "source_type": "custom",
        "custom_type": "input",
        "source_tag": "input.input",
        "source_info": {},
        "show_type": "show",
        **fields,
    }


def tree_of(activities: list[Json], edges: str, gateways: dict[str, str] | None = None, **parts: Any) -> Json:
    """A tree from its edges.

    :param edges: ``"start>a a>b b>end"``.
    :param gateways: id -> type.
    :param parts: ``constants`` as a list, ``outputs``.
    """
    nodes: dict[str, Json] = {node["id"]: node for node in activities}
    splits = ("ParallelGateway", "ExclusiveGateway", "ConditionalParallelGateway")
    gateway_nodes: dict[str, Json] = {
        node_id: {"id": node_id, "name": "", "type": kind, "incoming": [], "outgoing": [] if kind in splits else ""}
        for node_id, kind in (gateways or {}).items()
    }
    start: Json = {"id": "start", "name": "", "type": "EmptyStartEvent", "incoming": "", "outgoing": ""}
    end: Json = {"id": "end", "name": "", "type": "EmptyEndEvent", "incoming": [], "outgoing": ""}
    everything = {**nodes, **gateway_nodes, "start": start, "end": end}
    flows: dict[str, Json] = {}
    for edge in edges.split():
        source, target = edge.split(">")
        flow_id = f"{source}-{target}"
        flows[flow_id] = {"id": flow_id, "source": source, "target": target, "is_default": False}
        if isinstance(everything[source]["outgoing"], list):
            everything[source]["outgoing"].append(flow_id)
        else:
            everything[source]["outgoing"] = flow_id
        everything[target]["incoming"].append(flow_id)
    return {
        "start_event": start,
        "end_event": end,
        "activities": nodes,
        "gateways": gateway_nodes,
        "flows": flows,
        "constants": {one["key"]: one for one in parts.get("constants", [])},
        "outputs": parts.get("outputs", []),
    }


def edges_of(tree: Json) -> set[str]:
    """The edges of a tree, as :func:`tree_of` takes them."""
    return {f"{flow['source']}>{flow['target']}" for flow in tree["flows"].values()}

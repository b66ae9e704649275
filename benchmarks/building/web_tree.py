"""The flow as SOPS has it, for ``SopsDag``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.building.graph import ACTIVITY, EXCLUSIVE

if TYPE_CHECKING:
    from benchmarks.building.graph import FlowGraph

_START, _END = "s" * 32, "e" * 32


def web_tree(graph: FlowGraph) -> dict[str, Any]:
    """Return the tree as get_template_info answers it."""
    ids = [node_id(number) for number in range(len(graph.kinds))]
    ends = [(_START, ids[0]), *((ids[source], ids[target]) for source, target in graph.edges), (ids[-1], _END)]
    flows = {
        f"l{number:031x}": {"id": f"l{number:031x}", "source": source, "target": target, "is_default": False}
        for number, (source, target) in enumerate(ends)
    }
    incoming: dict[str, list[str]] = {each: [] for each in (_START, *ids, _END)}
    outgoing: dict[str, list[str]] = {each: [] for each in (_START, *ids, _END)}
    for flow_id, flow in flows.items():
        outgoing[str(flow["source"])].append(flow_id)
        incoming[str(flow["target"])].append(flow_id)
    nodes = {
        kind: {
            each: _node(graph, number, incoming[each], outgoing[each])
            for number, each in enumerate(ids)
            if (graph.kinds[number] == ACTIVITY) == (kind == "activities")
        }
        for kind in ("activities", "gateways")
    }
    return {
        "start_event": {**_event(_START, "EmptyStartEvent"), "incoming": "", "outgoing": outgoing[_START][0]},
        "end_event": {**_event(_END, "EmptyEndEvent"), "incoming": incoming[_END], "outgoing": ""},
        **nodes,
        "flows": flows,
        "constants": {},
        "outputs": [],
        "line": [],
        "location": [],
    }


def node_id(number: int) -> str:
    """Return a node's id in SOPS."""
    return f"n{number:031x}"


def _event(event_id: str, kind: str) -> dict[str, Any]:
    return {"id": event_id, "name": "", "type": kind, "labels": []}


def _node(graph: FlowGraph, number: int, incoming: list[str], outgoing: list[str]) -> dict[str, Any]:
    kind = graph.kinds[number]
    node: dict[str, Any] = {
        "id": node_id(number),
        "name": graph.name(number),
        "type": kind,
        "labels": [],
        "incoming": incoming,
        "outgoing": outgoing if len(outgoing) > 1 else outgoing[0],
    }
    if kind == EXCLUSIVE:
        targets = [target for source, target in graph.edges[number:] if source == number]
        node["conditions"] = {
            flow_id: {"evaluate": f"${{number}} == {target}", "name": graph.label(number, target), "tag": ""}
            for flow_id, target in zip(outgoing, targets, strict=True)
        }
    if kind == ACTIVITY:
        message = {"hook": False, "need_render": True, "value": graph.name(number)}
        node |= {
            "optional": False,
            "error_ignorable": False,
            "retryable": True,
            "skippable": True,
            "auto_retry": {"enable": False, "interval": 0, "times": 1},
            "timeout_config": {"enable": False, "seconds": 10, "action": "forced_fail"},
            "stage_name": "",
            "loop": None,
            "component": {"code": "bk_display", "version": "1.0", "data": {"bk_display_message": message}},
        }
    return node

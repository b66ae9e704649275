"""Flows of extreme shapes and any size, to see how the time to build their DAGs grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: A gateway has at most 1,000 branches.
_BRANCHES = 500
_LEVELS = 10

_Node = dict[str, Any]


class _Tree:
    """A web tree under construction: nodes that follow each other, the newest last."""

    def __init__(self) -> None:
        self._start = {"id": "start", "type": "EmptyStartEvent", "name": "", "incoming": "", "outgoing": ""}
        self._flows: dict[str, Any] = {}
        self._nodes: dict[str, _Node] = {}
        self._last: _Node = self._start
        self.constants: dict[str, Any] = {}

    def node(self, kind: str, **fields: Any) -> _Node:
        node_id = f"n{len(self._nodes)}"
        forks = kind in ("ParallelGateway", "ExclusiveGateway")
        self._nodes[node_id] = {
            "id": node_id,
            "type": kind,
            "name": node_id,
            "incoming": [],
            "outgoing": [] if forks else "",
            "optional": False,
            **fields,
        }
        return self._nodes[node_id]

    def activity(self, **inputs: Any) -> _Node:
        data = {name: {"hook": False, "value": value} for name, value in inputs.items()}
        return self.node("ServiceActivity", component={"code": "job_execute_task", "version": "1.0", "data": data})

    def then(self, node: _Node) -> None:
        self.connect(self._last, node)
        self._last = node

    def connect(self, source: _Node, target: _Node) -> str:
        flow_id = f"f{len(self._flows)}"
        self._flows[flow_id] = {"id": flow_id, "source": source["id"], "target": target["id"], "is_default": False}
        target["incoming"].append(flow_id)
        if isinstance(source["outgoing"], list):
            source["outgoing"].append(flow_id)
        else:
            source["outgoing"] = flow_id
        return flow_id

    def ended(self) -> dict[str, Any]:
        end: _Node = {"id": "end", "type": "EmptyEndEvent", "name": "", "incoming": [], "outgoing": ""}
        self.connect(self._last, end)
        gateways = {key: node for key, node in self._nodes.items() if node["type"].endswith("Gateway")}
        return {
            "start_event": self._start,
            "end_event": end,
            "activities": {key: node for key, node in self._nodes.items() if key not in gateways},
            "gateways": gateways,
            "flows": self._flows,
            "constants": self.constants,
            "outputs": [],
            "line": [],
            "location": [],
        }


def _chain(size: int) -> dict[str, Any]:
    tree = _Tree()
    for _ in range(size):
        tree.then(tree.activity())
    return tree.ended()


def _wide(size: int) -> dict[str, Any]:
    tree = _Tree()
    for _ in range(size // _BRANCHES or 1):
        fork, join = tree.node("ParallelGateway"), tree.node("ConvergeGateway")
        tree.then(fork)
        for _ in range(min(size, _BRANCHES)):
            branch = tree.activity()
            tree.connect(fork, branch)
            tree.connect(branch, join)
        tree.then(join)
    return tree.ended()


def _gateways(size: int) -> dict[str, Any]:
    tree = _Tree()
    for _ in range(size // 4):
        decide, join = tree.node("ExclusiveGateway", conditions={}), tree.node("ConvergeGateway")
        tree.then(decide)
        for value in ("a", "b"):
            branch = tree.activity()
            flow_id = tree.connect(decide, branch)
            decide["conditions"][flow_id] = {"evaluate": f'"a" == "{value}"', "name": value, "tag": ""}
            tree.connect(branch, join)
        tree.then(join)
    return tree.ended()


def _subprocesses(size: int) -> dict[str, Any]:
    tree = _Tree()
    for _ in range(size // 2):
        tree.then(_subprocess(tree, _chain(1)))
    return tree.ended()


def _nested(size: int) -> dict[str, Any]:
    tree = _Tree()
    for _ in range(size // (2 * _LEVELS)):
        inner = _chain(2)
        for _ in range(_LEVELS - 1):
            around = _Tree()
            around.then(_subprocess(around, inner))
            around.then(around.activity())
            inner = around.ended()
        tree.then(_subprocess(tree, inner))
    return tree.ended()


def _subprocess(tree: _Tree, inner: dict[str, Any]) -> _Node:
    return tree.node("SubProcess", pipeline=inner, template_id="1", version="1")


def _constants(size: int) -> dict[str, Any]:
    """As many constants as nodes: each refers to the one before it, and each node uses one."""
    tree = _Tree()
    for number in range(size):
        key, before = f"${{c{number}}}", f"${{c{number - 1}}}"
        tree.constants[key] = {
            "key": key,
            "name": f"c{number}",
            "value": before if number % 50 else "x",
            "show_type": "hide",
            "custom_type": "input",
            "source_type": "custom",
            "source_tag": "input.input",
            "source_info": {},
            "index": number,
        }
        tree.then(tree.activity(text=key))
    return tree.ended()


#: How to make a tree of about so many nodes.
SHAPES: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "chain": _chain,
    "wide": _wide,
    "gateways": _gateways,
    "subprocesses": _subprocesses,
    "nested": _nested,
    "constants": _constants,
}

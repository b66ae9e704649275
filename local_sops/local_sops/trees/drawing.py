"""``line`` and ``location``: the editor's layout. Exported templates lack them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local_sops.trees import Tree

_COLUMN, _ROW = 150, 100
_SHAPES = {
    "EmptyStartEvent": "startpoint",
    "EmptyEndEvent": "endpoint",
    "ServiceActivity": "tasknode",
    "SubProcess": "subflow",
    "ParallelGateway": "parallelgateway",
    "ExclusiveGateway": "branchgateway",
    "ConditionalParallelGateway": "conditionalparallelgateway",
    "ConvergeGateway": "convergegateway",
}


def with_drawing(tree: Tree) -> Tree:
    """Add ``line`` and ``location`` to a tree; existing ones are kept.

    :param tree: not changed.
    """
    line = [
        {
            "id": flow["id"],
            "source": {"arrow": "Right", "id": flow["source"]},
            "target": {"arrow": "Left", "id": flow["target"]},
        }
        for flow in tree["flows"].values()
    ]
    return {**tree, "line": tree.get("line") or line, "location": tree.get("location") or list(_locations(tree))}


def _locations(tree: Tree) -> Iterator[dict[str, Any]]:
    """Position each node: columns by the distance from the start, rows by the order in a column."""
    columns = _distances(tree)
    rows: dict[int, int] = {}
    nodes = (tree["start_event"], *tree["gateways"].values(), *tree["activities"].values(), tree["end_event"])
    for node in sorted(nodes, key=lambda node: columns.get(node["id"], 0)):
        column = columns.get(node["id"], 0)
        row = rows[column] = rows.get(column, -1) + 1
        yield {
            "id": node["id"],
            "type": _SHAPES.get(node["type"], "tasknode"),
            "name": node.get("name", ""),
            "x": 60 + column * _COLUMN,
            "y": 100 + row * _ROW,
        }


def _distances(tree: Tree) -> Mapping[str, int]:
    targets: dict[str, list[str]] = {}
    for flow in tree["flows"].values():
        targets.setdefault(flow["source"], []).append(flow["target"])
    distances = {tree["start_event"]["id"]: 0}
    reached = [tree["start_event"]["id"]]
    for node_id in reached:
        for target in targets.get(node_id, ()):
            if target not in distances:
                distances[target] = distances[node_id] + 1
                reached.append(target)
    return distances

"""Draw a level of a task's flow; every node links to its panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_sops.page.drawing import Figure, Line, draw
from local_sops.page.drawing.figures import Shape
from local_sops.page.words import t
from local_sops.status_tree import NODE_SUSPENDED
from local_sops.trees.nodes import tree_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local_sops.page.flow import NodeRow
    from local_sops.trees import Tree

SUBPROCESS = "SubProcess"


def level_of(chosen: NodeRow | None) -> tuple[str, ...]:
    """Return the level to draw, by its enclosing subprocesses: the chosen node's, or inside a chosen subprocess."""
    if chosen is None:
        return ()
    return (*chosen.path, chosen.id) if chosen.type == SUBPROCESS else chosen.path


def picture(tree: Tree, rows: Sequence[NodeRow], page_path: str, *, chosen: NodeRow | None, is_finished: bool) -> str:
    """Draw the level of the chosen node, or the outermost.

    :param rows: all nodes of the tree, those of each level in flow order.
    :param page_path: the page of the task.
    :param is_finished: whether nodes not reached yet never will be.
    """
    path = level_of(chosen)
    level = tree_at(tree, path)
    places = {place["id"]: (place.get("x"), place.get("y")) for place in level.get("location", ())}
    figures = [
        Figure(
            id=row.id,
            shape=Shape(row.type),
            name=row.name,
            detail=t(row.kind),
            words="\n".join(filter(None, [row.name or t(row.kind), t(row.state), *row.remarks, row.error])),
            state=_look(row, is_finished=is_finished),
            place=places.get(row.id),
            link=f"{page_path}&node={row.id}",
            is_chosen=row is chosen,
        )
        for row in rows
        if row.path == path
    ]
    return draw(figures, list(_lines(level)))


def _look(row: NodeRow, *, is_finished: bool) -> str:
    """Return a node's style: a node that waits for a person looks different from a running one."""
    if row.waits:
        return NODE_SUSPENDED
    if row.was_passed_over:
        return "SKIPPED"
    if is_finished and not row.state:
        return "NOT_TAKEN"
    return row.state


def _lines(level: Tree) -> Iterator[Line]:
    sides = {line["id"]: _sides(line) for line in level.get("line", ())}
    labels = dict(_conditions(level))
    for flow_id, flow in level["flows"].items():
        label, words = labels.get(flow_id, ("", ""))
        yield Line(flow_id, flow["source"], flow["target"], label, words, sides.get(flow_id))


def _sides(line: dict[str, Any]) -> tuple[str, str]:
    return str(line["source"].get("arrow")), str(line["target"].get("arrow"))


def _conditions(level: Tree) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield sequence flow id -> its label, and the full condition."""
    for gateway in level["gateways"].values():
        for flow_id, condition in gateway.get("conditions", {}).items():
            name = str(condition.get("name") or condition["evaluate"])
            yield flow_id, (name, f"{name}: {condition['evaluate']}")
        default = gateway.get("default_condition")
        if default:
            name = str(default.get("name") or "default")
            yield default["flow_id"], (name, f"{name}: if no other is true")

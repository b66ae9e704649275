"""A tree as a picture: one pure function from a tree, and what is known of its nodes, to the text of an SVG file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.drawing import picture
from airflow_provider_sops.drawing.picture import Figure, Line
from airflow_provider_sops.drawing.picture.figures import Shape
from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.sops.pipeline_tree.graph import depth_first
from airflow_provider_sops.sops.pipeline_tree.nodes import END_EVENT, Activity, Event, SubProcess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from airflow_provider_sops.sops.pipeline_tree.levels import Level, SequenceFlow
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node, NodeKey
    from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree

_GATEWAYS = {
    shape.value: shape for shape in (Shape.PARALLEL, Shape.CONDITIONAL_PARALLEL, Shape.EXCLUSIVE, Shape.CONVERGE)
}


def draw(
    tree: PipelineTree, states: Mapping[NodeKey, str] | None = None, *, path: NodeKey = (), title: str = ""
) -> str:
    """Draw one level of a tree as an SVG file.

    Names are cut to fit; pointing at a node shows all of it. See :func:`airflow_provider_sops.drawing.picture.draw`.

    :param states: what is known of nodes, as :class:`~airflow_provider_sops.drawing.picture.Figure` takes it. Nodes
        without one are drawn plain.
    :param path: key of the subprocess whose inside to draw; empty for the outermost level.
    :param title: heading of the picture.
    :raises KeyError: there is no such subprocess, or the tree does not unfold it.
    """
    level = tree.levels[path]
    return picture.draw(figures_of(level, states or {}), lines_of(level), title=title)


def figures_of(level: Level, states: Mapping[NodeKey, str]) -> list[Figure]:
    """Return the nodes of a level in the order in which SOPS reaches them."""
    places = {read_text(place.get("id")): place for place in map(read_mapping, read_list(level.raw.get("location")))}
    nodes = [level.nodes[node_id] for node_id in depth_first(level.nodes, level.targets).order]
    return [_figure(node, states.get(node.key, ""), places.get(node.id)) for node in nodes]


def lines_of(level: Level) -> list[Line]:
    """Return the sequence flows between the nodes of a level."""
    drawn = {read_text(line.get("id")): line for line in map(read_mapping, read_list(level.raw.get("line")))}
    return [_line(each, drawn.get(each.id)) for leaving in level.outgoing.values() for each in leaving]


def _figure(node: Node, state: str, place: Mapping[str, Any] | None) -> Figure:
    is_optional = isinstance(node, Activity) and node.optional
    words = [node.name, node.plugin or node.type, state, "optional" if is_optional else ""]
    return Figure(
        id=node.id,
        shape=_shape(node),
        name=node.name,
        detail="subprocess" if isinstance(node, SubProcess) else node.plugin,
        words="\n".join(filter(None, words)),
        state=state,
        place=(place.get("x"), place.get("y")) if place else None,
        is_optional=is_optional,
    )


def _shape(node: Node) -> Shape:
    if isinstance(node, Activity):
        return Shape.SUBPROCESS if isinstance(node, SubProcess) else Shape.ACTIVITY
    if isinstance(node, Event):
        return Shape.END if node.type == END_EVENT else Shape.START
    return _GATEWAYS.get(node.type, Shape.GATEWAY)


def _line(sequence_flow: SequenceFlow, drawn: Mapping[str, Any] | None) -> Line:
    """Return the line of a sequence flow.

    :param drawn: what the editor has stored about it.
    """
    ends = [read_text(read_mapping(drawn.get(end)).get("arrow")) for end in ("source", "target")] if drawn else []
    label, expression = sequence_flow.label, sequence_flow.evaluate
    return Line(
        id=sequence_flow.id,
        source=sequence_flow.source,
        target=sequence_flow.target,
        label=label,
        words=f"{label}: {expression}" if expression not in ("", label) else label,
        sides=(ends[0], ends[1]) if ends else None,
    )

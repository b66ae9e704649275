"""A tree as a picture: one pure function from a tree, and what is known of its nodes, to the text of an SVG file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.drawing import picture
from airflow_provider_sops.drawing.picture import Figure, Line
from airflow_provider_sops.drawing.picture.figures import Shape
from airflow_provider_sops.sops.models.reading import read_list, read_mapping, read_text
from airflow_provider_sops.sops.pipeline_tree.nodes import END_EVENT, Activity, Event, SubProcess
from airflow_provider_sops.sops.pipeline_tree.ordering import depth_first

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from airflow_provider_sops.sops.pipeline_tree.levels import Flow, Level
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
    """Return the nodes of a level in the order of its flow."""
    places = {read_text(place.get("id")): place for place in map(read_mapping, read_list(level.raw.get("location")))}
    targets = {node_id: [flow.target for flow in flows] for node_id, flows in level.outgoing.items()}
    order = depth_first(level.nodes, targets).order
    nodes = [level.nodes[node_id] for node_id in order]
    return [_figure(node, states.get(node.key, ""), places.get(node.id)) for node in nodes]


def lines_of(level: Level) -> list[Line]:
    """Return the flows between the nodes of a level."""
    drawn = {read_text(line.get("id")): line for line in map(read_mapping, read_list(level.raw.get("line")))}
    return [_line(flow, drawn.get(flow.id)) for flows in level.outgoing.values() for flow in flows]


def _figure(node: Node, state: str, place: Mapping[str, Any] | None) -> Figure:
    is_optional = isinstance(node, Activity) and node.optional
    plugin = node.plugin if isinstance(node, Activity) else ""
    words = [node.name, plugin or node.type, state, "optional" if is_optional else ""]
    return Figure(
        id=node.id,
        shape=_shape(node),
        name=node.name,
        detail="subprocess" if isinstance(node, SubProcess) else plugin,
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


def _line(flow: Flow, drawn: Mapping[str, Any] | None) -> Line:
    """Make the line of a flow.

    :param drawn: what the editor says of it.
    """
    ends = [read_text(read_mapping(drawn.get(end)).get("arrow")) for end in ("source", "target")] if drawn else []
    return Line(
        id=flow.id,
        source=flow.source,
        target=flow.target,
        label=flow.label,
        words=f"{flow.label}: {flow.evaluate}" if flow.evaluate not in ("", flow.label) else flow.label,
        sides=(ends[0], ends[1]) if ends else None,
    )

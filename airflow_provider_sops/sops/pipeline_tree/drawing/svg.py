"""The picture of one level as the text of an SVG file that stands alone."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from airflow_provider_sops.sops.pipeline_tree.drawing.layout import attached_sides, lay_out
from airflow_provider_sops.sops.pipeline_tree.drawing.routes import route
from airflow_provider_sops.sops.pipeline_tree.drawing.style import CSS, look_of
from airflow_provider_sops.sops.pipeline_tree.nodes import (
    CONDITIONAL_PARALLEL_GATEWAY,
    CONVERGE_GATEWAY,
    END_EVENT,
    EXCLUSIVE_GATEWAY,
    PARALLEL_GATEWAY,
    Activity,
    Event,
    SubProcess,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_sops.sops.pipeline_tree.drawing.routes import Point
    from airflow_provider_sops.sops.pipeline_tree.drawing.shapes import Box
    from airflow_provider_sops.sops.pipeline_tree.levels import Flow, Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node, NodeKey
    from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree

_MARGIN = 40.0
_HEADING_HEIGHT = 34.0
_LONGEST_TEXT = 500
#: Widths in letters of which one is half as wide as a Chinese character.
_NAME_WIDTH, _LABEL_WIDTH = 19, 22
#: Characters that no XML file may hold, not even escaped, and those that turn the direction of text.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_ARROW_HEAD = (
    '<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path class="head" d="M0 0 L8 4 L0 8 Z"/></marker>'
)
_SUBPROCESS_SIGN = "M-6 -6 H6 V6 H-6 Z M0 -3 V3 M-3 0 H3"
_SIGNS = {
    EXCLUSIVE_GATEWAY: "M-5 -5 L5 5 M-5 5 L5 -5",
    PARALLEL_GATEWAY: "M0 -7 V7 M-7 0 H7",
    CONDITIONAL_PARALLEL_GATEWAY: "M0 -7 V7 M-7 0 H7 M-5 -5 L5 5 M-5 5 L5 -5",
    CONVERGE_GATEWAY: "M-6 -5 L0 0 L-6 5 M0 0 H7",
}


def draw(
    tree: PipelineTree, states: Mapping[NodeKey, str] | None = None, *, path: NodeKey = (), title: str = ""
) -> str:
    """Draw one level of a tree as an SVG file.

    The nodes are where SOPS's editor has them, else in layers from left to right. The file needs nothing beside it,
    runs nothing, and follows the light or dark scheme of whoever looks at it. Names are cut to fit; pointing at a node
    shows all of it.

    :param states: what is known of nodes: SOPS's words, ``SKIPPED`` for a node that failed and was skipped, and
        ``NOT_TAKEN`` for one that never runs. Nodes without one are drawn plain.
    :param path: key of the subprocess whose inside to draw; empty for the outermost level.
    :param title: heading of the picture.
    :raises KeyError: there is no such subprocess, or the tree does not unfold it.
    """
    level = tree.levels[path]
    layout = lay_out(level)
    sides = attached_sides(level)
    routes = {
        flow.id: route(
            layout.boxes[flow.source], layout.boxes[flow.target], sides.get(flow.id), layout.ways.get(flow.id, ())
        )
        for flows in level.outgoing.values()
        for flow in flows
    }
    parts = [*_begin(_frame(layout.boxes.values(), routes.values(), title), title), *_draw_flows(level, routes)]
    for node_id, node in level.nodes.items():
        parts += _draw_node(node, layout.boxes[node_id], (states or {}).get(node.key, ""))
    return "\n".join([*parts, "</svg>", ""])


def _begin(frame: tuple[float, float, float, float], title: str) -> Iterator[str]:
    left, top, width, height = map(_number, frame)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label={quoteattr(_clean(title) or "SOPS flow")}'
        f' width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">'
    )
    yield f"<title>{_text(title) or 'SOPS flow'}</title>"
    yield f"<style>{CSS}</style>"
    yield f"<defs>{_ARROW_HEAD}</defs>"
    yield f'<rect class="page" x="{left}" y="{top}" width="{width}" height="{height}"/>'
    if title:
        place = f'x="{_number(frame[0] + _MARGIN / 2)}" y="{_number(frame[1] + 30)}"'
        yield f'<text class="heading" {place}>{_shortened(title, int(frame[2] / 9))}</text>'


def _frame(boxes: Iterable[Box], routes: Iterable[list[Point]], title: str) -> tuple[float, float, float, float]:
    corners = [point for points in routes for point in points]
    for box in boxes:
        corners += [(box.x - box.width / 2, box.y - box.height / 2), (box.x + box.width / 2, box.y + box.height / 2)]
    xs, ys = [x for x, _ in corners] or [0.0], [y for _, y in corners] or [0.0]
    left, top = min(xs) - _MARGIN, min(ys) - _MARGIN - (_HEADING_HEIGHT if title else 0)
    return left, top, max(xs) + _MARGIN - left, max(ys) + _MARGIN - top


def _draw_flows(level: Level, routes: Mapping[str, list[Point]]) -> Iterator[str]:
    flows = [flow for each in level.outgoing.values() for flow in each]
    for flow in flows:
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in routes[flow.id])
        yield f'<polyline class="flow" marker-end="url(#head)" points="{points}"/>'
    # After all lines, so that none crosses a text.
    for flow in flows:
        if flow.label:
            yield _draw_label(flow, routes[flow.id])


def _draw_label(flow: Flow, points: list[Point]) -> str:
    """Write a condition where its line reaches the node that it leads to: there lines lie apart."""
    x, y = points[-1]
    before = points[-2]
    anchor, x, y = ("end", x - 10, y - 6) if before[1] == y else ("start", x + 6, (y + before[1]) / 2)
    words = f"{flow.label}: {flow.evaluate}" if flow.evaluate not in ("", flow.label) else flow.label
    return (
        f'<text class="label" text-anchor="{anchor}" x="{_number(x)}" y="{_number(y)}">'
        f"<title>{_text(words)}</title>{_shortened(flow.label, _LABEL_WIDTH)}</text>"
    )


def _draw_node(node: Node, box: Box, state: str) -> Iterator[str]:
    look = look_of(state)
    optional = isinstance(node, Activity) and node.optional
    yield (
        f'<g class="node {look.style}{" optional" if optional else ""}"'
        f' transform="translate({_number(box.x)} {_number(box.y)})">'
    )
    yield f"<title>{_text(_words(node, state))}</title>"
    if isinstance(node, Activity):
        yield from _draw_activity(node, box)
    elif isinstance(node, Event):
        yield f'<circle class="shape" r="{_number(box.width / 2)}"/>'
        sign = "M-6 -6 H6 V6 H-6 Z" if node.type == END_EVENT else "M-5 -7 L7 0 L-5 7 Z"
        yield f'<path class="sign" d="{sign}"/>'
    else:
        half = box.width / 2 + 4
        yield f'<path class="shape" d="M0 {-half} L{half} 0 L0 {half} L{-half} 0 Z"/>'
        yield f'<path class="sign" d="{_SIGNS.get(node.type, "")}"/>'
        if node.name:
            name = _shortened(node.name, _LABEL_WIDTH)
            yield f'<text class="label" text-anchor="middle" y="{_number(half + 14)}">{name}</text>'
    if look.mark:
        yield f'<path class="mark" transform="translate({_mark_place(node, box)})" d="{look.mark}"/>'
    yield "</g>"


def _draw_activity(node: Activity, box: Box) -> Iterator[str]:
    x, y, width, height = -box.width / 2, -box.height / 2, box.width, box.height
    if isinstance(node, SubProcess):
        yield f'<rect class="shape" x="{x - 4}" y="{y - 4}" width="{width + 8}" height="{height + 8}" rx="9"/>'
    yield f'<rect class="shape" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    yield f'<text x="{x + 10}" y="-2">{_shortened(node.name, _NAME_WIDTH)}</text>'
    kind = "subprocess" if isinstance(node, SubProcess) else node.plugin
    yield f'<text class="kind" x="{x + 10}" y="15">{_shortened(kind, _NAME_WIDTH)}</text>'
    if isinstance(node, SubProcess):
        place = f"translate({x + width - 14} {y + height - 13})"
        yield f'<path class="sign" transform="{place}" d="{_SUBPROCESS_SIGN}"/>'


def _mark_place(node: Node, box: Box) -> str:
    if isinstance(node, Activity):
        return f"{_number(box.width / 2 - 13)} {_number(12 - box.height / 2)}"
    return f"{_number(box.width / 2 + 2)} {_number(-box.height / 2 - 2)}"


def _words(node: Node, state: str) -> str:
    kind = node.plugin or node.type if isinstance(node, Activity) else node.type
    lines = [node.name, kind, state]
    if isinstance(node, Activity) and node.optional:
        lines.append("optional")
    return "\n".join(line for line in lines if line)


def _shortened(text: str, width: int) -> str:
    """Return a text on one line, cut to a width, and escaped."""
    clean = " ".join(_clean(text[:_LONGEST_TEXT]).split())
    used = 0
    for position, character in enumerate(clean):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > width:
            return escape(clean[: max(position - 1, 0)]) + "…"
    return escape(clean)


def _text(text: str) -> str:
    clean = _clean(text)
    return escape(clean if len(clean) <= _LONGEST_TEXT else f"{clean[:_LONGEST_TEXT]}…")


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

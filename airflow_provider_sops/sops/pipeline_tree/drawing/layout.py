"""Where the nodes of one level are drawn: where the editor has put them, else in layers from left to right."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.models.reading import read_list, read_mapping, read_text
from airflow_provider_sops.sops.pipeline_tree.drawing.shapes import ACTIVITY_SIZE, Box, size_of
from airflow_provider_sops.sops.pipeline_tree.ordering import depth_first

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_sops.sops.pipeline_tree.levels import Level

_COLUMN = ACTIVITY_SIZE[0] + 100
_ROW = ACTIVITY_SIZE[1] + 46
#: The least room between two nodes that are drawn beside or above each other.
_GAP = 36.0
#: Trees that programs made may stand far too close; the editor would have them moved apart by hand.
_MOST_STRETCH = 4.0

_Place = tuple[str, str]
"""What stands in a layer: a node, or with its id the flow that passes there on its way from that node."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    :param boxes: by node id.
    :param ways: the points that a flow passes which leads over several layers, by flow id; others are left out.
    """

    boxes: Mapping[str, Box]
    ways: Mapping[str, Sequence[tuple[float, float]]]


def lay_out(level: Level) -> Layout:
    """Return where the nodes of a level are drawn.

    The editor's positions are kept, but moved apart evenly if nodes would overlap. Where one node has no position, or
    two have the same, all are laid out anew.
    """
    boxes = _from_canvas(level)
    return Layout(boxes, {}) if boxes else _in_layers(level)


def attached_sides(level: Level) -> dict[str, tuple[str, str]]:
    """Return for the flows that the editor has drawn at which sides of the nodes they begin and end."""
    sides = {}
    for line in map(read_mapping, read_list(level.raw.get("line"))):
        ends = (read_text(read_mapping(line.get(end)).get("arrow")) for end in ("source", "target"))
        sides[read_text(line.get("id"))] = (next(ends), next(ends))
    return sides


def _from_canvas(level: Level) -> dict[str, Box] | None:
    corners: dict[str, tuple[float, float]] = {}
    for place in map(read_mapping, read_list(level.raw.get("location"))):
        x, y = _coordinate(place.get("x")), _coordinate(place.get("y"))
        if x is not None and y is not None:
            corners[read_text(place.get("id"))] = (x, y)
    if not set(level.nodes) <= set(corners):
        return None
    boxes = {}
    for node_id, node in level.nodes.items():
        (x, y), (width, height) = corners[node_id], size_of(node)
        boxes[node_id] = Box(x + width / 2, y + height / 2, width, height)
    if len({(box.x, box.y) for box in boxes.values()}) < len(boxes):
        return None
    return _moved_apart(boxes)


def _coordinate(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < 1e6 else None


def _moved_apart(boxes: dict[str, Box]) -> dict[str, Box] | None:
    """Stretch the picture until no nodes overlap; ``None`` if that would take too much."""
    stretch_x = stretch_y = 1.0
    for one, other in _near_pairs(list(boxes.values())):
        dx, dy = abs(one.x - other.x), abs(one.y - other.y)
        needed_x, needed_y = (one.width + other.width) / 2 + _GAP, (one.height + other.height) / 2 + _GAP / 2
        if dx * stretch_x >= needed_x or dy * stretch_y >= needed_y:
            continue
        if dx * needed_y >= dy * needed_x:
            stretch_x = max(stretch_x, needed_x / dx)
        else:
            stretch_y = max(stretch_y, needed_y / dy)
    if max(stretch_x, stretch_y) > _MOST_STRETCH:
        return None
    return {node_id: Box(box.x * stretch_x, box.y * stretch_y, box.width, box.height) for node_id, box in boxes.items()}


def _near_pairs(boxes: list[Box]) -> list[tuple[Box, Box]]:
    """Return the pairs that may be too close, looking only at neighbours in a coarse grid."""
    cells: dict[tuple[int, int], list[Box]] = {}
    for box in boxes:
        cells.setdefault((int(box.x // 200), int(box.y // 100)), []).append(box)
    pairs: list[tuple[Box, Box]] = []
    for (column, row), here in cells.items():
        pairs += itertools.combinations(here, 2)
        for beside in ((column + 1, row), (column - 1, row + 1), (column, row + 1), (column + 1, row + 1)):
            pairs += itertools.product(here, cells.get(beside, ()))
    return pairs


def _in_layers(level: Level) -> Layout:
    targets = {node_id: [flow.target for flow in flows] for node_id, flows in level.outgoing.items()}
    walk = depth_first(level.nodes, targets)
    column = dict.fromkeys(walk.order, 0)
    forward = [flow for each in walk.order for flow in level.outgoing[each] if (each, flow.target) not in walk.back]
    for flow in forward:
        column[flow.target] = max(column[flow.target], column[flow.source] + 1)
    layers: list[dict[_Place, list[_Place]]] = [{} for _ in range(1 + max(column.values(), default=0))]
    for node_id in walk.order:
        layers[column[node_id]][node_id, ""] = []
    for flow in forward:
        # A flow over several layers takes up room in each, as nodes do, so that no node is drawn on it.
        source: _Place = (flow.source, "")
        for number in range(column[flow.source] + 1, column[flow.target]):
            layers[number][flow.source, flow.id] = [source]
            source = (flow.source, flow.id)
        layers[column[flow.target]][flow.target, ""].append(source)
    rows = _rows(layers)
    top = min((min(each.values()) for each in rows if each), default=0.0)
    at = {
        (number, place): (100 + number * _COLUMN, 100 + (row - top) * _ROW)
        for number, each in enumerate(rows)
        for place, row in each.items()
    }
    boxes = {each: Box(*at[column[each], (each, "")], *size_of(level.nodes[each])) for each in level.nodes}
    ways = {
        flow.id: [at[number, (flow.source, flow.id)] for number in range(column[flow.source] + 1, column[flow.target])]
        for flow in forward
    }
    return Layout(boxes, {flow_id: way for flow_id, way in ways.items() if way})


def _rows(layers: Sequence[Mapping[_Place, Sequence[_Place]]]) -> list[dict[_Place, float]]:
    """Return the row of each place: beside those before it, fanned out behind a gateway."""
    rows: list[dict[_Place, float]] = []
    for layer in layers:
        followers: dict[_Place, list[_Place]] = {}
        for place, sources in layer.items():
            for source in sources:
                followers.setdefault(source, []).append(place)
        wished = {}
        for place, sources in layer.items():
            wishes = [
                rows[-1][source] + followers[source].index(place) - (len(followers[source]) - 1) / 2
                for source in sources
            ]
            wished[place] = sum(wishes) / len(wishes) if wishes else 0.0
        rows.append(_placed_rows(wished))
    return rows


def _placed_rows(wished: Mapping[_Place, float]) -> dict[_Place, float]:
    """Move nodes of one layer apart, to at least one row each, as little as that takes."""
    placed: dict[_Place, float] = {}
    lowest = -math.inf
    for place in sorted(wished, key=lambda place: wished[place]):
        lowest = max(wished[place], lowest + 1)
        placed[place] = lowest
    shift = sum(placed[place] - wished[place] for place in wished) / max(len(wished), 1)
    return {place: row - shift for place, row in placed.items()}

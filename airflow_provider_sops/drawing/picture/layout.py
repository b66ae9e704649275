"""Where the figures are drawn: where the editor has put them, else in layers from left to right."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .figures import ACTIVITY_SIZE, DIRECTIONS, Box, box_at, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .figures import Figure, Line


_COLUMN = ACTIVITY_SIZE[0] + 100
_ROW = ACTIVITY_SIZE[1] + 46
#: The least room between two figures that are drawn beside or above each other.
_GAP = 36.0
#: Trees that programs made may stand far too close; the editor would have them moved apart by hand.
_MOST_STRETCH = 4.0

_Place = tuple[str, str]
"""What takes up room in a layer: a figure's id, and that of a line from it that passes there, or an empty text."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    :param boxes: by the figure's id.
    :param ways: the points through which a line over several layers passes, by its id; other lines are left out.
    """

    boxes: Mapping[str, Box]
    ways: Mapping[str, Sequence[tuple[float, float]]]


def lay_out(figures: Sequence[Figure], lines: Sequence[Line]) -> Layout:
    """Return where figures are drawn.

    The editor's positions are kept, but moved apart evenly if figures would overlap. Where one figure has no position,
    or two have the same, all are laid out again.

    :param figures: in the order of the flow: a line to an earlier one, or to itself, leads back.
    """
    boxes = _from_canvas(figures)
    return Layout(boxes, {}) if boxes else _in_layers(figures, lines)


def _from_canvas(figures: Sequence[Figure]) -> dict[str, Box] | None:
    boxes = {}
    for figure in figures:
        x, y = map(_coordinate, figure.place or (None, None))
        if x is None or y is None:
            return None
        boxes[figure.id] = box_at(figure.shape, x, y)
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
    """Stretch the picture until no figures overlap; ``None`` if that would take too much."""
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
    return {key: Box(box.x * stretch_x, box.y * stretch_y, box.width, box.height) for key, box in boxes.items()}


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


def _in_layers(figures: Sequence[Figure], lines: Sequence[Line]) -> Layout:
    order = {figure.id: number for number, figure in enumerate(figures)}
    column = dict.fromkeys(order, 0)
    forward = sorted(
        (line for line in lines if order[line.source] < order[line.target]), key=lambda line: order[line.source]
    )
    for line in forward:
        column[line.target] = max(column[line.target], column[line.source] + 1)
    layers: list[dict[_Place, list[_Place]]] = [{} for _ in range(1 + max(column.values(), default=0))]
    for figure in figures:
        layers[column[figure.id]][figure.id, ""] = []
    for line in forward:
        # A line over several layers takes up room in each, as figures do, so that no figure is drawn on it.
        source: _Place = (line.source, "")
        for number in range(column[line.source] + 1, column[line.target]):
            layers[number][line.source, line.id] = [source]
            source = (line.source, line.id)
        layers[column[line.target]][line.target, ""].append(source)
    rows = _rows(layers)
    top = min((min(each.values()) for each in rows if each), default=0.0)
    at = {
        (number, place): (100 + number * _COLUMN, 100 + (row - top) * _ROW)
        for number, each in enumerate(rows)
        for place, row in each.items()
    }
    boxes = {each.id: Box(*at[column[each.id], (each.id, "")], *size_of(each.shape)) for each in figures}
    ways = {
        line.id: [at[number, (line.source, line.id)] for number in range(column[line.source] + 1, column[line.target])]
        for line in forward
    }
    return Layout(boxes, {line_id: way for line_id, way in ways.items() if way})


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
    """Move figures of one layer apart, to at least one row each, as little as that takes."""
    placed: dict[_Place, float] = {}
    lowest = -math.inf
    for place in sorted(wished, key=lambda place: wished[place]):
        lowest = max(wished[place], lowest + 1)
        placed[place] = lowest
    shift = sum(placed[place] - wished[place] for place in wished) / max(len(wished), 1)
    return {place: row - shift for place, row in placed.items()}


Point = tuple[float, float]

_STUB = 16.0
_BELOW = 22.0
_NEARLY_LEVEL = 12.0


def route(source: Box, target: Box, sides: tuple[str, str] | None, way: Sequence[Point] = ()) -> list[Point]:
    """Return the corners of the line from one node to another, its ends included.

    :param sides: where the editor has attached it; ``None``: at the right, and at the left.
    :param way: points that it passes, from left to right.
    """
    if way:
        return _along([source.side("Right"), *way, target.side("Left")])
    leaving, arriving = sides or ("Right", "Left")
    if leaving not in DIRECTIONS or arriving not in DIRECTIONS:
        leaving, arriving = "Right", "Left"
    start, end = source.side(leaving), target.side(arriving)
    if (leaving, arriving) == ("Right", "Left") and start[0] < end[0] and abs(start[1] - end[1]) <= _NEARLY_LEVEL:
        # Figures of different heights whose tops the editor has aligned.
        y = min(source, target, key=lambda box: box.height).y
        return [(start[0], y), (end[0], y)]
    first = _moved(start, DIRECTIONS[leaving])
    last = _moved(end, DIRECTIONS[arriving])
    return _without_repeats([start, first, *_between(first, last, leaving, arriving, source, target), last, end])


def _along(points: Sequence[Point]) -> list[Point]:
    corners = [points[0]]
    for one, other in itertools.pairwise(points):
        if one[1] != other[1]:
            middle = (one[0] + other[0]) / 2
            corners += [(middle, one[1]), (middle, other[1])]
    return _without_repeats([*corners, points[-1]])


def _between(first: Point, last: Point, leaving: str, arriving: str, source: Box, target: Box) -> list[Point]:
    horizontal, arrives_horizontal = leaving in ("Left", "Right"), arriving in ("Left", "Right")
    if horizontal != arrives_horizontal:
        return [(last[0], first[1])] if horizontal else [(first[0], last[1])]
    if horizontal:
        forward = DIRECTIONS[leaving][0] * (last[0] - first[0]) >= 0
        if forward and leaving != arriving:
            middle = (first[0] + last[0]) / 2
            return [(middle, first[1]), (middle, last[1])]
        row = _free_row(source, target)
        return [(first[0], row), (last[0], row)]
    middle = (first[1] + last[1]) / 2 if leaving != arriving else max(first[1], last[1])
    return [(first[0], middle), (last[0], middle)]


def _free_row(source: Box, target: Box) -> float:
    """Return the height at which a line passes between two rows of nodes, or below both if they are one row."""
    upper, lower = sorted((source, target), key=lambda box: box.y)
    bottom, top = upper.y + upper.height / 2, lower.y - lower.height / 2
    if top - bottom > _STUB:
        return (bottom + top) / 2
    return max(source.y + source.height / 2, target.y + target.height / 2, source.y + 27, target.y + 27) + _BELOW


def _moved(point: Point, direction: tuple[int, int]) -> Point:
    return point[0] + direction[0] * _STUB, point[1] + direction[1] * _STUB


def _without_repeats(points: list[Point]) -> list[Point]:
    kept = points[:1]
    for point in points[1:]:
        if point != kept[-1]:
            kept.append(point)
    return kept

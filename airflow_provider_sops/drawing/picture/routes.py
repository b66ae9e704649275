"""How the lines between nodes run: at right angles, out of one side and into another."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from .shapes import DIRECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .shapes import Box

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

"""What is to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Shape(Enum):
    """What a figure looks like; the value is SOPS's word for such a node."""

    START = "EmptyStartEvent"
    END = "EmptyEndEvent"
    ACTIVITY = "ServiceActivity"
    SUBPROCESS = "SubProcess"
    PARALLEL = "ParallelGateway"
    CONDITIONAL_PARALLEL = "ConditionalParallelGateway"
    EXCLUSIVE = "ExclusiveGateway"
    CONVERGE = "ConvergeGateway"
    GATEWAY = "Gateway"
    """A gateway of unknown type; SOPS has no such word."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A node.

    :param name: what is written on it, or at a gateway below it; cut to fit.
    :param detail: a second line, on activities and subprocesses only.
    :param words: what is shown of it when it is pointed at.
    :param state: what is known of it: SOPS's words, ``SKIPPED`` for a node that failed and was skipped, and
        ``NOT_TAKEN`` for one that never runs. Any other is drawn plain.
    :param place: where the editor has its top left corner, as the tree says it; ignored unless both are numbers.
    :param is_optional: whether tasks may leave it out.
    :param link: address to which it leads; empty for none.
    :param is_chosen: whether it is marked as the one that is looked at.
    """

    id: str
    shape: Shape
    name: str = ""
    detail: str = ""
    words: str = ""
    state: str = ""
    place: tuple[Any, Any] | None = None
    is_optional: bool = False
    link: str = ""
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A sequence flow from one figure to another.

    :param source: id of a figure, as ``target``.
    :param label: what is written beside it; cut to fit.
    :param words: what is shown of the label when it is pointed at.
    :param sides: at which sides of the figures the editor has it begin and end: ``Left``, ``Right``, ``Top`` or
        ``Bottom``. None, or any other: at the right, and at the left.
    """

    id: str
    source: str
    target: str
    label: str = ""
    words: str = ""
    sides: tuple[str, str] | None = None


ACTIVITY_SIZE = (150.0, 54.0)
EVENT_SIZE = (44.0, 44.0)
GATEWAY_SIZE = (42.0, 42.0)
#: The size of a gateway in SOPS's editor, whose diamond sticks out of it.
_GATEWAY_IN_EDITOR = (34.0, 34.0)

ACTIVITIES = frozenset({Shape.ACTIVITY, Shape.SUBPROCESS})
EVENTS = frozenset({Shape.START, Shape.END})


@dataclass(frozen=True, slots=True)
class Box:
    """Where a figure is, by its centre, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def side(self, name: str) -> tuple[float, float]:
        """Return the middle of a side.

        :param name: ``Left``, ``Right``, ``Top`` or ``Bottom``, as SOPS calls where a line is attached.
        """
        dx, dy = DIRECTIONS[name]
        return self.x + dx * self.width / 2, self.y + dy * self.height / 2


#: The direction in which a line leaves a figure, by the side.
DIRECTIONS = {"Left": (-1, 0), "Right": (1, 0), "Top": (0, -1), "Bottom": (0, 1)}


def size_of(shape: Shape) -> tuple[float, float]:
    """Return the width and height of a shape."""
    if shape in ACTIVITIES:
        return ACTIVITY_SIZE
    return EVENT_SIZE if shape in EVENTS else GATEWAY_SIZE


def box_at(shape: Shape, left: float, top: float) -> Box:
    """Return the box of a shape whose top left corner the editor has at this position."""
    width, height = size_of(shape) if shape in ACTIVITIES | EVENTS else _GATEWAY_IN_EDITOR
    return Box(left + width / 2, top + height / 2, *size_of(shape))

"""How large each figure is drawn, and where it is."""

from __future__ import annotations

from dataclasses import dataclass

from .figures import Shape

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

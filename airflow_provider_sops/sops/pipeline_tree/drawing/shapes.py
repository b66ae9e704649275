"""How large each node is drawn, and where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Event

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node

#: Width and height in the editor of SOPS, whose positions are top left corners.
ACTIVITY_SIZE = (150.0, 54.0)
EVENT_SIZE = (44.0, 44.0)
GATEWAY_SIZE = (34.0, 34.0)


@dataclass(frozen=True, slots=True)
class Box:
    """Where a node is, by its centre, in pixels."""

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


#: Which way a line goes that leaves a node at a side.
DIRECTIONS = {"Left": (-1, 0), "Right": (1, 0), "Top": (0, -1), "Bottom": (0, 1)}


def size_of(node: Node) -> tuple[float, float]:
    """Return the width and height of a node's shape."""
    if isinstance(node, Activity):
        return ACTIVITY_SIZE
    return EVENT_SIZE if isinstance(node, Event) else GATEWAY_SIZE

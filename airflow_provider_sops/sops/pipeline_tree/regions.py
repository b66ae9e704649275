"""Regions: the parts into which a flow can be cut so that each runs as a SOPS task of its own.

A region is one activity, one gateway that decides, or one loop as a whole. Parallel and converge gateways and events do
nothing by themselves and belong to no region.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.pipeline_tree.nodes import DECIDING, Activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sops.sops.pipeline_tree.graph import Edge, Loop
    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey
    from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree


@dataclass(frozen=True, slots=True)
class Region:
    """One part of one level.

    :param nodes: its nodes, in the graph's order. What is inside subprocesses among them belongs to it too.
    :param exits: the flows that leave it, between which it decides; of an activity, which decides nothing, its only
        one.
    :param is_loop: whether its nodes lead back to each other.
    """

    nodes: tuple[NodeKey, ...]
    exits: tuple[Edge, ...] = field(repr=False)
    is_loop: bool = False
    decides: bool = False

    @property
    def key(self) -> NodeKey:
        """Its first node, after which it is called."""
        return self.nodes[0]

    @property
    def path(self) -> NodeKey:
        """The level that it belongs to."""
        return self.key[:-1]


def regions_of(tree: PipelineTree, path: NodeKey) -> Iterator[Region]:
    """Yield the regions of one level, in the graph's order; a subprocess outside of loops is one as well.

    :param path: the level's path.
    """
    begun: set[NodeKey] = set()
    loops: dict[NodeKey, Loop] = {key: loop for loop in tree.graph.loops for key in loop.nodes}
    for key in tree.graph.order:
        node = tree.nodes[key]
        loop = loops.get(key)
        if key[:-1] != path or key in begun:
            continue
        if loop is not None:
            begun.update(loop.nodes)
            yield Region(loop.nodes, loop.exits, is_loop=True, decides=True)
        elif isinstance(node, Activity) or node.type in DECIDING:
            yield Region((key,), tree.graph.outgoing[key], decides=node.type in DECIDING)

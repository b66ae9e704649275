"""What is left of a level when SOPS creates a task without some of its activities.

An excluded activity is spliced out: the flows that led to it lead on to the node behind it. A parallel gateway all of
whose branches have become empty vanishes with its converge gateway; of others the empty branches go. Exclusive and
conditional gateways stay, whatever is left of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.pipeline_tree.nodes import CONVERGE_GATEWAY, PARALLEL_GATEWAY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_sops.sops.pipeline_tree.levels import Flow, Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node


@dataclass(frozen=True, slots=True)
class Link:
    """A flow as it stands after the pruning."""

    flow: Flow
    source: str
    target: str


@dataclass(frozen=True)
class LevelGraph:
    """Nodes of one level and the flows between them.

    :param outgoing: the flows that leave each node, in order.
    :param incoming: the flows that lead to each node, in order.
    """

    nodes: Mapping[str, Node]
    outgoing: Mapping[str, list[Link]]
    incoming: Mapping[str, list[Link]]


def whole(level: Level) -> LevelGraph:
    """Return a level with all its nodes."""
    return without_activities(level, ())


def without_activities(level: Level, excluded: Collection[str], *, empty_branches: bool = True) -> LevelGraph:
    """Return a level as a task has it.

    :param excluded: ids of activities that the task leaves out.
    :param empty_branches: whether the branches that this leaves empty go too.
    """
    pruning = _Pruning(level)
    for node_id in excluded:
        pruning.splice_out(node_id, node_id)
    if excluded and empty_branches:
        pruning.remove_empty_branches()
    return LevelGraph(pruning.nodes, pruning.outgoing, pruning.incoming)


class _Pruning:
    def __init__(self, level: Level) -> None:
        self.nodes = dict(level.nodes)
        links = {flow.id: Link(flow, flow.source, flow.target) for flows in level.outgoing.values() for flow in flows}
        self.outgoing = {node_id: [links[flow.id] for flow in flows] for node_id, flows in level.outgoing.items()}
        self.incoming = {node_id: [links[flow.id] for flow in flows] for node_id, flows in level.incoming.items()}

    def splice_out(self, first: str, last: str) -> None:
        """Remove what begins at ``first`` and ends at ``last``, leading flows around it."""
        if self.outgoing[last]:
            leaving = self.outgoing[last][0]
            for link in list(self.incoming[first]):
                self._redirect(link, leaving.target, leaving)
        for link in [*self.incoming[first], *self.outgoing[last]]:
            self._remove(link)
        for node_id in {first, last}:
            del self.nodes[node_id], self.outgoing[node_id], self.incoming[node_id]

    def remove_empty_branches(self) -> None:
        """Remove them until there are none: a removed gateway may leave one empty around it."""
        removed = True
        while removed:
            removed = False
            for fork in [node_id for node_id, node in self.nodes.items() if node.type == PARALLEL_GATEWAY]:
                removed |= self._remove_empty_branches_of(fork)

    def _remove_empty_branches_of(self, fork: str) -> bool:
        empty = [link for link in self.outgoing[fork] if self.nodes[link.target].type == CONVERGE_GATEWAY]
        if not empty:
            return False
        converge = empty[0].target
        if len(empty) == len(self.outgoing[fork]) == len(self.incoming[converge]):
            for link in empty:
                self._remove(link)
            self.splice_out(fork, converge)
            return True
        # One way through stays, whatever happens.
        removable = empty if len(empty) < len(self.outgoing[fork]) else empty[1:]
        for link in removable:
            self._remove(link)
        return bool(removable)

    def _redirect(self, link: Link, target: str, instead_of: Link) -> None:
        new = Link(link.flow, link.source, target)
        self.outgoing[link.source] = [new if each is link else each for each in self.outgoing[link.source]]
        self.incoming[link.target].remove(link)
        self.incoming[target].insert(self.incoming[target].index(instead_of), new)

    def _remove(self, link: Link) -> None:
        self.outgoing[link.source].remove(link)
        self.incoming[link.target].remove(link)

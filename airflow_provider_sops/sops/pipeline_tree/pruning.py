"""What is left of a level when SOPS creates a task without some of its activities.

An excluded activity is spliced out: the sequence flows that led to it lead to the node behind it. A parallel gateway
whose branches have all become empty vanishes together with its converge gateway; others lose their empty branches.
Exclusive and conditional gateways stay, whatever is left of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.pipeline_tree.nodes import CONVERGE_GATEWAY, PARALLEL_GATEWAY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_sops.sops.pipeline_tree.levels import Level, SequenceFlow
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node


@dataclass(frozen=True, slots=True)
class LevelGraph:
    """Nodes of one level and the sequence flows between them, which may lead elsewhere than in the template.

    :param outgoing: the sequence flows that leave each node, in order.
    :param incoming: the sequence flows that lead to each node, in order.
    """

    nodes: Mapping[str, Node]
    outgoing: Mapping[str, list[SequenceFlow]]
    incoming: Mapping[str, list[SequenceFlow]]


def whole(level: Level) -> LevelGraph:
    """Return a level with all its nodes."""
    return without_activities(level, ())


def without_activities(level: Level, excluded: Collection[str], *, empty_branches: bool = True) -> LevelGraph:
    """Return a level as a task has it.

    :param excluded: ids of activities that the task leaves out.
    :param empty_branches: whether to remove the branches that have become empty.
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
        self.outgoing = {node_id: list(leaving) for node_id, leaving in level.outgoing.items()}
        self.incoming = {node_id: list(arriving) for node_id, arriving in level.incoming.items()}

    def splice_out(self, first: str, last: str) -> None:
        """Remove what begins at ``first`` and ends at ``last``; what led to it leads to the node behind it."""
        if self.outgoing[last]:
            leaving = self.outgoing[last][0]
            for arriving in list(self.incoming[first]):
                self._redirect(arriving, leaving)
        for sequence_flow in [*self.incoming[first], *self.outgoing[last]]:
            self._remove(sequence_flow)
        for node_id in {first, last}:
            del self.nodes[node_id], self.outgoing[node_id], self.incoming[node_id]

    def remove_empty_branches(self) -> None:
        """Remove empty branches until there are none: a removed gateway may leave the branch around it empty."""
        removed = True
        while removed:
            removed = False
            for fork in [node_id for node_id, node in self.nodes.items() if node.type == PARALLEL_GATEWAY]:
                removed |= self._remove_empty_branches_of(fork)

    def _remove_empty_branches_of(self, fork: str) -> bool:
        empty = [each for each in self.outgoing[fork] if self.nodes[each.target].type == CONVERGE_GATEWAY]
        if not empty:
            return False
        converge = empty[0].target
        if len(empty) == len(self.outgoing[fork]) == len(self.incoming[converge]):
            for sequence_flow in empty:
                self._remove(sequence_flow)
            self.splice_out(fork, converge)
            return True
        # One way through always stays.
        removable = empty if len(empty) < len(self.outgoing[fork]) else empty[1:]
        for sequence_flow in removable:
            self._remove(sequence_flow)
        return bool(removable)

    def _redirect(self, old: SequenceFlow, leaving: SequenceFlow) -> None:
        """Lead a sequence flow to the target of another, before which it is put."""
        new = replace(old, target=leaving.target)
        self.outgoing[old.source] = [new if each is old else each for each in self.outgoing[old.source]]
        self.incoming[old.target].remove(old)
        arriving = self.incoming[new.target]
        arriving.insert(arriving.index(leaving), new)

    def _remove(self, sequence_flow: SequenceFlow) -> None:
        self.outgoing[sequence_flow.source].remove(sequence_flow)
        self.incoming[sequence_flow.target].remove(sequence_flow)

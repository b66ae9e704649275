"""Which node's arrival proves that another will never run, and which that it will not run again.

SOPS does not report nodes that it passes by: their rows never appear in a task's status. A node that has a row has
*arrived*. This module tells from the tree alone what an arrival rules out.

Definition. In an execution, a token begins at the start event and moves along the sequence flows: an exclusive gateway
sends it along any one of its own, a conditional gateway splits it over one or more of them and a parallel gateway over
all of them, their converge gateway goes on with one token once all have come, and a subprocess is entered at its start
event and left at its end event. Every expression may come out either way, afresh in each round of a loop, since people
may also choose the way by hand. Nodes side by side arrive in any order. Then

* ``m`` may come before ``n`` if in some execution ``n`` arrives, for the first time or again, after ``m`` arrived;
* the arrival of ``m`` proves that ``n`` *runs no more* if ``m`` may not come before ``n``;
* it proves that ``n`` *never runs* if, moreover, some execution has ``m`` and not ``n``. (Otherwise it would prove
  nothing: whenever ``m`` has arrived, so has ``n``.)

So if ``m`` has a row, ``n`` has none and ``m`` is a proof, ``n`` will have none; and as soon as that is certain from
the set of nodes that have arrived, one of the proofs listed is among them.

Only the earliest proofs are listed, since all others come after them: the heads of the branches that an exclusive
gateway may choose instead, and the converge gateway of each conditional gateway around the node. (While the branches of
a conditional gateway begin one by one, the absence of one proves nothing.)

Whether the task goes on at all is not known here. Once a task has ended, no node runs any more.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.pipeline_tree.graph import strong_components
from airflow_provider_sops.sops.pipeline_tree.nodes import CONDITIONAL_PARALLEL_GATEWAY, PARALLEL_GATEWAY, Gateway

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from airflow_provider_sops.sops.pipeline_tree.branches import Branches
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey


class Certainty:
    """What the arrival of nodes rules out, for every node of a tree.

    Sets of nodes are kept as the bits of integers, which makes this fast for thousands of nodes. For a tree that SOPS
    would refuse the answers mean nothing.

    :param levels: all levels of the tree.
    :param branches: their branches, by the level's path.
    :param order: keys of all nodes, each after those that lead to it (except by back edges).
    """

    def __init__(self, levels: Sequence[Level], branches: Mapping[NodeKey, Branches], order: Sequence[NodeKey]) -> None:
        self._levels = levels
        self._branches = branches
        self._order = order
        self._place = {key: place for place, key in enumerate(order)}

    def never_runs(self, key: NodeKey) -> tuple[NodeKey, ...]:
        """Return the nodes whose arrival proves that this node, if it has not arrived yet, never will.

        :raises KeyError: there is no such node.
        """
        return self._keys_in(self._never[self._place[key]])

    def runs_no_more(self, key: NodeKey) -> tuple[NodeKey, ...]:
        """Return the nodes whose arrival proves that this node will not arrive any more.

        For a node in a loop these are the heads of the ways out of the loop. A node outside of loops arrives once, so
        that its own arrival proves it as well.

        :raises KeyError: there is no such node.
        """
        return self._keys_in(self._no_more[self._place[key]])

    def _keys_in(self, nodes: int) -> tuple[NodeKey, ...]:
        return tuple(self._order[place] for place in _places(nodes))

    @cached_property
    def _never(self) -> list[int]:
        ancestors, _ = self._upstream
        # Only in a loop can a node surely have arrived before an exclusive gateway that leads to it chose otherwise.
        return [
            self._without_those_behind(place, proofs) if ancestors[place] >> place & 1 else proofs
            for place, proofs in enumerate(self._no_more)
        ]

    def _without_those_behind(self, place: int, proofs: int) -> int:
        before = self._surely_before
        return _bits(proof for proof in _places(proofs) if not before[proof] >> place & 1)

    @cached_property
    def _no_more(self) -> list[int]:
        # Nodes side by side with this one may come before it as well, but are never among these: an exclusive gateway
        # cannot lead out of a branch.
        ancestors, alternatives = self._upstream
        return [
            (alternatives[place] | joins) & ~(ancestors[place] | 1 << place) for place, joins in enumerate(self._joins)
        ]

    @cached_property
    def _targets(self) -> list[list[int]]:
        """Where a token may go from each node; it passes through a subprocess by its start and end events."""
        targets: list[list[int]] = [[] for _ in self._order]
        for level in self._levels:
            for node in level.nodes.values():
                targets[self._leaving(node.key)] += [self._place[level.nodes[target].key] for target in node.targets]
            if level.path and level.start_id in level.nodes:
                targets[self._place[level.path]].append(self._place[level.nodes[level.start_id].key])
        return targets

    def _leaving(self, key: NodeKey) -> int:
        """Return where the token is when it leaves a node: inside a subprocess, at its end event."""
        while inner := self._inner_level.get(key):
            key = inner.nodes[inner.end_id].key
        return self._place[key]

    @cached_property
    def _inner_level(self) -> dict[NodeKey, Level]:
        """The level in each subprocess that has both events; others the token passes as it passes a plugin."""
        return {
            level.path: level
            for level in self._levels
            if level.path and level.start_id in level.nodes and level.end_id in level.nodes
        }

    @cached_property
    def _upstream(self) -> tuple[list[int], list[int]]:
        """For each node its ancestors, and the nodes right behind the exclusive gateways among them."""
        heads = [0] * len(self._order)
        for level in self._levels:
            for node in level.nodes.values():
                if isinstance(node, Gateway) and node.is_exclusive:
                    heads[self._place[node.key]] = _bits(self._targets[self._place[node.key]])
        ancestors, alternatives = [0] * len(self._order), [0] * len(self._order)
        sources = self._sources
        for component in reversed(strong_components(range(len(self._order)), dict(enumerate(self._targets)))):
            above, choices = 0, 0
            for place in component:
                for source in sources[place]:
                    above |= ancestors[source] | 1 << source
                    choices |= alternatives[source] | heads[source]
            for place in component:
                ancestors[place], alternatives[place] = above, choices
        return ancestors, alternatives

    @cached_property
    def _sources(self) -> list[list[int]]:
        sources: list[list[int]] = [[] for _ in self._order]
        for place, targets in enumerate(self._targets):
            for target in targets:
                sources[target].append(place)
        return sources

    @cached_property
    def _joins(self) -> list[int]:
        """For each node the converge gateways of the conditional gateways around it."""
        joins = [0] * len(self._order)
        for level in self._levels:
            for fork_id, converge_id in self._branches[level.path].converge_of.items():
                fork = level.nodes[fork_id]
                heads = {self._place[level.nodes[target].key] for target in fork.targets}
                # A single branch is always chosen.
                if fork.type == CONDITIONAL_PARALLEL_GATEWAY and len(heads) > 1:
                    converge = self._place[level.nodes[converge_id].key]
                    for place in self._reached(heads, converge):
                        joins[place] |= 1 << converge
        return joins

    def _reached(self, heads: Iterable[int], stop: int) -> list[int]:
        """Return the nodes that a token may reach from ``heads``, up to but without ``stop``."""
        seen = {stop}
        reached: list[int] = []
        waiting = list(heads)
        while waiting:
            place = waiting.pop()
            if place not in seen:
                seen.add(place)
                reached.append(place)
                waiting += self._targets[place]
        return reached

    @cached_property
    def _surely_before(self) -> list[int]:
        """For each node those that have always arrived when it does, including itself."""
        everything = (1 << len(self._order)) - 1
        before = [everything] * len(self._order)
        ways = self._ways
        changed = True
        while changed:
            changed = False
            for place, alternatives in enumerate(ways):
                known = everything if alternatives else 0
                for together in alternatives:
                    union = 0
                    for sources in together:
                        common = everything
                        for source in sources:
                            common &= before[source]
                        union |= common
                    known &= union
                known |= 1 << place
                if known != before[place]:
                    before[place] = known
                    changed = True
        return before

    @cached_property
    def _ways(self) -> list[list[list[list[int]]]]:
        """For each node the alternative ways to it; each is a list of what must come together.

        At the converge gateway of a parallel gateway that is one of the last nodes of each branch.
        """
        ways = [[[[source]] for source in sources] for sources in self._sources]
        for level in self._levels:
            branches = self._branches[level.path]
            for fork_id, converge_id in branches.converge_of.items():
                if level.nodes[fork_id].type == PARALLEL_GATEWAY:
                    ends = self._branch_ends(level, branches, fork_id, converge_id)
                    if ends:
                        ways[self._place[level.nodes[converge_id].key]] = [ends]
        return ways

    def _branch_ends(self, level: Level, branches: Branches, fork_id: str, converge_id: str) -> list[list[int]]:
        """Return the last nodes of each branch; none if the converge gateway is reached from elsewhere too."""
        ends: dict[int, list[int]] = {}
        for source in level.nodes[converge_id].sources:
            branch = branches.branch_of.get(source)
            while branch and branch.fork_id != fork_id:
                branch = branch.around
            if source != fork_id and branch is None:
                return []
            ends.setdefault(branch.number if branch else -1, []).append(self._leaving(level.nodes[source].key))
        return list(ends.values())


def _bits(places: Iterable[int]) -> int:
    mask = 0
    for place in places:
        mask |= 1 << place
    return mask


def _places(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest

"""A tree as a graph with stable keys: order, edges, loops."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from airflow_provider_sops.sops.pipeline_tree.levels import Level, SequenceFlow
    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey


@dataclass(frozen=True, slots=True)
class Edge:
    """A sequence flow between two nodes of one level, by their keys.

    :param is_back: whether it leads back to an earlier node: without the back edges there is no cycle.
    """

    source: NodeKey
    target: NodeKey
    sequence_flow: SequenceFlow
    is_back: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """Nodes of one level that lead back to each other, so that each may run several times.

    :param nodes: in the graph's order. Nodes inside subprocesses among them run as often, but are not listed.
    :param entries: the edges that lead into it.
    :param exits: the edges that leave it.
    """

    nodes: tuple[NodeKey, ...]
    entries: tuple[Edge, ...] = field(repr=False)
    exits: tuple[Edge, ...] = field(repr=False)


class Graph:
    """All levels of a tree together.

    The same tree always gives the same order, edges and loops. Edges connect nodes of one level; that a subprocess's
    inner nodes run within it follows from their keys.

    :param levels: each before those inside it.
    """

    def __init__(self, levels: Iterable[Level]) -> None:
        self._levels = tuple(levels)

    @cached_property
    def order(self) -> tuple[NodeKey, ...]:
        """Every node after those that lead to it (except by back edges) and after the subprocess around it.

        The nodes inside a subprocess follow right after it. Nodes that the start event does not reach come first.
        """
        inner = {level.path: [level.nodes[node_id].key for node_id in walk.order] for level, walk in self._walks}
        order: list[NodeKey] = []
        waiting = list(reversed(inner.get((), [])))
        while waiting:
            key = waiting.pop()
            order.append(key)
            waiting.extend(reversed(inner.get(key, [])))
        return tuple(order)

    @cached_property
    def order_in(self) -> Mapping[NodeKey, tuple[NodeKey, ...]]:
        """The order of the nodes of each level, by its path."""
        found: dict[NodeKey, list[NodeKey]] = {level.path: [] for level in self._levels}
        for key in self.order:
            found[key[:-1]].append(key)
        return {path: tuple(keys) for path, keys in found.items()}

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge, by level and then in the order of the sources."""
        return tuple(
            Edge(
                level.nodes[node_id].key,
                level.nodes[sequence_flow.target].key,
                sequence_flow,
                is_back=(node_id, sequence_flow.target) in walk.back,
            )
            for level, walk in self._walks
            for node_id in walk.order
            for sequence_flow in level.outgoing[node_id]
        )

    @cached_property
    def outgoing(self) -> Mapping[NodeKey, tuple[Edge, ...]]:
        """The edges that leave each node, in the order in which the node lists them."""
        found: dict[NodeKey, list[Edge]] = {key: [] for key in self.order}
        for edge in self.edges:
            found[edge.source].append(edge)
        return {key: tuple(edges) for key, edges in found.items()}

    @cached_property
    def incoming(self) -> Mapping[NodeKey, tuple[Edge, ...]]:
        """The edges that lead to each node, in the order of the sources."""
        found: dict[NodeKey, list[Edge]] = {key: [] for key in self.order}
        for edge in self.edges:
            found[edge.target].append(edge)
        return {key: tuple(edges) for key, edges in found.items()}

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The loops of all levels, in the order of their first nodes. Nested loops count as one."""
        return tuple(loop for level, walk in self._walks for loop in self._loops_of(level, walk.order))

    @cached_property
    def loop_of(self) -> Mapping[NodeKey, Loop]:
        """The outermost loop that holds a node, or a subprocess around it; nodes outside of loops are left out."""
        direct = {key: loop for loop in self.loops for key in loop.nodes}
        if not direct:
            return {}
        found = {}
        for key in self.order:
            around = (key[:depth] for depth in range(1, len(key) + 1))
            if loop := next((direct[part] for part in around if part in direct), None):
                found[key] = loop
        return found

    @cached_property
    def _walks(self) -> list[tuple[Level, DepthFirst]]:
        # The start event is a level's first node.
        return [(level, depth_first(level.nodes, level.targets)) for level in self._levels]

    def _loops_of(self, level: Level, order: Sequence[str]) -> list[Loop]:
        targets = level.targets
        place = {node_id: position for position, node_id in enumerate(order)}
        components = [
            sorted(component, key=place.__getitem__)
            for component in strong_components(order, targets)
            if len(component) > 1 or component[0] in targets[component[0]]
        ]
        components.sort(key=lambda component: place[component[0]])
        return [self._loop(tuple(level.nodes[node_id].key for node_id in component)) for component in components]

    def _loop(self, nodes: tuple[NodeKey, ...]) -> Loop:
        inside = set(nodes)
        return Loop(
            nodes=nodes,
            entries=tuple(edge for key in nodes for edge in self.incoming[key] if edge.source not in inside),
            exits=tuple(edge for key in nodes for edge in self.outgoing[key] if edge.target not in inside),
        )


T = TypeVar("T", bound="Hashable")


@dataclass(frozen=True, slots=True)
class DepthFirst:
    """What a depth-first walk finds.

    :param order: every node that was reached, each after its predecessors (except by back edges).
    :param back: the edges that lead back to a node on the way to them: without these there is no cycle.
    """

    order: tuple[str, ...]
    back: frozenset[tuple[str, str]]


def depth_first(roots: Iterable[str], targets: Mapping[str, Sequence[str]]) -> DepthFirst:
    """Walk a graph depth-first from each root that an earlier one did not reach."""
    seen: set[str] = set()
    back: set[tuple[str, str]] = set()
    parts = [_walk(root, targets, seen, back) for root in roots if root not in seen]
    # Nothing leads from an earlier root's part to a later one's.
    return DepthFirst(tuple(node for part in reversed(parts) for node in reversed(part)), frozenset(back))


def _walk(root: str, targets: Mapping[str, Sequence[str]], seen: set[str], back: set[tuple[str, str]]) -> list[str]:
    """Return what is newly reached, each node after all that it leads to."""
    finished: list[str] = []
    on_the_way = {root}
    seen.add(root)
    # From the last successor to the first: reversed, the order then begins with the first.
    way: list[tuple[str, Iterator[str]]] = [(root, reversed(targets[root]))]
    while way:
        node, rest = way[-1]
        for target in rest:
            if target in on_the_way:
                back.add((node, target))
            elif target not in seen:
                seen.add(target)
                on_the_way.add(target)
                way.append((target, reversed(targets[target])))
                break
        else:
            way.pop()
            on_the_way.discard(node)
            finished.append(node)
    return finished


def strong_components(nodes: Iterable[T], targets: Mapping[T, Sequence[T]]) -> list[list[T]]:
    """Return the strongly connected components by Tarjan's algorithm, each before those that lead to it."""
    components: list[list[T]] = []
    number: dict[T, int] = {}
    low: dict[T, int] = {}
    open_nodes: list[T] = []
    placed: set[T] = set()
    for root in nodes:
        if root in number:
            continue
        way: list[tuple[T, Iterator[T]]] = [(root, iter(targets[root]))]
        number[root] = low[root] = len(number)
        open_nodes.append(root)
        while way:
            node, rest = way[-1]
            for target in rest:
                if target not in number:
                    number[target] = low[target] = len(number)
                    open_nodes.append(target)
                    way.append((target, iter(targets[target])))
                    break
                if target not in placed:
                    low[node] = min(low[node], number[target])
            else:
                way.pop()
                if way:
                    low[way[-1][0]] = min(low[way[-1][0]], low[node])
                if low[node] == number[node]:
                    components.append(_cut_off(open_nodes, node))
                    placed.update(components[-1])
    return components


def _cut_off(stack: list[T], first: T) -> list[T]:
    position = len(stack) - 1
    while stack[position] != first:
        position -= 1
    component = stack[position:]
    del stack[position:]
    return component


def post_dominators(end: str, targets: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return for each node the first one that every way from it to ``end`` passes.

    By the iterative algorithm of Cooper, Harvey and Kennedy on the reversed graph. Nodes without a way to ``end`` are
    left out, as is ``end`` itself.
    """
    sources: dict[str, list[str]] = {node: [] for node in targets}
    for node, following in targets.items():
        for target in following:
            sources[target].append(node)
    order = depth_first([end], sources).order
    rank = {node: position for position, node in enumerate(order)}
    nearest = {end: end}
    changed = True
    while changed:
        changed = False
        for node in order[1:]:
            known = [target for target in targets[node] if target in nearest and target in rank]
            meeting = known[0]
            for other in known[1:]:
                meeting = _meeting(meeting, other, nearest, rank)
            if nearest.get(node) != meeting:
                nearest[node] = meeting
                changed = True
    del nearest[end]
    return nearest


def _meeting(one: str, other: str, nearest: Mapping[str, str], rank: Mapping[str, int]) -> str:
    while one != other:
        while rank[one] > rank[other]:
            one = nearest[one]
        while rank[other] > rank[one]:
            other = nearest[other]
    return one

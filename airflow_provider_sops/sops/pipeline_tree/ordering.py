"""Orders of a directed graph: depth-first, strongly connected components, immediate post-dominators.

Plain graph theory, without recursion, so that chains of thousands of nodes work. ``targets`` maps every node to its
successors, in the order in which to visit them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

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

"""All executions of a small tree, step by step, as SOPS's engine moves its tokens.

Written against the web tree alone, so that it shares nothing with what it is to check. It needs the
``converge_gateway_id`` that ``web_tree`` notes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = tuple[str, ...]


@dataclass(frozen=True)
class _Token:
    """Where one process of the engine is.

    :param joins: converge gateways that it must not pass, each with its fork, the innermost last.
    :param begun: whether the node there has arrived; the branches of a fork begin one by one.
    """

    at: Key
    joins: tuple[tuple[Key, Key], ...] = ()
    begun: bool = True


@dataclass(frozen=True)
class State:
    """One moment of an execution.

    :param waiting: for each fork how many branches have not come yet.
    """

    tokens: frozenset[_Token]
    waiting: frozenset[tuple[Key, int]]
    arrived: frozenset[Key]


class TooManyStatesError(Exception):
    """The tree has more states than were asked for."""


class Executions:
    """Every state that a tree may come into, and what may still arrive from each.

    :raises TooManyStatesError: there are more than ``most``.
    """

    def __init__(self, tree: Any, most: int) -> None:
        self._levels: dict[Key, Any] = {}
        self._add_level(tree, ())
        start = (tree["start_event"]["id"],)
        first = State(frozenset({_Token(start)}), frozenset(), frozenset({start}))
        self._next: dict[State, tuple[State, ...]] = {}
        todo = [first]
        while todo:
            state = todo.pop()
            if state in self._next:
                continue
            if len(self._next) >= most:
                raise TooManyStatesError
            self._next[state] = tuple(self._steps(state))
            todo += self._next[state]
        self._future = self._futures()

    def still_possible(self) -> dict[frozenset[Key], frozenset[Key]]:
        """Return for each set of nodes that may have arrived those that may arrive next or later."""
        possible: dict[frozenset[Key], frozenset[Key]] = {}
        for state, future in self._future.items():
            possible[state.arrived] = possible.get(state.arrived, frozenset()) | future
        return possible

    def _add_level(self, tree: Any, path: Key) -> None:
        events = {tree[name]["id"]: tree[name] for name in ("start_event", "end_event")}
        self._levels[path] = {"nodes": {**tree["activities"], **tree["gateways"], **events}, "tree": tree}
        for node_id, activity in tree["activities"].items():
            if "pipeline" in activity:
                self._add_level(activity["pipeline"], (*path, node_id))

    def _futures(self) -> dict[State, frozenset[Key]]:
        """Sweep until nothing changes: an arrival behind a state is possible from all states before it."""
        future = {state: frozenset[Key]() for state in self._next}
        changed = True
        while changed:
            changed = False
            for state in reversed(self._next):
                new = future[state].union(
                    *(self._arriving(state, after) | future[after] for after in self._next[state])
                )
                if new != future[state]:
                    future[state] = new
                    changed = True
        return future

    @staticmethod
    def _arriving(state: State, after: State) -> frozenset[Key]:
        return frozenset(token.at for token in after.tokens - state.tokens if token.begun)

    def _steps(self, state: State) -> Iterator[State]:
        for token in state.tokens:
            if not token.begun:
                yield self._begun(state, token)
                continue
            for targets in self._choices(token.at):
                yield self._moved(state, token, targets)

    def _choices(self, key: Key) -> Iterator[tuple[Key, ...]]:
        """Yield the sets of nodes to which the token may go on."""
        level = self._levels[key[:-1]]
        node = level["nodes"][key[-1]]
        if "pipeline" in node:
            yield ((*key, node["pipeline"]["start_event"]["id"]),)
            return
        while node["type"] == "EmptyEndEvent":
            if not key[:-1]:
                yield ()
                return
            key = key[:-1]
            level = self._levels[key[:-1]]
            node = level["nodes"][key[-1]]
        outgoing = node["outgoing"] if isinstance(node["outgoing"], list) else [node["outgoing"]]
        targets = [(*key[:-1], level["tree"]["flows"][flow]["target"]) for flow in outgoing]
        if node["type"] == "ExclusiveGateway":
            yield from ((target,) for target in targets)
        elif node["type"] == "ConditionalParallelGateway":
            for count in range(1, len(targets) + 1):
                yield from itertools.combinations(targets, count)
        else:
            yield tuple(targets)

    @staticmethod
    def _begun(state: State, token: _Token) -> State:
        tokens = state.tokens - {token} | {_Token(token.at, token.joins)}
        return State(tokens, state.waiting, state.arrived | {token.at})

    def _moved(self, state: State, token: _Token, targets: tuple[Key, ...]) -> State:
        tokens, waiting, arrived = set(state.tokens - {token}), dict(state.waiting), set(state.arrived)
        joins = token.joins
        node = self._levels[token.at[:-1]]["nodes"][token.at[-1]]
        if converge := node.get("converge_gateway_id"):
            joins = (*joins, ((*token.at[:-1], converge), token.at))
            # The engine starts one process for each target, however many flows lead to it.
            targets = tuple(dict.fromkeys(targets))
            waiting[token.at] = len(targets)
        for target in targets:
            if joins and target == joins[-1][0]:
                fork = joins[-1][1]
                waiting[fork] -= 1
                if waiting[fork] == 0:
                    del waiting[fork]
                    tokens.add(_Token(target, joins[:-1]))
                    arrived.add(target)
            elif len(targets) > 1:
                tokens.add(_Token(target, joins, begun=False))
            else:
                tokens.add(_Token(target, joins))
                arrived.add(target)
        return State(frozenset(tokens), frozenset(waiting.items()), frozenset(arrived))

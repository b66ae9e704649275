"""What Airflow has to show for each node, worked out from a run of the flow in SOPS alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tests.pipeline_trees.executions import Executions, TooManyStatesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.differential.sops_run import Key, Row, SopsRun

_MOST_STATES = 20_000


class Fate(StrEnum):
    """What became of a node."""

    #: It has run and will not run again.
    ENDED = "ended"
    FAILED = "failed"
    #: The flow is over without it, or it is certain that the flow goes on without it.
    PASSED_BY = "passed by"
    #: A failure keeps the flow from reaching it, or from reaching it again.
    HELD_UP = "held up"
    #: It was left out of the task.
    ABSENT = "absent"
    #: It was left out of a task that has failed, maybe before its place.
    ABSENT_IN_FAILED = "absent in a failed flow"
    #: The flow has taken another branch, which a failure keeps from showing.
    UNDECIDED = "undecided"
    #: It has run in what was the last round of a loop, which a failure keeps from showing.
    MAYBE_AGAIN = "maybe again"


#: The states of a task instance that show it.
STATES = {
    Fate.ENDED: {"success"},
    Fate.FAILED: {"failed"},
    Fate.PASSED_BY: {"skipped"},
    Fate.HELD_UP: {"failed", "upstream_failed"},
    Fate.ABSENT: {"skipped"},
    Fate.ABSENT_IN_FAILED: {"skipped", "upstream_failed"},
    Fate.UNDECIDED: {"failed", "upstream_failed", "skipped"},
    Fate.MAYBE_AGAIN: {"failed", "upstream_failed", "success"},
}


@dataclass(frozen=True)
class Expected:
    """A node.

    :param row: ``None`` if the flow has not reached it.
    """

    fate: Fate
    row: Row | None = None


def expect(run: SopsRun, template: Any) -> dict[Key, Expected]:
    """Return what has become of each plugin node and gateway of the template."""
    ahead = _Ahead(run)
    return {key: _expected(key, run, ahead) for key in _shown(template, ())}


def _shown(tree: Any, around: Key) -> Iterator[Key]:
    yield from ((*around, gateway_id) for gateway_id in tree["gateways"])
    for node_id, activity in tree["activities"].items():
        if "pipeline" in activity:
            yield from _shown(activity["pipeline"], (*around, node_id))
        else:
            yield (*around, node_id)


def _expected(key: Key, run: SopsRun, ahead: _Ahead) -> Expected:
    if key not in run.ids:
        return Expected(Fate.ABSENT if run.state == "FINISHED" else Fate.ABSENT_IN_FAILED)
    row = run.rows.get(key)
    if run.state == "FINISHED":
        return Expected(Fate.PASSED_BY) if row is None else Expected(Fate.ENDED, row)
    if row is None:
        if key in ahead.of_failures:
            return Expected(Fate.HELD_UP)
        return Expected(Fate.UNDECIDED if ahead.may_still_seem_possible(key) else Fate.PASSED_BY)
    if row.state == "FAILED":
        return Expected(Fate.FAILED, row)
    if key in ahead.of_failures:
        return Expected(Fate.HELD_UP, row)
    may_seem_to_run_again = ahead.is_in_loop(key) and ahead.may_still_seem_possible(key)
    return Expected(Fate.MAYBE_AGAIN if may_seem_to_run_again else Fate.ENDED, row)


class _Ahead:
    """What lies before a flow that rests."""

    def __init__(self, run: SopsRun) -> None:
        self._run = run
        self._keys = {node_id: key for key, node_id in run.ids.items()}
        self._targets: dict[str, list[str]] = {}
        self._inner: dict[str, Any] = {}
        self._add_level(run.tree, None)
        # A subprocess is FAILED because of what is inside it.
        failed = [
            run.ids[key] for key, row in run.rows.items() if row.state == "FAILED" and run.ids[key] not in self._inner
        ]
        self.of_failures = {self._keys[node_id] for node_id in self._reached(failed)}

    def is_in_loop(self, key: Key) -> bool:
        """Whether a way leads from a node back to it."""
        node_id = self._run.ids[key]
        return node_id in self._reached([node_id])

    def may_still_seem_possible(self, key: Key) -> bool:
        """Whether the nodes that have arrived, and nothing else, leave it open that this one arrives (again)."""
        try:
            possible = Executions(self._run.tree, _MOST_STATES).still_possible()
        except TooManyStatesError:
            return True
        arrived = frozenset(self._path(each) for each in self._run.rows)
        return self._path(key) in possible[arrived]

    def _add_level(self, tree: Any, around: str | None) -> None:
        for flow in tree["flows"].values():
            self._targets.setdefault(flow["source"], []).append(flow["target"])
        if around is not None:
            self._inner[around] = tree
            self._targets.setdefault(tree["end_event"]["id"], []).append(around)
        for activity in tree["activities"].values():
            if "pipeline" in activity:
                self._add_level(activity["pipeline"], activity["id"])

    def _reached(self, failed: Iterable[str]) -> set[str]:
        """Return what can be reached behind these nodes, though not the ends of subprocesses on the way."""
        reached: set[str] = set()
        # A subprocess is entered by a flow that leads to it, and left by its end event.
        waiting = [(target, node_id) for node_id in failed for target in self._targets.get(node_id, ())]
        while waiting:
            here, before = waiting.pop()
            inner = self._inner.get(here)
            if inner is not None and before == inner["end_event"]["id"]:
                waiting += [(target, here) for target in self._targets.get(here, ())]
                continue
            if here in reached:
                continue
            reached.add(here)
            onward = [inner["start_event"]["id"]] if inner else self._targets.get(here, [])
            waiting += [(target, here) for target in onward]
        return reached

    def _path(self, key: Key) -> Key:
        return tuple(self._run.ids[key[:depth]] for depth in range(1, len(key) + 1))

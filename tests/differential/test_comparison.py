"""What counts as a difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.differential.comparison import differences
from tests.differential.expectation import Expected, Fate
from tests.differential.sops_run import Key, Row, SopsRun
from tests.differential.watched_run import Shown, WatchedRun

RAN = Row("FINISHED", loop=2, retry=1, skip=False, error_ignored=False, outputs={"n": 1}, error="")
FAILED = Row("FAILED", loop=1, retry=0, skip=False, error_ignored=False, outputs={"n": 1}, error="no disk")
SOPS = SopsRun("FINISHED", {}, {("a",): "n1", ("b",): "n2"}, {("a",): RAN}, {"out": "1"})
EXPECTED: dict[Key, Expected] = {("a",): Expected(Fate.ENDED, RAN), ("b",): Expected(Fate.PASSED_BY)}
NODE = {"outcome": "finished", "state": "FINISHED", "loop": 2, "retry": 1, "node_id": "n1"}
SHOWN = Shown("success", {"n": 1}, NODE)
WATCHED = WatchedRun(
    state="success",
    sops_task_id=1,
    flow=Shown("success", {"out": "1"}),
    nodes={("a",): SHOWN, ("b",): Shown("skipped", None)},
)


def found(**nodes: Shown) -> list[str]:
    shown: dict[Key, Shown] = {**WATCHED.nodes, **{(name,): node for name, node in nodes.items()}}
    return differences(EXPECTED, SOPS, replace(WATCHED, nodes=shown), SOPS)


def test_what_is_the_same_is_no_difference() -> None:
    assert not found()


@pytest.mark.parametrize(
    "shown",
    [
        replace(SHOWN, state="skipped"),
        replace(SHOWN, state="upstream_failed"),
        replace(SHOWN, returned={"n": "1"}),
        replace(SHOWN, returned={"n": 1.0}),
        replace(SHOWN, returned={"n": True}),
        replace(SHOWN, returned={}),
        replace(SHOWN, returned=None),
        replace(SHOWN, node={**NODE, "loop": 1}),
        replace(SHOWN, node={**NODE, "retry": 0}),
        replace(SHOWN, node={**NODE, "outcome": "error ignored"}),
        replace(SHOWN, node={**NODE, "node_id": "n2"}),
        replace(SHOWN, node=None),
    ],
)
def test_a_node_that_ran_is_shown_with_how_often_how_it_ended_and_its_outputs(shown: Shown) -> None:
    assert [text.partition(":")[0] for text in found(a=shown)] == ["a"]


@pytest.mark.parametrize("shown", [Shown("success", None), Shown("failed", None), Shown("skipped", {})])
def test_a_node_that_did_not_run_is_skipped_and_returns_nothing(shown: Shown) -> None:
    assert [text.partition(":")[0] for text in found(b=shown)] == ["b"]


@pytest.mark.parametrize(("error", "differs"), [("node n1 failed: no disk", False), ("no network", True), ("", True)])
def test_a_failed_node_says_why(error: str, *, differs: bool) -> None:
    node = {"outcome": "failed", "state": "FAILED", "loop": 1, "retry": 0, "node_id": "n1", "error": error}
    run = SopsRun("FAILED", {}, {("a",): "n1"}, {("a",): FAILED}, {})
    watched = WatchedRun("failed", 1, Shown("failed", None), {("a",): Shown("failed", None, node)})

    expected: dict[Key, Expected] = {("a",): Expected(Fate.FAILED, FAILED)}

    assert bool(differences(expected, run, watched, run)) == differs


@pytest.mark.parametrize(
    "watched",
    [
        replace(WATCHED, state="failed"),
        replace(WATCHED, flow=Shown("failed", None)),
        replace(WATCHED, flow=Shown("success", {"out": 1})),
        replace(WATCHED, nodes={("a",): SHOWN}),
    ],
)
def test_the_flow_as_a_whole_is_compared(watched: WatchedRun) -> None:
    assert differences(EXPECTED, SOPS, watched, SOPS)


def test_sops_itself_has_to_run_both_alike() -> None:
    other: Any = replace(SOPS, rows={("a",): replace(RAN, retry=0)})

    assert len(differences(EXPECTED, SOPS, WATCHED, other)) == 1

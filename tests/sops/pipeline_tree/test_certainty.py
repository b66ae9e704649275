from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from tests.pipeline_trees.executions import Executions, TooManyStatesError
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import pipeline_tree, subprocess

if TYPE_CHECKING:
    from tests.pipeline_trees.blocks import Flow

MOST_STATES = 1500


def keys(*ids: str) -> set[tuple[str, ...]]:
    return {tuple(key.split("/")) for key in ids}


def never(tree: Any, key: str) -> set[tuple[str, ...]]:
    return set(PipelineTree(tree).certainty.never_runs(tuple(key.split("/"))))


def no_more(tree: Any, key: str) -> set[tuple[str, ...]]:
    return set(PipelineTree(tree).certainty.runs_no_more(tuple(key.split("/"))))


def ruled_out(tree: PipelineTree, arrived: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The nodes that never run once these have arrived."""
    return {key for key in tree.nodes if key not in arrived and arrived & set(tree.certainty.never_runs(key))}


CHOICE = pipeline_tree(
    "start > e > a > a2 > v > last > end",
    "start > e > b > v > last > end",
    nodes={"e": "ExclusiveGateway", "v": "ConvergeGateway"},
)


@pytest.mark.parametrize(("node", "proofs"), [("a", ["b"]), ("a2", ["b"]), ("b", ["a"])])
def test_a_branch_is_ruled_out_by_the_first_node_of_another(node: str, proofs: list[str]) -> None:
    assert never(CHOICE, node) == keys(*proofs)


@pytest.mark.parametrize("node", ["start", "e", "v", "last", "end"])
def test_nothing_rules_out_what_always_runs(node: str) -> None:
    assert never(CHOICE, node) == set()


def test_an_empty_branch_is_shown_by_the_node_that_it_leads_to() -> None:
    tree = pipeline_tree(
        "start > e > a > v > end", "start > e > v > end", nodes={"e": "ExclusiveGateway", "v": "ConvergeGateway"}
    )

    assert never(tree, "a") == keys("v")


def test_branches_of_a_conditional_gateway_are_certain_only_once_all_have_met() -> None:
    tree = pipeline_tree(
        "start > c > a > v > end",
        "start > c > b > v > end",
        nodes={"c": "ConditionalParallelGateway", "v": "ConvergeGateway"},
    )

    assert (never(tree, "a"), never(tree, "b"), never(tree, "v")) == (keys("v"), keys("v"), set())


def test_all_branches_of_a_parallel_gateway_run() -> None:
    tree = pipeline_tree(
        "start > p > a > v > end", "start > p > b > v > end", nodes={"p": "ParallelGateway", "v": "ConvergeGateway"}
    )

    assert [never(tree, node) for node in ("a", "b", "v")] == [set(), set(), set()]


def test_a_node_side_by_side_proves_nothing_as_it_may_come_first() -> None:
    tree = pipeline_tree(
        "start > p > e > a > v > end",
        "start > p > e > b > v > end",
        "start > p > c > v > end",
        nodes={"p": "ParallelGateway", "e": "ExclusiveGateway", "v": "ConvergeGateway"},
    )

    assert never(tree, "a") == keys("b")
    assert ("c",) not in PipelineTree(tree).certainty.runs_no_more(("a",))


LOOP = pipeline_tree(
    "start > a > e1 > x > back > e2 > a",
    "start > a > e1 > y > back > e2 > last > end",
    nodes={"e1": "ExclusiveGateway", "e2": "ExclusiveGateway"},
)


def test_in_a_loop_the_other_branch_may_still_come_in_a_later_round() -> None:
    assert never(LOOP, "x") == never(LOOP, "y") == keys("last")


def test_leaving_a_loop_proves_nothing_of_what_every_round_passes() -> None:
    assert never(LOOP, "a") == never(LOOP, "e1") == never(LOOP, "back") == set()


def test_leaving_a_loop_proves_nothing_of_branches_that_every_round_runs() -> None:
    tree = pipeline_tree(
        "start > p > a > v > e > p",
        "start > p > b > v > e > last > end",
        nodes={"p": "ParallelGateway", "v": "ConvergeGateway", "e": "ExclusiveGateway"},
    )

    assert never(tree, "a") == never(tree, "b") == set()
    assert no_more(tree, "a") == no_more(tree, "b") == keys("last")


def test_a_node_in_a_loop_runs_no_more_once_the_loop_has_been_left() -> None:
    assert no_more(LOOP, "a") == no_more(LOOP, "x") == keys("last")


def test_what_a_subprocess_would_have_run_is_ruled_out_with_it() -> None:
    inner = pipeline_tree("s2 > x > e2")
    tree = pipeline_tree(
        "start > e > s > end", "start > e > b > end", nodes={"e": "ExclusiveGateway", "s": subprocess("s", inner)}
    )

    assert never(tree, "s") == never(tree, "s/x") == never(tree, "s/e2") == keys("b")


def test_inside_a_subprocess_that_a_loop_repeats_only_leaving_the_loop_is_proof() -> None:
    inner = pipeline_tree("s2 > e > x > e2", "s2 > e > y > e2", nodes={"e": "ExclusiveGateway"})
    tree = pipeline_tree(
        "start > s > g > s", "start > s > g > last > end", nodes={"g": "ExclusiveGateway", "s": subprocess("s", inner)}
    )

    assert never(tree, "s/x") == keys("last")


def test_a_folded_subprocess_is_a_node_like_any_other() -> None:
    tree = pipeline_tree(
        "start > e > s > end",
        "start > e > b > end",
        nodes={"e": "ExclusiveGateway", "s": {"type": "SubProcess", "name": "s", "template_id": "3"}},
    )

    assert never(tree, "b") == keys("s")


def test_what_has_arrived_is_never_ruled_out() -> None:
    tree = PipelineTree(CHOICE)

    assert ruled_out(tree, keys("start", "e", "b")) == keys("a", "a2")
    assert ruled_out(tree, keys("start", "e", "a", "a2", "b")) == set()
    assert ruled_out(tree, set()) == set()


def test_a_node_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        PipelineTree(CHOICE).certainty.never_runs(("nobody",))


@settings(max_examples=300)
@given(flows(failing=False, depth=2, longest=2))
def test_a_node_is_ruled_out_exactly_when_no_execution_can_reach_it_any_more(flow: Flow) -> None:
    tree = web_tree(flow)
    try:
        executions = Executions(tree, MOST_STATES)
    except TooManyStatesError:
        assume(False)
    read = PipelineTree(tree)

    for arrived, possible in executions.still_possible().items():
        assert ruled_out(read, set(arrived)) == set(read.nodes) - arrived - possible


@settings(max_examples=150)
@given(flows(failing=False, depth=2, longest=2))
def test_every_proof_may_arrive_without_what_it_rules_out(flow: Flow) -> None:
    tree = web_tree(flow)
    try:
        executions = Executions(tree, MOST_STATES)
    except TooManyStatesError:
        assume(False)
    certainty = PipelineTree(tree).certainty

    for key in PipelineTree(tree).nodes:
        for proof in certainty.never_runs(key):
            assert any(proof in arrived and key not in arrived for arrived in executions.still_possible())


@settings(max_examples=150)
@given(flows(failing=False, depth=2, longest=2))
def test_a_node_runs_no_more_exactly_when_no_execution_can_reach_it_again(flow: Flow) -> None:
    tree = web_tree(flow)
    try:
        executions = Executions(tree, MOST_STATES)
    except TooManyStatesError:
        assume(False)
    read = PipelineTree(tree)
    proofs = {key: set(read.certainty.runs_no_more(key)) for key in read.nodes}

    for arrived, possible in executions.still_possible().items():
        assert not {key for key in possible if proofs[key] & arrived}
        over = (set(read.graph.loop_of) & arrived) - possible
        assert all(proofs[key] & arrived for key in over)

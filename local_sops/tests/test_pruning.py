from __future__ import annotations

import pytest
from tree_fixtures import constant, display, edges_of, tree_of

from local_sops.trees import InvalidTreeError
from local_sops.trees.pruning import nodes_but, without_nodes

PARALLEL = {"fork": "ParallelGateway", "join": "ConvergeGateway"}


def test_flows_are_rejoined_around_an_excluded_node() -> None:
    tree = tree_of([display("a"), display("b"), display("c")], "start>a a>b b>c c>end")
    pruned = without_nodes(tree, ["b"])
    assert edges_of(pruned) == {"start>a", "a>c", "c>end"}
    assert list(pruned["activities"]) == ["a", "c"]
    assert pruned["activities"]["c"]["incoming"] == ["a-b"]


def test_the_given_tree_is_not_changed() -> None:
    tree = tree_of([display("a"), display("b")], "start>a a>b b>end")
    without_nodes(tree, ["a"])
    assert list(tree["activities"]) == ["a", "b"]


def test_an_empty_parallel_branch_goes_with_its_node() -> None:
    tree = tree_of(
        [display("a"), display("b"), display("c")],
        "start>fork fork>a fork>b fork>c a>join b>join c>join join>end",
        PARALLEL,
    )
    pruned = without_nodes(tree, ["a"])
    assert edges_of(pruned) == {"start>fork", "fork>b", "fork>c", "b>join", "c>join", "join>end"}
    assert pruned["gateways"]["fork"]["outgoing"] == ["fork-b", "fork-c"]
    assert pruned["gateways"]["join"]["incoming"] == ["b-join", "c-join"]


def test_a_parallel_gateway_without_branches_goes_with_its_converge_gateway() -> None:
    tree = tree_of(
        [display("a"), display("b"), display("tail")],
        "start>fork fork>a fork>b a>join b>join join>tail tail>end",
        PARALLEL,
    )
    pruned = without_nodes(tree, ["a", "b"])
    assert edges_of(pruned) == {"start>tail", "tail>end"}
    assert pruned["gateways"] == {}


def test_a_branch_that_held_only_an_emptied_gateway_goes_too() -> None:
    tree = tree_of(
        [display("a"), display("b"), display("c")],
        "start>fork fork>inner inner>a inner>b a>meet b>meet meet>join fork>c c>join join>end",
        {**PARALLEL, "inner": "ParallelGateway", "meet": "ConvergeGateway"},
    )
    pruned = without_nodes(tree, ["a", "b"])
    assert edges_of(pruned) == {"start>fork", "fork>c", "c>join", "join>end"}


def test_the_last_branch_of_a_parallel_gateway_stays() -> None:
    tree = tree_of([display("a"), display("b")], "start>fork fork>a fork>b a>join b>join join>end", PARALLEL)
    pruned = without_nodes(tree, ["a"])
    assert edges_of(pruned) == {"start>fork", "fork>b", "b>join", "join>end"}


def test_variables_of_an_excluded_node_lose_their_source() -> None:
    code = constant("code", "", source_type="component_outputs", source_info={"a": ["_result"]})
    tree = tree_of([display("a"), display("b")], "start>a a>b b>end", constants=[code])
    assert without_nodes(tree, ["a"])["constants"]["${code}"]["source_info"] == {}


@pytest.mark.parametrize(
    ("excluded", "reason"),
    [
        ("must", "task node[id=must] is not optional"),
        ("nowhere", "task node[id=nowhere] is not in template pipeline tree"),
    ],
)
def test_what_may_not_be_excluded_is_refused(excluded: str, reason: str) -> None:
    tree = tree_of([display("must", optional=False), display("may")], "start>must must>may may>end")
    with pytest.raises(InvalidTreeError) as caught:
        without_nodes(tree, [excluded])
    assert str(caught.value) == reason


def test_executing_some_nodes_excludes_all_others_and_ignores_unknown_ids() -> None:
    tree = tree_of([display("a"), display("b"), display("c")], "start>a a>b b>c c>end")
    assert nodes_but(tree, ["b", "nowhere"]) == ["a", "c"]

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import DECIDING, Activity
from airflow_provider_sops.sops.pipeline_tree.regions import regions_of
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import pipeline_tree, subprocess

if TYPE_CHECKING:
    from tests.pipeline_trees.blocks import Flow

P, C, E, V = "ParallelGateway", "ConditionalParallelGateway", "ExclusiveGateway", "ConvergeGateway"


def regions(tree: Any, *path: str) -> list[tuple[str, ...]]:
    """The ids of each region's nodes."""
    return [tuple(key[-1] for key in region.nodes) for region in regions_of(PipelineTree(tree), path)]


def test_every_activity_is_a_region_in_the_order_of_the_flow() -> None:
    assert regions(pipeline_tree("start > b > a > end")) == [("b",), ("a",)]


def test_parallel_and_converge_gateways_and_events_belong_to_none() -> None:
    tree = pipeline_tree("start > p > a > v > end", "start > p > b > v > end", nodes={"p": P, "v": V})

    assert sorted(regions(tree)) == [("a",), ("b",)]


@pytest.mark.parametrize("kind", [C, E])
def test_a_gateway_that_decides_is_one_with_an_exit_for_each_flow(kind: str) -> None:
    tree = pipeline_tree("start > g > a > v > end", "start > g > b > v > end", nodes={"g": kind, "v": V})
    found = {region.key: region for region in regions_of(PipelineTree(tree), ())}

    assert found.keys() == {("g",), ("a",), ("b",)}
    assert [edge.sequence_flow.id for edge in found[("g",)].exits] == ["g-a", "g-b"]
    assert (found[("g",)].decides, found[("g",)].is_loop) == (True, False)
    assert (found[("a",)].decides, len(found[("a",)].exits)) == (False, 1)


def test_a_loop_is_one_as_a_whole() -> None:
    tree = pipeline_tree("start > a > b > x > a", "start > a > b > x > d > end", nodes={"x": E})
    loop, behind = regions_of(PipelineTree(tree), ())

    assert [key[-1] for key in loop.nodes] == ["a", "b", "x"]
    assert (loop.is_loop, loop.decides, loop.path) == (True, True, ())
    assert [edge.sequence_flow.id for edge in loop.exits] == ["x-d"]
    assert behind.nodes == (("d",),)


def test_a_subprocess_is_one_and_so_is_each_part_of_what_is_inside() -> None:
    inner = pipeline_tree("s2 > x1 > y1 > e2")
    tree = pipeline_tree("start > a > call > end", nodes={"call": subprocess("call", inner)})

    assert regions(tree) == [("a",), ("call",)]
    assert regions(tree, "call") == [("x1",), ("y1",)]


def test_the_path_of_a_region_is_its_level() -> None:
    tree = pipeline_tree("start > call > end", nodes={"call": subprocess("call", pipeline_tree("s2 > x1 > e2"))})

    assert [region.path for region in regions_of(PipelineTree(tree), ("call",))] == [("call",)]


@given(flows())
def test_each_activity_and_each_gateway_that_decides_is_in_exactly_one(flow: Flow) -> None:
    tree = PipelineTree(web_tree(flow))
    for path, level in tree.levels.items():
        found = [key for region in regions_of(tree, path) for key in region.nodes]
        running = {node.key for node in level.nodes.values() if isinstance(node, Activity) or node.type in DECIDING}

        assert len(found) == len(set(found))
        assert running <= set(found) <= {node.key for node in level.nodes.values()}

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import pipeline_tree, subprocess

if TYPE_CHECKING:
    from tests.pipeline_trees.blocks import Flow

TREE = pipeline_tree("start > a > end")


@pytest.mark.parametrize(
    "answer",
    [
        TREE,
        {"pipeline_tree": TREE, "template": {"id": 3}},
        {"task_id": 5, "task_url": "", "pipeline_tree": TREE},
        {"result": True, "data": {"task_id": 5, "pipeline_tree": TREE}, "code": 0},
        {"result": True, "data": {"id": 3, "name": "deploy", "pipeline_tree": TREE}},
        {"result": True, "data": {"pipeline_tree": TREE, "constants_not_referred": {}}},
        {"result": True, "data": {"pipeline_tree": json.dumps(TREE)}},
    ],
    ids=["bare", "snapshot", "data", "create_task", "get_template_info", "preview_task_tree", "as text"],
)
def test_a_tree_is_found_in_whatever_holds_it(answer: Any) -> None:
    tree = PipelineTree.from_dict(answer)

    assert tree.to_dict() == TREE
    assert set(tree.nodes) == {("start",), ("a",), ("end",)}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([TREE], "no pipeline_tree found in a list"),
        ({}, "no pipeline_tree found in this object"),
        ({"result": True, "data": [1]}, "no pipeline_tree found in this object"),
        ({"result": False, "message": "no", "data": None}, "an error of SOPS"),
        ({"pipeline_tree": "schema_version: v1"}, "a text that is not JSON"),
        ({"pipeline_tree": {}}, "has no activities"),
        ({"pipeline_tree": None}, "has no activities"),
    ],
)
def test_where_there_is_no_tree_the_error_says_so(answer: Any, reason: str) -> None:
    with pytest.raises(SopsInvalidParameterError, match=reason):
        PipelineTree.from_dict(answer)


@given(flows())
def test_what_is_read_is_written_back_unchanged(flow: Flow) -> None:
    tree = web_tree(flow)
    before = copy.deepcopy(tree)
    read = PipelineTree.from_dict(tree)
    _ = (read.graph.edges, read.findings, read.variables, read.certainty.never_runs(next(iter(read.nodes))))

    assert read.to_dict() == tree == before
    assert json.dumps(read.to_dict()) == json.dumps(before)


def test_what_is_written_is_a_copy() -> None:
    tree = PipelineTree.from_dict(TREE)
    tree.to_dict()["activities"].clear()

    assert set(tree.to_dict()["activities"]) == {"a"}


def test_the_flow_inside_a_subprocess_is_a_tree_of_its_own() -> None:
    inner = pipeline_tree("s2 > x > e2")
    tree = PipelineTree(pipeline_tree("start > s > end", nodes={"s": subprocess("s", inner)}))

    assert set(tree.subtree(("s",)).nodes) == {("s2",), ("x",), ("e2",)}
    with pytest.raises(KeyError):
        tree.subtree(("a",))


def test_the_repr_is_short() -> None:
    assert repr(PipelineTree(TREE)) == "<PipelineTree with 3 nodes on 1 levels>"


def test_a_copy_is_the_tree_itself_which_nothing_changes() -> None:
    tree = PipelineTree(TREE)

    assert copy.deepcopy(tree) is tree


@given(flow=flows())
def test_it_can_be_pickled_whatever_was_computed_of_it(flow: Flow) -> None:
    tree = PipelineTree(web_tree(flow))
    assert tree.certainty is not None
    assert tree.variables is not None

    copied = pickle.loads(pickle.dumps(tree))

    assert copied.to_dict() == tree.to_dict()
    assert copied.nodes == tree.nodes

"""Finding a node in a task's tree."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.node_location import locate_node
from airflow_provider_sops.sops.node_result import NodeInTask
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from tests.sops.builders import activity, pipeline_tree
from tests.sops.builders import subprocess as sub

GATEWAYS = {"x": {"type": "ExclusiveGateway"}, "v": {"type": "ConvergeGateway"}}


def made_from(template_node_id: str, plugin: str = "bk_display") -> Any:
    return activity("a", plugin, template_node_id=template_node_id)


def test_by_the_tasks_own_id_or_by_the_templates() -> None:
    task = PipelineTree.from_dict(
        pipeline_tree("s > n1 > n2 > e", nodes={"n1": made_from("t1"), "n2": made_from("t2")})
    )
    for node_id in ("n1", "t1"):
        place = locate_node(task, node_id)
        assert place == NodeInTask(path=("n1",), never_after=place.never_after, plugin="bk_display")


def test_inside_a_subprocess_with_the_path_of_the_task() -> None:
    inner = pipeline_tree("s2 > n2 > e2", nodes={"n2": made_from("t2", "pause_node")})
    made = pipeline_tree("s > n1 > e", nodes={"n1": {**sub("call", inner), "template_node_id": "t1"}})
    place = locate_node(PipelineTree.from_dict(made), "t2")
    assert place.path == ("n1", "n2")
    assert place.waits_for_person


def test_an_unknown_id_is_refused_with_the_ids_that_there_are() -> None:
    task = PipelineTree.from_dict(pipeline_tree("s > n1 > e", nodes={"n1": made_from("t1")}))
    with pytest.raises(SopsInvalidParameterError, match="the task has no such node") as caught:
        locate_node(task, "nobody")
    assert "n1" in str(caught.value)


def test_an_id_of_the_template_that_is_there_twice_is_refused() -> None:
    def call(node_id: str) -> Any:
        return sub("call", pipeline_tree(f"s{node_id} > {node_id} > e{node_id}", nodes={node_id: made_from("t9")}))

    task = PipelineTree.from_dict(pipeline_tree("s > c1 > c2 > e", nodes={"c1": call("n1"), "c2": call("n2")}))
    with pytest.raises(SopsInvalidParameterError, match="2 nodes of the task") as caught:
        locate_node(task, "t9")
    assert "n1, n2" in str(caught.value)
    assert locate_node(task, "n2").path == ("c2", "n2")

"""The flow of which the benchmarks build DAGs is the same on all sides."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from airflow_provider_sops.dag_generator import PipelineTree, load_pipeline_tree
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from benchmarks.building.dag_files import BY_HAND, COSMOS, DAG_FACTORY, SOPS_DAG, write_dag_file
from benchmarks.building.graph import FlowGraph
from benchmarks.building.shapes import SHAPES

if TYPE_CHECKING:
    from pathlib import Path

GRAPH = FlowGraph.of(40)


def number(text: str) -> int:
    return int(text.rpartition("_")[2])


def test_a_flow_has_as_many_nodes_as_asked_for_in_whole_blocks() -> None:
    assert [len(FlowGraph.of(nodes).kinds) for nodes in (1, 20, 21, 100)] == [20, 20, 40, 100]


def test_a_flow_of_branches_forks_once_and_meets_again() -> None:
    graph = FlowGraph.of_branches(2, 3)

    assert graph.kinds == ["ParallelGateway", *["ServiceActivity"] * 6, "ConvergeGateway"]
    assert set(graph.edges) == {(0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (3, 7), (6, 7)}


def test_sops_would_accept_the_flow_of_sops_dag(tmp_path: Path) -> None:
    tree = load_pipeline_tree(write_dag_file(SOPS_DAG, GRAPH, tmp_path / "new").with_name("flow.json"))
    tree.check()
    names = {key: node.name for key, node in tree.nodes.items() if node.name}
    edges = {
        (names[edge.source], names[edge.target])
        for edge in tree.graph.edges
        if {edge.source, edge.target} <= names.keys()
    }
    assert edges == {(GRAPH.name(source), GRAPH.name(target)) for source, target in GRAPH.edges}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [20, 1000])
def test_sops_would_accept_flows_of_every_shape(shape: str, size: int) -> None:
    tree = PipelineTree.from_dict(SHAPES[shape](size))
    tree.check()
    plugin_nodes = sum(isinstance(node, Activity) for node in tree.nodes.values())
    assert size / 2 <= plugin_nodes <= size * 1.2 or size == 20


def test_the_dag_by_hand_has_the_edges_of_the_flow(tmp_path: Path) -> None:
    text = write_dag_file(BY_HAND, GRAPH, tmp_path / "new").read_text()
    found = re.findall(r"^    node_(\d+) >> (?:Label\('.+?'\) >> )?node_(\d+)$", text, re.MULTILINE)
    assert [(int(source), int(target)) for source, target in found] == GRAPH.edges
    assert text.count("Label(") == 2 * GRAPH.kinds.count("ExclusiveGateway")


def test_the_tasks_of_dag_factory_depend_on_those_before_them(tmp_path: Path) -> None:
    file = write_dag_file(DAG_FACTORY, GRAPH, tmp_path / "new").with_name("flow.yml")
    tasks = yaml.safe_load(file.read_text())["flow"]["tasks"][2:]
    found = [
        (number(before), number(task["task_id"]))
        for task in tasks
        for before in task["dependencies"]
        if before != "start"
    ]
    assert sorted(found) == sorted(GRAPH.edges)


def test_the_models_of_cosmos_depend_on_those_before_them(tmp_path: Path) -> None:
    file = write_dag_file(COSMOS, GRAPH, tmp_path / "new").with_name("manifest.json")
    nodes = json.loads(file.read_text())["nodes"]
    found = [(number(before), number(model)) for model, node in nodes.items() for before in node["depends_on"]["nodes"]]
    assert sorted(found) == sorted(GRAPH.edges)


@pytest.mark.parametrize("kind", [SOPS_DAG, BY_HAND, COSMOS, DAG_FACTORY])
def test_airflow_looks_into_the_file(kind: str, tmp_path: Path) -> None:
    text = write_dag_file(kind, GRAPH, tmp_path / "new").read_text().lower()
    assert "airflow" in text
    assert "dag" in text

"""The flow as DAG files of each kind, each in a folder of its own with what it reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from airflow_provider_sops.dag_generator.snapshot_files import write_snapshot
from airflow_provider_sops.sops.pipeline_tree.snapshot import read_snapshot
from benchmarks.building.web_tree import node_id, web_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.building.graph import FlowGraph

SOPS_DAG = "SopsDag"
BY_HAND = "by hand"
COSMOS = "astronomer-cosmos"
DAG_FACTORY = "dag-factory"

_FLOW_NODE = Path(__file__).with_name("flow_node.py")
#: Arguments of every node's task; the other sides get what ``SopsDag`` gives its own.
_ARGUMENTS: dict[str, Any] = {"trigger_rule": "none_failed", "timeout_seconds": 604800.0}

_SOPS_DAG_FILE = """\
from pathlib import Path

from airflow_provider_sops.dag_generator import SopsDag

dag = SopsDag("flow", pipeline=Path(__file__).with_name("flow.json"), template_id=1, schedule=None)
"""
_COSMOS_FILE = """\
# airflow, dag: without these words Airflow does not look into a file.
from pathlib import Path

from cosmos import DbtDag, ExecutionConfig, LoadMode, ProfileConfig, ProjectConfig, RenderConfig

folder = Path(__file__).parent
dag = DbtDag(
    dag_id="flow",
    project_config=ProjectConfig(manifest_path=folder / "manifest.json", project_name="flow"),
    profile_config=ProfileConfig(
        profile_name="flow", target_name="dev", profiles_yml_filepath=folder / "profiles.yml"
    ),
    execution_config=ExecutionConfig(dbt_project_path=folder),
    render_config=RenderConfig(load_method=LoadMode.DBT_MANIFEST),
    schedule=None,
)
"""
_DAG_FACTORY_FILE = """\
# airflow, dag: without these words Airflow does not look into a file.
from pathlib import Path

from dagfactory import load_yaml_dags

load_yaml_dags(globals_dict=globals(), config_filepath=str(Path(__file__).with_name("flow.yml")))
"""


def write_dag_file(kind: str, graph: FlowGraph, folder: Path) -> Path:
    """Write the flow as one kind of DAG file.

    :param kind: one of the constants above.
    :param folder: is made.
    :return: path of the DAG file.
    """
    folder.mkdir(parents=True)
    file = folder / "flow_dag.py"
    file.write_text(_WRITERS[kind](graph, folder))
    return file


def _sops_dag(graph: FlowGraph, folder: Path) -> str:
    write_snapshot(read_snapshot(web_tree(graph)), folder / "flow.json")
    return _SOPS_DAG_FILE


def _by_hand(graph: FlowGraph, folder: Path) -> str:
    shutil.copy(_FLOW_NODE, folder)
    arguments = ", ".join(f"{name}={value!r}" for name, value in _ARGUMENTS.items())
    lines = [
        "from airflow.sdk import DAG, Label",
        "from flow_node import FlowNode",
        "",
        'with DAG("flow", schedule=None):',
        '    start = FlowNode(task_id="start")',
        '    flow = FlowNode(task_id="flow")',
        "    start >> flow",
    ]
    for number in range(len(graph.kinds)):
        own = f'task_id="node_{number}", task_display_name="{graph.name(number)}", flow_node_id="{node_id(number)}"'
        lines.append(f"    node_{number} = FlowNode({own}, {arguments})")
    lines.append("    start >> node_0")
    for source, target in graph.edges:
        label = graph.label(source, target)
        lines.append(f"    node_{source} >> {f'Label({label!r}) >> ' if label else ''}node_{target}")
    return "\n".join([*lines, ""])


def _dag_factory(graph: FlowGraph, folder: Path) -> str:
    shutil.copy(_FLOW_NODE, folder)
    operator = {"operator": "flow_node.FlowNode"}
    tasks: list[dict[str, Any]] = [
        {"task_id": "start", **operator},
        {"task_id": "flow", **operator, "dependencies": ["start"]},
    ]
    for number in range(len(graph.kinds)):
        own = {"task_display_name": graph.name(number), "flow_node_id": node_id(number)}
        tasks.append({"task_id": f"node_{number}", **operator, **own, **_ARGUMENTS, "dependencies": []})
    first = len(tasks) - len(graph.kinds)
    tasks[first]["dependencies"].append("start")
    for source, target in graph.edges:
        tasks[first + target]["dependencies"].append(f"node_{source}")
    content = {"flow": {"schedule": None, "tasks": tasks}}
    (folder / "flow.yml").write_text(yaml.safe_dump(content, sort_keys=False))
    return _DAG_FACTORY_FILE


def _cosmos(graph: FlowGraph, folder: Path) -> str:
    nodes = {
        _model(number): {
            "unique_id": _model(number),
            "name": f"node_{number}",
            "resource_type": "model",
            "package_name": "flow",
            "original_file_path": f"models/node_{number}.sql",
            "fqn": ["flow", f"node_{number}"],
            "tags": [],
            "config": {"materialized": "view"},
            "depends_on": {"macros": [], "nodes": []},
        }
        for number in range(len(graph.kinds))
    }
    for source, target in graph.edges:
        depends_on: Any = nodes[_model(target)]["depends_on"]
        depends_on["nodes"].append(_model(source))
    content = {"nodes": nodes, "sources": {}, "exposures": {}}
    (folder / "manifest.json").write_text(json.dumps(content))
    (folder / "profiles.yml").write_text("flow: {target: dev, outputs: {dev: {type: sqlite}}}\n")
    return _COSMOS_FILE


def _model(number: int) -> str:
    return f"model.flow.node_{number}"


_WRITERS: dict[str, Callable[[FlowGraph, Path], str]] = {
    SOPS_DAG: _sops_dag,
    BY_HAND: _by_hand,
    COSMOS: _cosmos,
    DAG_FACTORY: _dag_factory,
}

"""What has come of a flow that Airflow ran by itself: every node, by its place in the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.dag_generator.converters import ConverterRegistry
from airflow_provider_sops.dag_generator.task_ids import name_tasks
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.task_instance.xcom import NODE_XCOM_KEY, NODES_XCOM_KEY
from tests.dag_run import run_dag
from tests.differential.dags import MAPPED_GROUP, MAPPED_INDEX, mapped_dag, watching_dag
from tests.differential.watched_run import Shown, hurried

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from tests.dag_run import FinishedRun
    from tests.differential.drawing import Drawn
    from tests.differential.sops_run import Key


@dataclass(frozen=True)
class NativeRun:
    """A run of the DAG.

    :param outputs: the outputs of the flow; ``None`` unless it came to its end.
    :param nodes: the nodes by their keys; those in a loop as the loop's task tells of them.
    :param in_loops: the keys of those in loops, whose state is that of the loop's task.
    """

    state: str
    outputs: Any
    nodes: Mapping[Key, Shown]
    in_loops: Set[Key] = frozenset()


def run_natively(drawn: Drawn, template_id: int, *, mapped: bool = False) -> NativeRun:
    """Run it by ``dag.test()``, one task after the other.

    :param mapped: whether in a mapped task group.
    """
    make_dag: Any = mapped_dag if mapped else watching_dag
    group, index = (MAPPED_GROUP, MAPPED_INDEX) if mapped else ("", -1)
    dag = make_dag(
        dag_id=f"{drawn.name}_native",
        pipeline=drawn.tree,
        template_id=template_id,
        mode="native",
        converters=ConverterRegistry(),
        exclude=list(drawn.excluded),
        poll_interval_seconds=0.1,
        on_template_change="fail",
    )
    with hurried():
        run = run_dag(dag)
    outputs = run.xcom(f"{group}.end" if group else "end", map_index=index)
    tree = PipelineTree(drawn.tree)
    return NativeRun(run.state, outputs, _nodes(dag, run, tree, group, index), frozenset(tree.graph.loop_of))


def _nodes(dag: Any, run: FinishedRun, tree: PipelineTree, group: str, index: int) -> dict[Key, Shown]:
    names = name_tasks(tree, group)
    found: dict[Key, Shown] = {}
    for key in tree.nodes:
        loop = tree.graph.loop_of.get(key)
        task_id = names[loop.nodes[0] if loop else key].full_task_id
        if task_id not in dag.task_dict:
            continue
        state = str(run.state_of(task_id, index))
        if loop is None:
            found[key] = Shown(state, run.xcom(task_id, map_index=index), run.xcom(task_id, NODE_XCOM_KEY, index))
            continue
        told = (run.xcom(task_id, NODES_XCOM_KEY, index) or {}).get("/".join(key))
        found[key] = Shown(state, told and told.get("outputs"), told)
    return found

"""Which task of Airflow stands for which node, and the whole flow of a native run with the states of its tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.dag_generator import SopsTaskGroup
from airflow_provider_sops.dag_generator.task_ids import name_tasks
from airflow_provider_sops.plugins.generated_flows import mirrored_node, native_view, task_ids
from airflow_provider_sops.plugins.known_task import KnownTask
from airflow_provider_sops.plugins.run_tasks import Instance, Run, TaskState
from airflow_provider_sops.sops.models import TaskDetail
from airflow_provider_sops.sops.pipeline_tree import PipelineTree

if TYPE_CHECKING:
    from collections.abc import Mapping

TREES = Path(__file__).resolve().parent.parent.parent / "example_dags"
SNAPSHOT = TREES / "sops_pipeline_native.json"


def known() -> KnownTask:

    tree = json.loads(SNAPSHOT.read_text(encoding="utf-8"))["pipeline_tree"]
    return KnownTask(TaskDetail.read({"pipeline_tree": tree, "constants": tree["constants"]}))


def dag_tasks(group_id: str = "", **options: Any) -> list[str]:
    """Return the ids of the tasks that the generator builds for the flow."""
    with DAG(dag_id="native", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        SopsTaskGroup(group_id or "flow", pipeline=SNAPSHOT, mode="native", **options)
    return [task.task_id for task in dag.tasks]


def view(states: Mapping[str, TaskState], *instances: Instance) -> dict[str, Any]:
    start = Instance("flow.start", -1, "FlowBeginOperator", "success", fields={"sops_conn_id": "sops_default"})
    return native_view(known(), Run("dag", "run", (start, *instances)), start, states)


@pytest.mark.parametrize("options", [{}, {"stages": True}, {"subprocess_as_task": ["check the service"]}])
def test_every_node_is_found_among_the_tasks_of_the_dag(options: dict[str, Any]) -> None:
    tasks = dag_tasks(**options)
    shown = view({task_id: TaskState("success") for task_id in tasks})

    assert shown["matches"]
    assert {row["look"] for row in shown["nodes"]} == {"FINISHED"}
    assert (shown["look"], shown["goes_on"]) == ("FINISHED", False)


def test_nodes_have_the_states_of_their_tasks() -> None:
    states = {task_id: TaskState("success") for task_id in dag_tasks()}
    (web,) = [task_id for task_id in states if "deploy_web" in task_id]
    (workers,) = [task_id for task_id in states if "deploy_workers" in task_id]
    states |= {
        web: TaskState("failed"),
        workers: TaskState("deferred", "2026-11-29T07:00:00+00:00"),
        "flow.end": TaskState(),
    }
    shown = view(states)
    rows = {row["name"]: row for row in shown["nodes"]}

    assert rows["deploy web"]["look"] == "FAILED"
    assert rows["deploy workers"]["look"] == "RUNNING"
    assert rows["deploy workers"]["start"] == "2026-11-29T07:00:00+00:00"
    assert (shown["look"], shown["goes_on"]) == ("RUNNING", True)


def test_a_node_leads_to_the_sops_task_of_its_piece() -> None:
    states = {task_id: TaskState("success") for task_id in dag_tasks()}
    (web,) = [task_id for task_id in states if "deploy_web" in task_id]
    piece = Instance(web, -1, "RegionOperator", "success", fields={"sops_conn_id": "c"}, pushed={"sops_task_id": 5})
    rows = {row["name"]: row for row in view(states, piece)["nodes"]}

    assert rows["deploy web"]["task"] == {"task_id": web, "map_index": -1}
    assert rows["deploy workers"]["task"] is None


def test_a_template_that_has_changed_is_told() -> None:
    states = {task_id: TaskState("success") for task_id in dag_tasks()}
    del states[next(task_id for task_id in states if "deploy_web" in task_id)]

    assert view(states)["matches"] is False


def test_all_nodes_of_a_loop_are_shown_by_its_one_task(flow_with_a_loop: PipelineTree) -> None:
    ids = task_ids(flow_with_a_loop, "", ())
    in_loop = [key for key in flow_with_a_loop.graph.loop_of if key in ids]

    assert in_loop
    assert len({ids[key] for key in in_loop}) == 1


@pytest.mark.parametrize("stages", [False, True])
def test_a_mirror_is_found_again_as_its_node(stages: bool) -> None:
    tree = known().tree
    names = name_tasks(tree, "watch", stages=stages)

    assert {mirrored_node(tree, "watch", name.full_task_id) for name in names.values()} == {
        node.id for node in tree.nodes.values()
    }
    assert mirrored_node(tree, "watch", "watch.another__1") == ""


@pytest.fixture
def flow_with_a_loop() -> PipelineTree:

    path = Path(__file__).resolve().parent.parent.parent / "local_sops/local_sops/templates/loop.json"
    return PipelineTree.from_dict(json.loads(path.read_text(encoding="utf-8")))

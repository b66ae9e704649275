"""What Airflow has shown of a watched flow: every mirror, by the place of its node in the template."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow_provider_sops.dag_generator.watch.node_mirror import NodeMirrorOperator
from airflow_provider_sops.sops import node_wait, task_failure, task_wait
from airflow_provider_sops.task_instance.xcom import NODE_XCOM_KEY, TASK_ID_XCOM_KEY
from tests.dag_run import run_dag
from tests.differential.dags import MAPPED_GROUP, MAPPED_INDEX, mapped_dag, watching_dag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_sops.dag_generator import SopsDag
    from tests.differential.drawing import Drawn
    from tests.differential.sops_run import Key


@dataclass(frozen=True)
class Shown:
    """A task of the run.

    :param node: its XCom ``sops_node``, if it has any.
    """

    state: str
    returned: Any
    node: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class WatchedRun:
    """A run of the DAG.

    :param nodes: the mirrors by their nodes' keys.
    """

    state: str
    sops_task_id: int
    flow: Shown
    nodes: Mapping[Key, Shown]


def dag_arguments(drawn: Drawn, template_id: int, **more: Any) -> dict[str, Any]:
    """Return what ``watching_dag`` takes, as JSON data."""
    return {
        "dag_id": drawn.name,
        "pipeline": drawn.tree,
        "template_id": template_id,
        "exclude": list(drawn.excluded),
        "pace": drawn.pace,
        "on_template_change": "fail",
        "node_details": "all",
        **more,
    }


def mirrors(dag: Any) -> dict[Key, str]:
    """Return the ids of the mirrors by their nodes' keys."""
    return {task.node.key: task.task_id for task in dag.tasks if isinstance(task, NodeMirrorOperator)}


def run_here(drawn: Drawn, template_id: int, *, mapped: bool = False) -> WatchedRun:
    """Run it by ``dag.test()``, one task after the other.

    :param mapped: whether in a mapped task group.
    """
    arguments = dag_arguments(drawn, template_id, poll_interval_seconds=0.1)
    dag: Any = mapped_dag(**arguments) if mapped else watching_dag(**arguments)
    group, index = (f"{MAPPED_GROUP}.", MAPPED_INDEX) if mapped else ("", -1)
    if drawn.flow_is_last and not mapped:
        _put_flow_last(dag)
    with hurried():
        run = run_dag(dag)

    def shown(task_id: str) -> Shown:
        state = str(run.state_of(task_id, index))
        return Shown(state, run.xcom(task_id, map_index=index), run.xcom(task_id, NODE_XCOM_KEY, index))

    return WatchedRun(
        state=run.state,
        sops_task_id=run.xcom(f"{group}start", TASK_ID_XCOM_KEY, index),
        flow=shown(f"{group}flow"),
        nodes={key: shown(task_id) for key, task_id in mirrors(dag).items()},
    )


def _put_flow_last(dag: SopsDag) -> None:
    flow: Any = dag.get_task("flow")
    for task in dag.tasks:
        if task is not flow and not task.downstream_task_ids:
            task.set_downstream(flow)
    flow.trigger_rule = "all_done"


@contextmanager
def hurried() -> Iterator[None]:
    """Let a failure count sooner."""
    with ExitStack() as stack:
        for module in (task_failure, task_wait, node_wait):
            stack.enter_context(mock.patch.object(module, "CONFIRMATION_SECONDS", 1.0))
        yield

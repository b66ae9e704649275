"""SopsNodeSensor: alike in poke, in reschedule and deferred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.sensors.sops import SopsNodeSensor
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from tests.dag_run import FinishedRun, run_dag

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]

WAYS: list[Any] = [
    pytest.param({"mode": "poke", "deferrable": False}, id="poke"),
    pytest.param({"mode": "reschedule", "deferrable": False}, id="reschedule"),
    pytest.param({"deferrable": True}, id="deferrable"),
]
NodeOf = tuple[int, str]


@pytest.fixture
def started(hook: SopsHook, templates: dict[str, int]) -> Callable[..., NodeOf]:
    """Start a task, and return its id and that of its node of a name: in the task, or in the template."""

    def start(template: str, name: str, *, in_template: bool = False) -> NodeOf:
        sops_task_id = hook.create_task(templates[template], "sensed").task_id
        hook.start_task(sops_task_id)
        tree = PipelineTree(hook.get_task_detail(sops_task_id).pipeline_tree)
        node = next(node for node in tree.nodes.values() if node.name == name)
        return sops_task_id, node.key[-1] if in_template else node.id

    return start


def sense(dag_id: str, node: NodeOf, **arguments: Any) -> FinishedRun:
    with DAG(dag_id=f"sense_node_{dag_id}", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        SopsNodeSensor(
            task_id="wait",
            sops_task_id=node[0],
            node_id=node[1],
            **{"poke_interval": 0.2, "timeout": 60, **arguments},
        )
    return run_dag(dag)


@pytest.mark.parametrize("way", WAYS)
def test_returns_the_nodes_outputs(started: Callable[..., NodeOf], way: dict[str, Any]) -> None:
    run = sense("outputs", started("exclusive", "deploy to test", in_template=True), **way)
    assert run.state_of("wait") == "success"
    assert run.xcom("wait")["_result"] is True
    assert run.xcom("wait", "sops_task_url")


def test_a_node_inside_a_subprocess_is_found_by_its_id_in_the_task(started: Callable[..., NodeOf]) -> None:
    assert sense("inner", started("nested", "middle says"), deferrable=True).state_of("wait") == "success"


@pytest.mark.parametrize("way", WAYS)
def test_a_node_that_the_flow_passes_by_skips(started: Callable[..., NodeOf], way: dict[str, Any]) -> None:
    assert sense("passed", started("exclusive", "deploy to production"), **way).state_of("wait") == "skipped"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "soft_fail", "state"), [("fails", False, "failed"), ("fails", True, "skipped"), ("after", False, "failed")]
)
def test_a_failure_there_or_before_fails_or_skips(
    started: Callable[..., NodeOf], way: dict[str, Any], name: str, soft_fail: bool, state: str
) -> None:
    assert sense("failure", started("fail", name), soft_fail=soft_fail, **way).state_of("wait") == state


@pytest.mark.parametrize("way", WAYS)
def test_an_unknown_node_skips_softly(started: Callable[..., NodeOf], way: dict[str, Any]) -> None:
    sops_task_id, _ = started("quick", "quick")
    assert sense("unknown", (sops_task_id, "nobody"), soft_fail=True, **way).state_of("wait") == "skipped"


@pytest.mark.parametrize("way", WAYS)
def test_a_timeout_fails(started: Callable[..., NodeOf], way: dict[str, Any]) -> None:
    assert sense("timeout", started("pause", "ask a person"), timeout=1, **way).state_of("wait") == "failed"

"""The operators inside DAG runs: templates, mapping, chains, deferral."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.operators.sops import (
    SopsCreateTaskOperator,
    SopsOperateNodeOperator,
    SopsRunTaskOperator,
    SopsStartTaskOperator,
)
from airflow_provider_sops.sensors.sops import SopsTaskSensor
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from tests.dag_run import run_dag
from tests.task_progress import wait_until

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]


def make_dag(dag_id: str) -> DAG:
    return DAG(
        dag_id=f"in_dag_{dag_id}",
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        params={"who": "Ann", "template": "x"},
    )


@pytest.mark.parametrize("deferrable", [False, True])
def test_templates_are_rendered_inside_nested_constants(
    hook: SopsHook, templates: dict[str, int], deferrable: bool
) -> None:
    with make_dag(f"templates_{deferrable}") as dag:
        SopsRunTaskOperator(
            task_id="run",
            template_id=templates["linear"],
            constants={"${who}": {"greet": ["{{ params.who }}", "${kept}"]}, "${seconds}": 1},
            deferrable=deferrable,
            defer_after_seconds=0,
            poll_interval_seconds=0.2,
        )
    run = run_dag(dag)
    assert run.state_of("run") == "success"
    assert run.xcom("run")["who"] == {"greet": ["Ann", "${kept}"]}
    detail = hook.get_task_detail(run.xcom("run", "sops_task_id"))
    assert detail.name.startswith(f"{dag.dag_id}.run #")
    assert run.xcom("run", "sops_task_url") == detail.task_url


def test_a_failure_in_a_deferred_run_fails_the_task(templates: dict[str, int], sops_default: Any) -> None:
    with make_dag("deferred_failure") as dag:
        SopsRunTaskOperator(
            task_id="run",
            template_id=templates["fail"],
            deferrable=True,
            defer_after_seconds=0,
            poll_interval_seconds=0.2,
        )
    assert run_dag(dag).state_of("run") == "failed"


def test_a_short_flow_does_not_leave_the_worker(templates: dict[str, int], sops_default: Any) -> None:
    with make_dag("short") as dag, mock.patch.object(SopsTaskTrigger, "run", side_effect=AssertionError):
        SopsRunTaskOperator(
            task_id="run", template_id=templates["linear"], constants={"${seconds}": 1}, deferrable=True
        )
        run = run_dag(dag)
    assert run.state_of("run") == "success"


def test_create_start_and_sensor_make_a_chain(templates: dict[str, int], sops_default: Any) -> None:
    with make_dag("chain") as dag:
        create = SopsCreateTaskOperator(task_id="create", template_id=templates["linear"])
        start = SopsStartTaskOperator(task_id="start", sops_task_id=create.output)
        wait = SopsTaskSensor(task_id="wait", sops_task_id=start.output, poke_interval=0.2)
        create >> start >> wait
    run = run_dag(dag)
    assert run.state == "success"
    assert run.xcom("create") == run.xcom("start") == run.xcom("wait", "sops_task_id")


def test_mapped_tasks_run_a_flow_each(templates: dict[str, int], sops_default: Any) -> None:
    with make_dag("mapped") as dag:
        SopsRunTaskOperator.partial(
            task_id="run", template_id=templates["linear"], deferrable=False, poll_interval_seconds=0.2
        ).expand(constants=[{"${who}": name, "${seconds}": 1} for name in ("a", "b")])
    run = run_dag(dag)
    assert [run.xcom("run", map_index=index)["who"] for index in (0, 1)] == ["a", "b"]


def test_node_ids_can_be_mapped_and_templated(templates: dict[str, int], hook: SopsHook) -> None:
    sops_task_id = hook.create_task(templates["fail"], "mapped node").task_id
    hook.start_task(sops_task_id)
    failed = wait_until(hook, sops_task_id, "a failure", lambda status: bool(status.failed_nodes)).failed_nodes
    with make_dag("mapped_node") as dag:
        SopsOperateNodeOperator.partial(task_id="skip", sops_task_id=sops_task_id, action="skip").expand(
            node_id=[f"{{{{ '{failed[0].id}' }}}}"]
        )
    assert run_dag(dag).state_of("skip", map_index=0) == "success"

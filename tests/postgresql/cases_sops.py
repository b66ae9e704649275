"""Runs of DAGs whose SOPS tasks return and fail with odd values; ``test_postgresql.py`` runs this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.dag_generator import SopsDag, SopsTaskGroup
from airflow_provider_sops.operators.sops import (
    SopsCreateTaskOperator,
    SopsOperateNodeOperator,
    SopsOperateTaskOperator,
    SopsRunTaskOperator,
    SopsStartTaskOperator,
)
from airflow_provider_sops.sensors.sops import SopsNodeSensor, SopsTaskSensor
from airflow_provider_sops.sops.pipeline_tree.snapshot import take_snapshot
from tests.dag_run import FinishedRun, run_dag
from tests.postgresql.odd_flow import KEPT_ERROR, TEMPLATE_ID, is_kept
from tests.task_progress import wait_until

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = pytest.mark.usefixtures("airflow_db", "sops_default")

DEFERRABLE = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
FAILING = {"${succeed}": False}


def make_dag(dag_id: str) -> DAG:
    return DAG(dag_id=dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"))


def failures_of(dag: DAG) -> list[str]:
    """Run a DAG; return the errors with which tasks have failed. A value that was refused gives another error."""
    errors: list[str] = []
    for task in dag.tasks:
        task.on_failure_callback = [lambda context: errors.append(str(context["exception"]))]
    assert run_dag(dag).state == "failed"
    return errors


def node_outputs(run: FinishedRun) -> Any:
    """What the task of the odd node has returned."""
    (task_id,) = (ti.task_id for ti in run.dag_run.get_task_instances() if "odd_name" in ti.task_id)
    return run.xcom(task_id)["odd"]


@pytest.fixture
def failed_task(hook: SopsHook) -> tuple[int, str]:
    """A task whose odd node has failed, and the id of that node."""
    sops_task_id = hook.create_task(TEMPLATE_ID, "failing", constants=FAILING).task_id
    hook.start_task(sops_task_id)
    status = wait_until(hook, sops_task_id, "a failure", lambda status: bool(status.failed_nodes))
    return sops_task_id, status.failed_nodes[0].id


@DEFERRABLE
def test_run_task_returns_the_outputs(deferrable: bool) -> None:
    with make_dag(f"run_{deferrable}") as dag:
        SopsRunTaskOperator(
            task_id="run",
            template_id=TEMPLATE_ID,
            deferrable=deferrable,
            defer_after_seconds=0,
            poll_interval_seconds=0.2,
        )
    assert is_kept(run_dag(dag).xcom("run")["odd"])


@DEFERRABLE
def test_run_task_fails_with_the_error(deferrable: bool) -> None:
    with make_dag(f"run_failing_{deferrable}") as dag:
        SopsRunTaskOperator(
            task_id="run",
            template_id=TEMPLATE_ID,
            constants=FAILING,
            deferrable=deferrable,
            poll_interval_seconds=0.2,
        )
    (error,) = failures_of(dag)
    assert KEPT_ERROR in error


@pytest.mark.parametrize(
    ("start", "arguments"), [(SopsStartTaskOperator, {}), (SopsOperateTaskOperator, {"action": "start"})]
)
@DEFERRABLE
def test_a_task_that_is_created_and_started_gives_its_outputs_to_the_sensor(
    start: Any, arguments: dict[str, str], deferrable: bool
) -> None:
    with make_dag(f"chain_{start.__name__}_{deferrable}") as dag:
        create = SopsCreateTaskOperator(task_id="create", template_id=TEMPLATE_ID)
        started = start(task_id="start", sops_task_id=create.output, **arguments)
        wait = SopsTaskSensor(task_id="wait", sops_task_id=create.output, deferrable=deferrable, poke_interval=0.2)
        started >> wait
    assert is_kept(run_dag(dag).xcom("wait")["odd"])


@DEFERRABLE
@pytest.mark.parametrize("sensor", [SopsTaskSensor, SopsNodeSensor])
def test_a_sensor_fails_with_the_error(failed_task: tuple[int, str], sensor: Any, deferrable: bool) -> None:
    sops_task_id, node_id = failed_task
    node = {"node_id": node_id} if sensor is SopsNodeSensor else {}
    with make_dag(f"{sensor.__name__}_{deferrable}") as dag:
        sensor(task_id="wait", sops_task_id=sops_task_id, deferrable=deferrable, poke_interval=0.2, **node)
    (error,) = failures_of(dag)
    assert KEPT_ERROR in error


@DEFERRABLE
def test_operate_node_mends_the_node_and_the_node_sensor_returns_its_outputs(
    failed_task: tuple[int, str], deferrable: bool
) -> None:
    sops_task_id, node_id = failed_task
    with make_dag(f"mend_{deferrable}") as dag:
        mend = SopsOperateNodeOperator(
            task_id="mend", sops_task_id=sops_task_id, node_id=node_id, action="retry", inputs={"succeed": True}
        )
        mend >> SopsNodeSensor(
            task_id="wait", sops_task_id=sops_task_id, node_id=node_id, deferrable=deferrable, poke_interval=0.2
        )
    assert is_kept(run_dag(dag).xcom("wait")["odd"])


@pytest.mark.parametrize("mode", ["watch", "native"])
class TestFlow:
    @staticmethod
    def make(hook: SopsHook, mode: Any, *, succeed: bool) -> SopsDag:
        template = hook.get_template_info(TEMPLATE_ID, unfold_subprocess=True)
        return SopsDag(
            f"{mode}_{succeed}",
            pipeline=take_snapshot(template, template_source="business", bk_biz_id=hook.bk_biz_id, scope="cmdb_biz"),
            mode=mode,
            template_id=TEMPLATE_ID,
            constants={"${succeed}": succeed},
            schedule=None,
            start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
            poll_interval_seconds=0.2,
            node_details="all" if mode == "watch" else None,
        )

    def test_shows_the_outputs(self, hook: SopsHook, mode: str) -> None:
        run = run_dag(self.make(hook, mode, succeed=True))
        assert run.state == "success"
        assert is_kept(node_outputs(run))

    def test_shows_the_error(self, hook: SopsHook, mode: str) -> None:
        assert any(KEPT_ERROR in error for error in failures_of(self.make(hook, mode, succeed=False)))


def test_a_task_group_shows_the_outputs(hook: SopsHook) -> None:
    answer = hook.get_template_info(TEMPLATE_ID, unfold_subprocess=True).raw
    with make_dag("group") as dag:
        SopsTaskGroup("flow", pipeline=answer, template_id=TEMPLATE_ID, poll_interval_seconds=0.2, node_details="all")
    run = run_dag(dag)
    assert run.state == "success"
    assert is_kept(node_outputs(run))

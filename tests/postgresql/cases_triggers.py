"""Events of triggers, handed over as Airflow's triggerer does it; ``test_postgresql.py`` runs this file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unittest import mock

import pendulum
import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select

from airflow_provider_sops.enos.wait_result import WaitPolicy as EnosWaitPolicy
from airflow_provider_sops.sops.node_result import NodeInTask
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.triggers import waiting_trigger
from airflow_provider_sops.triggers.enos import EnosFlowInstanceTrigger, EnosTaskInstanceTrigger
from airflow_provider_sops.triggers.sops import SopsNodeTrigger, SopsTaskFinishedTrigger, SopsTaskTrigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_3_PLUS
from tests.dag_run import run_dag
from tests.enos_server import Play, TaskPlay
from tests.enos_server.plays import FAIL
from tests.plain_task_instance import PlainTaskInstance
from tests.postgresql.odd_flow import KEPT_ERROR, TEMPLATE_ID
from tests.task_progress import wait_for_state, wait_until

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger, TriggerEvent

    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.enos_server import EnosServer

pytest_plugins = ("tests.enos_server.fixtures",)
pytestmark = pytest.mark.usefixtures("airflow_db", "sops_default")

POLICY = WaitPolicy(poll_interval_seconds=0.2)
DAG_ID = "events"


@pytest.fixture(autouse=True)
def no_worker_to_outlive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_trigger, "WORKER_EXIT_SECONDS", 0.0)


@pytest.fixture
def failed_node(hook: SopsHook) -> tuple[int, str]:
    """A task whose odd node has failed, and the id of that node."""
    sops_task_id = hook.create_task(TEMPLATE_ID, "failing", constants={"${succeed}": False}).task_id
    hook.start_task(sops_task_id)
    status = wait_until(hook, sops_task_id, "a failure", lambda status: bool(status.failed_nodes))
    return sops_task_id, status.failed_nodes[0].id


@pytest.fixture(scope="module")
def task_instance(airflow_db: None) -> None:
    """Airflow's database has a task instance that can wait for a trigger."""
    with DAG(dag_id=DAG_ID, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        EmptyOperator(task_id="wait")
    run_dag(dag)


def the_task_instance(session: Any) -> Any:
    return session.scalars(select(TaskInstance).where(TaskInstance.dag_id == DAG_ID)).one()


async def fire(trigger: BaseTrigger) -> TriggerEvent:
    events = aiter(trigger.run())
    try:
        return await anext(events)
    finally:
        await events.aclose()  # type: ignore[attr-defined]


def submit(trigger: BaseTrigger, event: TriggerEvent) -> str:
    """Let a task that waits for a trigger take its event; return what the database then holds for the task."""
    classpath, arguments = trigger.serialize()
    with create_session() as session:
        row = Trigger(classpath=classpath, kwargs=arguments)
        session.add(row)
        session.flush()
        waiting = the_task_instance(session)
        waiting.state, waiting.trigger_id = TaskInstanceState.DEFERRED, row.id
        waiting.next_method, waiting.next_kwargs = "execute_complete", {}
        session.flush()
        Trigger.submit_event(row.id, event, session=session)
    with create_session() as session:
        taken = the_task_instance(session)
        assert taken.state == TaskInstanceState.SCHEDULED
        assert taken.next_method == "execute_complete"
        return json.dumps(taken.next_kwargs, ensure_ascii=False)


@pytest.mark.usefixtures("task_instance")
class TestEvents:
    async def test_of_a_task_have_its_errors(self, failed_node: tuple[int, str]) -> None:
        trigger = SopsTaskTrigger(sops_conn_id="sops_default", sops_task_id=failed_node[0], policy=POLICY)
        assert KEPT_ERROR in submit(trigger, await fire(trigger))

    async def test_of_a_node_have_its_error(self, failed_node: tuple[int, str]) -> None:
        sops_task_id, node_id = failed_node
        trigger = SopsNodeTrigger(
            sops_conn_id="sops_default", sops_task_id=sops_task_id, node=NodeInTask((node_id,)), policy=POLICY
        )
        assert KEPT_ERROR in submit(trigger, await fire(trigger))

    @pytest.mark.parametrize(
        ("trigger_class", "instance_id"),
        [(EnosFlowInstanceTrigger, "8-19700101000000"), (EnosTaskInstanceTrigger, "800-19700101000000")],
    )
    async def test_of_an_enos_instance_have_the_name_of_what_failed(
        self, enos_default: EnosServer, trigger_class: Any, instance_id: str
    ) -> None:
        flow = enos_default.add_flow(8, Play((FAIL,), {"odd \0 task": TaskPlay((FAIL,))}))
        enos_default.service.add_instance(flow, 0)
        policy = EnosWaitPolicy(poll_interval_seconds=0.1, settle_seconds=0.1)
        trigger = trigger_class(enos_conn_id="enos_default", instance_id=instance_id, policy=policy)
        assert "odd ␀ task" in submit(trigger, await fire(trigger))

    if AIRFLOW_V_3_3_PLUS:

        async def test_of_a_watched_node_have_its_error(self, failed_node: tuple[int, str]) -> None:
            from airflow.sdk.execution_time.xcom import XCom

            from airflow_provider_sops.task_instance.mirrored_node import MirroredNode
            from airflow_provider_sops.task_instance.xcom import NODE_PATHS_XCOM_KEY
            from airflow_provider_sops.triggers.sops_mirror import SopsNodeMirrorTrigger

            sops_task_id, node_id = failed_node
            pushed = {"sops_task_id": sops_task_id, NODE_PATHS_XCOM_KEY: {"a1": [node_id]}}
            trigger = SopsNodeMirrorTrigger(
                sops_conn_id="sops_default",
                start_task_id="start",
                node=MirroredNode(key=("a1",), never_after=(), has_data=True, plugin="odd"),
                poll_interval_seconds=0.2,
            )
            ti: Any = PlainTaskInstance(task_id="odd")
            trigger._task_instance = ti
            with (
                mock.patch.object(XCom, "aget_one", autospec=True, side_effect=lambda *, key, **_: pushed.get(key)),
                mock.patch.object(XCom, "aset", autospec=True),
            ):
                event = await fire(trigger)
            assert KEPT_ERROR in submit(trigger, event)


if AIRFLOW_V_3_0_PLUS:

    @pytest.fixture
    def finished_task(hook: SopsHook) -> int:
        """A task with an odd name that is FINISHED."""
        sops_task_id = hook.create_task(TEMPLATE_ID, "odd \0 task").task_id
        hook.start_task(sops_task_id)
        wait_for_state(hook, sops_task_id, "FINISHED")
        return sops_task_id

    async def test_an_event_of_an_asset_has_the_name_of_its_task(finished_task: int) -> None:
        from airflow.models.asset import AssetEvent

        trigger = SopsTaskFinishedTrigger(name_pattern="odd * task", poll_interval_seconds=0.2)
        payload = (await fire(trigger)).payload
        assert payload["sops_task_id"] == finished_task
        assert payload["name"] == "odd ␀ task"
        with create_session() as session:
            session.add(AssetEvent(asset_id=1, extra={"from_trigger": True, "payload": payload}))

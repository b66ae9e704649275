"""No password of a flow in logs, XComs, events and error texts, in whatever way the flow is run, watched or awaited."""

from __future__ import annotations

import json
import logging
import secrets
from typing import TYPE_CHECKING, Any, Literal

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException
from airflow.utils.session import create_session
from sqlalchemy import text

from airflow_provider_sops.dag_generator.dag import SopsDag
from airflow_provider_sops.operators.sops.run import SopsRunTaskOperator
from airflow_provider_sops.sensors.sops import SopsNodeSensor, SopsTaskSensor
from airflow_provider_sops.sensors.sops_waits import AwaitedNode
from airflow_provider_sops.sops.node_result import NodeInTask
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.snapshot import take_snapshot
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.triggers.sops import SopsNodeTrigger, SopsTaskTrigger
from tests.dag_run import FinishedRun, run_dag
from tests.password_flow import INDEPENDENT_TEMPLATE, PasswordFlow, echo_service
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]

POLICY = WaitPolicy(poll_interval_seconds=0.2)
START_DATE = pendulum.datetime(2026, 1, 1, tz="UTC")
ENDS = ["echo", "fail"]
#: How the error text of the failing node begins; the password follows.
_ERROR = "请求失败"
WAYS = [pytest.param({"deferrable": False}, id="blocking"), pytest.param({"deferrable": True}, id="deferrable")]


@pytest.fixture
def flow(hook: SopsHook, templates: dict[str, int]) -> Iterator[PasswordFlow]:
    with echo_service() as address:
        yield PasswordFlow.read(hook, templates, address)


def xcoms_of(run: FinishedRun) -> list[str]:
    """All that the tasks of a run have pushed, as it stands in the database."""
    query = text("SELECT value FROM xcom WHERE dag_id = :dag_id AND run_id = :run_id")
    with create_session() as session:
        rows = session.execute(query, {"dag_id": run.dag_run.dag_id, "run_id": run.dag_run.run_id}).all()
    return [value.decode() if isinstance(value, bytes) else str(value) for (value,) in rows]


def nodes_of(hook: SopsHook, sops_task_id: int) -> dict[str, str]:
    """Ids in the task by name, those in the subprocess too."""
    tree = PipelineTree(hook.get_task_detail(sops_task_id, fresh=True).pipeline_tree)
    return {node.name: node.id for node in tree.nodes.values()}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ENDS)
def test_a_task_that_is_run(flow: PasswordFlow, logged: Callable[[], str], end: str, way: dict[str, Any]) -> None:
    with DAG(dag_id=f"run_password_{end}_{way['deferrable']}", schedule=None, start_date=START_DATE) as dag:
        SopsRunTaskOperator(
            task_id="run",
            template_id=flow.template_id,
            constants=flow.constants(end),
            poll_interval_seconds=0.2,
            **way,
        )
    run = run_dag(dag)

    shown = logged()
    flow.check_hidden(shown, *xcoms_of(run))
    if end == "fail":
        assert run.state == "failed"
        assert _ERROR in shown
    else:
        returned = run.xcom("run")
        assert returned["connection"] == "bob:***@host"
        assert returned["answer"]["token"] == returned["leaf"]["token"] == "Bearer ***"
        assert "password" not in returned


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ENDS)
def test_a_password_that_a_dag_gives_unchecked(
    flow: PasswordFlow, logged: Callable[[], str], end: str, way: dict[str, Any]
) -> None:
    given = flow.with_password(f"Mark3d/{secrets.token_hex(4)}&'\"x")
    with DAG(dag_id=f"give_password_{end}_{way['deferrable']}", schedule=None, start_date=START_DATE) as dag:
        SopsRunTaskOperator(
            task_id="run",
            template_id=flow.template_id,
            constants=given.constants(end),
            check_constants=False,
            poll_interval_seconds=0.2,
            **way,
        )
    run = run_dag(dag)

    given.check_hidden(logged(), *xcoms_of(run))
    assert run.state == ("success" if end == "echo" else "failed")


def test_a_retry_and_a_clear_that_go_on_with_a_failed_task(
    flow: PasswordFlow, logged: Callable[[], str], sops_default: object
) -> None:
    given = flow.with_password(f"Mark3d/{secrets.token_hex(4)}&'\"x")
    ti = PlainTaskInstance()
    for instance in (ti, ti.retried(), ti.retried().cleared()):
        operator = SopsRunTaskOperator(
            task_id="run",
            template_id=flow.template_id,
            name="with a password",
            constants=given.constants("fail"),
            check_constants=False,
            on_clear="resume",
            deferrable=False,
            poll_interval_seconds=0.2,
        )
        with pytest.raises(AirflowException) as caught:
            operator.execute(instance.context)
        given.check_hidden(str(caught.value), instance.xcoms)
    shown = logged()
    given.check_hidden(shown)
    assert shown.count("Retrying node") >= 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ENDS)
def test_a_task_that_is_awaited(
    hook: SopsHook, flow: PasswordFlow, logged: Callable[[], str], end: str, way: dict[str, Any]
) -> None:
    sops_task_id = flow.start(hook, end)
    with DAG(dag_id=f"await_password_{end}_{way['deferrable']}", schedule=None, start_date=START_DATE) as dag:
        SopsTaskSensor(task_id="wait", sops_task_id=sops_task_id, poke_interval=0.2, timeout=60, **way)
    run = run_dag(dag)

    shown = logged()
    flow.check_hidden(shown, *xcoms_of(run))
    if end == "fail":
        assert _ERROR in shown
    else:
        assert run.xcom("wait")["answer"]["body"] == "***"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["log in", "send credential", "end"])
def test_a_node_that_is_awaited(
    hook: SopsHook, flow: PasswordFlow, logged: Callable[[], str], name: str, way: dict[str, Any]
) -> None:
    sops_task_id = flow.start(hook, "fail")
    node_id = nodes_of(hook, sops_task_id)[name]
    dag_id = f"await_password_node_{name.replace(' ', '_')}_{way['deferrable']}"
    with DAG(dag_id=dag_id, schedule=None, start_date=START_DATE) as dag:
        SopsNodeSensor(task_id="wait", sops_task_id=sops_task_id, node_id=node_id, poke_interval=0.2, timeout=60, **way)
    run = run_dag(dag)

    shown = logged()
    flow.check_hidden(shown, *xcoms_of(run))
    if name == "end":
        assert _ERROR in shown
    else:
        assert "Bearer ***" in str(run.xcom("wait"))


@pytest.mark.parametrize("end", ENDS)
def test_a_flow_that_is_watched(hook: SopsHook, flow: PasswordFlow, logged: Callable[[], str], end: str) -> None:
    template = hook.get_template_info(flow.template_id, unfold_subprocess=True)
    dag = SopsDag(
        f"watch_password_{end}",
        pipeline=take_snapshot(template, template_source="business", bk_biz_id=hook.bk_biz_id, scope="cmdb_biz"),
        constants=flow.constants(end),
        schedule=None,
        start_date=START_DATE,
        poll_interval_seconds=0.2,
        node_details="all",
    )
    run = run_dag(dag)

    shown = logged()
    flow.check_hidden(shown, *xcoms_of(run), json.dumps([str(task.__dict__) for task in dag.tasks]))
    assert run.state == ("success" if end == "echo" else "failed")
    assert "SOPS: input \"bk_display_message\" = '***'" in shown
    assert "Bearer ***" in shown
    assert "hydrated context" not in shown


@pytest.mark.parametrize("mode", ["watch", "native"])
def test_a_password_that_a_dag_gives_to_a_flow(
    hook: SopsHook, flow: PasswordFlow, logged: Callable[[], str], mode: Literal["watch", "native"]
) -> None:
    given = flow.with_password(f"Mark3d/{secrets.token_hex(4)}&'\"x")
    template = hook.get_template_info(flow.template_id, unfold_subprocess=True)
    dag = SopsDag(
        f"give_password_{mode}",
        pipeline=take_snapshot(template, template_source="business", bk_biz_id=hook.bk_biz_id, scope="cmdb_biz"),
        mode=mode,
        constants=given.constants("fail"),
        schedule=None,
        start_date=START_DATE,
        poll_interval_seconds=0.2,
    )
    run = run_dag(dag)
    given.check_hidden(logged(), *xcoms_of(run))
    flow.check_hidden(logged(), *xcoms_of(run))


def test_a_flow_that_airflow_runs_refuses_to_hand_a_password_on(
    hook: SopsHook, flow: PasswordFlow, logged: Callable[[], str]
) -> None:
    template = hook.get_template_info(flow.template_id, unfold_subprocess=True)
    dag = SopsDag(
        "run_password_natively",
        pipeline=take_snapshot(template, template_source="business", bk_biz_id=hook.bk_biz_id, scope="cmdb_biz"),
        mode="native",
        constants=flow.constants("fail"),
        schedule=None,
        start_date=START_DATE,
        poll_interval_seconds=0.2,
    )
    run = run_dag(dag)

    shown = logged()
    flow.check_hidden(shown, *xcoms_of(run))
    assert run.state == "failed"
    assert "would contain a password" in shown


@pytest.mark.parametrize("end", ENDS)
async def test_the_events_of_triggers(
    hook: SopsHook, flow: PasswordFlow, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str], end: str
) -> None:
    monkeypatch.setattr("airflow_provider_sops.triggers.waiting_trigger.WORKER_EXIT_SECONDS", 0.0)
    sops_task_id = flow.start(hook, end)
    where: dict[str, Any] = {"sops_conn_id": "sops_default", "sops_task_id": sops_task_id, "policy": POLICY}
    context: Any = {"ti": _NoInstance()}
    awaited = AwaitedNode.find(hook, logging.getLogger(), context, sops_task_id, nodes_of(hook, sops_task_id)["end"])
    for trigger in (SopsTaskTrigger(**where), SopsNodeTrigger(node=awaited.node, **where)):
        event = await anext(aiter(trigger.run()))
        flow.check_hidden(event.payload, trigger.serialize(), logged())
        assert event.payload["outcome"] == ("finished" if end == "echo" else "failed")
        assert ("***" in str(event.payload)) is (end == "fail")
    wait_for_state(hook, sops_task_id, "FINISHED" if end == "echo" else "FAILED")


@pytest.fixture
def independent(hook: SopsHook, templates: dict[str, int]) -> Iterator[PasswordFlow]:
    """A flow with a subprocess as a task of its own, which is given the password."""
    with echo_service() as address:
        flow = PasswordFlow.read(hook, templates, address, template=INDEPENDENT_TEMPLATE)
        yield flow.with_password(f"Mark3d/{secrets.token_hex(4)}&'\"x")


def rendered_fields(run: FinishedRun) -> list[str]:
    """What Airflow shows of the arguments of a run's tasks, as it stands in the database."""
    query = text(
        "SELECT rendered_fields FROM rendered_task_instance_fields WHERE dag_id = :dag_id AND run_id = :run_id"
    )
    with create_session() as session:
        return [
            str(row) for row in session.execute(query, {"dag_id": run.dag_run.dag_id, "run_id": run.dag_run.run_id})
        ]


class TestIndependentSubprocesses:
    """Nothing shows the password that a task hands to the task of its subprocess, whose node fails."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("end", ["fail"])
    def test_run(
        self, independent: PasswordFlow, logged: Callable[[], str], end: str, way: dict[str, Any], hook: SopsHook
    ) -> None:
        with DAG(dag_id=f"run_independent_{end}_{way['deferrable']}", schedule=None, start_date=START_DATE) as dag:
            SopsRunTaskOperator(
                task_id="run",
                template_id=independent.template_id,
                constants=independent.constants(end),
                poll_interval_seconds=0.2,
                **way,
            )
        run = run_dag(dag)
        independent.check_hidden(logged(), *xcoms_of(run), *rendered_fields(run))
        assert run.state == ("success" if end == "echo" else "failed")

    @pytest.mark.parametrize("mode", ["watch", "native"])
    @pytest.mark.parametrize("end", ["fail"])
    def test_a_flow_as_a_dag(
        self,
        hook: SopsHook,
        independent: PasswordFlow,
        logged: Callable[[], str],
        end: str,
        mode: Literal["watch", "native"],
    ) -> None:
        template = hook.get_template_info(independent.template_id, unfold_subprocess=True)
        dag = SopsDag(
            f"independent_{mode}_{end}",
            pipeline=take_snapshot(template, template_source="business", bk_biz_id=hook.bk_biz_id, scope="cmdb_biz"),
            mode=mode,
            constants=independent.constants(end),
            schedule=None,
            start_date=START_DATE,
            poll_interval_seconds=0.2,
            node_details="all" if mode == "watch" else None,
        )
        run = run_dag(dag)
        shown = logged()
        independent.check_hidden(shown, *xcoms_of(run), *rendered_fields(run))
        if mode == "watch":
            assert "The subprocess around this node runs as SOPS task" in shown
            assert run.state == ("success" if end == "echo" else "failed")
            assert "Bearer ***" in shown or end == "fail"

    @pytest.mark.parametrize("end", ["fail"])
    async def test_the_events_about_the_inner_task(
        self,
        hook: SopsHook,
        independent: PasswordFlow,
        monkeypatch: pytest.MonkeyPatch,
        logged: Callable[[], str],
        end: str,
    ) -> None:
        monkeypatch.setattr("airflow_provider_sops.triggers.waiting_trigger.WORKER_EXIT_SECONDS", 0.0)
        outer = independent.start(hook, end)
        call = nodes_of(hook, outer)["call leaf"]
        where: dict[str, Any] = {"sops_conn_id": "sops_default", "policy": POLICY}
        wait_for_state(hook, outer, "FINISHED" if end == "echo" else "FAILED")
        inner = int(hook.get_task_node_data(outer, call, component_code="subprocess_plugin").outputs["task_id"])
        node = NodeInTask((nodes_of(hook, inner)["send credential"],), secrets_of=(outer, inner))
        events = [
            await anext(aiter(SopsTaskTrigger(sops_task_id=outer, **where).run())),
            await anext(aiter(SopsNodeTrigger(sops_task_id=inner, node=node, **where).run())),
        ]
        independent.check_hidden(*(event.payload for event in events), logged())
        assert [event.payload["outcome"] for event in events] == ["finished" if end == "echo" else "failed"] * 2


class _NoInstance:
    """A task instance whose XComs nobody reads."""

    def xcom_push(self, **_pushed: Any) -> None:
        """Do nothing."""

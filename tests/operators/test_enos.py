"""EnosTriggerFlowOperator: one instance of a flow, from its trigger to its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, AirflowFailException, AirflowTaskTimeout

from airflow_provider_sops.operators import enos_triggering
from airflow_provider_sops.operators.enos import EnosTriggerFlowOperator
from airflow_provider_sops.task_instance import state as task_instance_state
from airflow_provider_sops.task_instance.instance_follower import InstanceFollower
from airflow_provider_sops.waiting import patience
from tests.dag_run import run_dag
from tests.enos_server import EnosServer, Fault, Play, TaskPlay
from tests.enos_server.plays import CANCEL, FAIL, INIT, RUNNING, SKIP, SUCCESS
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

pytest_plugins = ("tests.enos_server.fixtures",)

DUE = pendulum.datetime(2026, 3, 1, 2, 0)
ENDLESS = Play((RUNNING,), {"wait": TaskPlay((RUNNING,))})
FAILED = Play((FAIL,), {"extract": TaskPlay((SUCCESS,)), "load": TaskPlay((FAIL,), log="boom\n100% %s {x}")})


@pytest.fixture(autouse=True)
def server(enos_default: EnosServer, monkeypatch: pytest.MonkeyPatch) -> EnosServer:
    """EnOS behind ``enos_default``, which lets a flow be triggered again at once; short pauses."""
    enos_default.service.minute_seconds = 0
    monkeypatch.setattr(enos_triggering, "_LOOK_UP_SECONDS", 0.3)
    monkeypatch.setattr(enos_triggering, "_LOOK_UP_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(patience, "_FIRST_PAUSE_SECONDS", 0.01)
    return enos_default


def make_operator(**arguments: Any) -> EnosTriggerFlowOperator:
    defaults: dict[str, Any] = {
        "task_id": "run",
        "flow_id": 8,
        "deferrable": False,
        "poll_interval_seconds": 0.02,
        "timeout_seconds": 20,
        "settle_seconds": 0.1,
    }
    return EnosTriggerFlowOperator(**{**defaults, **arguments})


def first_try(**changes: Any) -> PlainTaskInstance:
    """Return the first try of a task instance whose task has no ``retries``."""
    return replace(PlainTaskInstance(max_tries=0), **changes)


def retried(ti: PlainTaskInstance) -> PlainTaskInstance:
    return replace(ti, try_number=ti.try_number + 1, xcoms={})


def cleared(ti: PlainTaskInstance) -> PlainTaskInstance:
    """Return the try after a clear, which is told by ``max_tries`` alone."""
    return replace(ti, try_number=ti.try_number + 1, max_tries=ti.try_number, xcoms={})


def context_of(ti: PlainTaskInstance, due: pendulum.DateTime = DUE) -> Context:
    return cast("Context", {**ti.context, "dag_run": SimpleNamespace(run_after=due, run_type="scheduled")})


def run(operator: EnosTriggerFlowOperator, ti: PlainTaskInstance | None = None) -> Any:
    return operator.execute(context_of(ti or first_try()))


class TestRunning:
    def test_returns_the_instance(self, server: EnosServer) -> None:
        server.add_flow(8, Play((INIT, RUNNING, SUCCESS)), name="daily report")
        ti = first_try()
        instance = run(make_operator(), ti)
        assert instance["instanceId"] == "8-20260301020000"
        assert instance["flowName"] == "daily report"
        assert instance["graph"]["tasks"][0]["status"] == "SUCCESS"
        assert ti.xcoms == {"enos_flow_instance_id": "8-20260301020000", "enos_status": "SUCCESS"}

    def test_triggers_at_the_time_at_which_the_run_was_due(self, server: EnosServer) -> None:
        server.add_flow(8)
        run(make_operator())
        (sent,) = server.sent("trigger")
        assert sent.content == {"flowId": 8, "triggerTime": DUE.int_timestamp * 1000}

    @pytest.mark.parametrize(
        "given", ["2026-05-01 08:30:05+08:00", 1777595405000, "1777595405000", pendulum.datetime(2026, 5, 1, 0, 30, 5)]
    )
    def test_triggers_at_another_time_if_told_so(self, server: EnosServer, given: Any) -> None:
        server.add_flow(8)
        run(make_operator(trigger_time=given))
        assert server.instances[0].instance_id == "8-20260501003005"

    def test_in_airflow_2_a_scheduled_run_is_due_at_the_end_of_its_interval(self, server: EnosServer) -> None:
        server.add_flow(8)
        for run_type, expected in (("scheduled", "8-20260301020000"), ("manual", "8-20260301013000")):
            dag_run = SimpleNamespace(run_type=run_type, data_interval_end=DUE, logical_date=DUE.subtract(minutes=30))
            make_operator().execute(cast("Context", {**first_try().context, "dag_run": dag_run}))
            assert expected in server.service.instances

    def test_parameters_go_into_the_instance(self, server: EnosServer) -> None:
        server.add_flow(8)
        assert run(make_operator(parameters={"day": "2026-03-01"}))["parameters"] == [
            {"key": "day", "value": "2026-03-01"}
        ]

    def test_a_flow_can_be_run_from_a_task_on(self, server: EnosServer) -> None:
        flow = server.add_flow(8, Play((SUCCESS,), {"a": TaskPlay(), "b": TaskPlay()}))
        run(make_operator(enos_task_id=str(flow.task_id("b"))))
        assert server.instances[0].from_task_id == flow.task_id("b")

    def test_does_not_wait_when_told_not_to(self, server: EnosServer) -> None:
        server.add_flow(8, ENDLESS)
        ti = first_try()
        assert run(make_operator(wait_for_completion=False), ti) is None
        assert ti.xcoms["enos_flow_instance_id"] == server.instances[0].instance_id

    @pytest.mark.parametrize("kind", [0, 1, 2])
    def test_a_trigger_whose_answer_was_lost_is_looked_up_and_never_repeated(
        self, server: EnosServer, kind: int
    ) -> None:
        server.service.trigger_kind = kind
        server.add_flow(8)
        server.service.add_instance(server.add_flow(18), DUE.int_timestamp * 1000, kind=kind)
        server.spoil("trigger", Fault.RESET_AFTER)
        assert run(make_operator())["instanceId"] == "8-20260301020000"
        assert len(server.sent("trigger")) == 1

    @pytest.mark.parametrize("status", [SUCCESS, SKIP])
    def test_what_counts_as_success_is_a_parameter(self, server: EnosServer, status: int) -> None:
        server.add_flow(8, Play((RUNNING, status)))
        assert run(make_operator(success_statuses=["SUCCESS", "skip"])) is not None


class TestFailure:
    def test_names_the_tasks_and_writes_their_logs(
        self, server: EnosServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server.add_flow(8, FAILED)
        ti = first_try()
        with pytest.raises(AirflowException, match=r'8-20260301020000 ended as FAIL: task "load" \(801-') as raised:
            run(make_operator(), ti)
        assert not isinstance(raised.value, AirflowFailException)
        assert ti.xcoms["enos_status"] == "FAIL"
        assert "100% %s {x}" in caplog.text + capsys.readouterr().out

    @pytest.mark.parametrize("word", ["TIMEOUT", "INTERNAL_ERROR", "SKIP"])
    def test_is_every_end_that_does_not_count_as_success(self, server: EnosServer, word: str) -> None:
        number = {"TIMEOUT": 7, "INTERNAL_ERROR": 4, "SKIP": 10}[word]
        server.add_flow(8, Play((number,), {"a": TaskPlay((number,))}))
        with pytest.raises(AirflowException, match=f"ended as {word}"):
            run(make_operator())

    def test_waits_for_the_tasks_that_still_run(self, server: EnosServer) -> None:
        others = {"a": TaskPlay((FAIL,)), "b": TaskPlay((*[RUNNING] * 30, SUCCESS))}
        server.add_flow(8, Play((RUNNING, FAIL), others))
        with pytest.raises(AirflowException, match="ended as FAIL"):
            run(make_operator())
        assert server.instances[0].as_answer()["graph"].count("RUNNING") == 0

    def test_waits_for_automatic_reruns(self, server: EnosServer) -> None:
        flaky = TaskPlay((FAIL, FAIL, FAIL, RUNNING, SUCCESS), recalls=(0, 0, 1), recall_limit=1)
        server.add_flow(8, Play((FAIL, FAIL, FAIL, RUNNING, SUCCESS), {"a": flaky}))
        assert run(make_operator())["statusDesc"] == "SUCCESS"

    def test_gives_up_on_reruns_that_never_come(self, server: EnosServer) -> None:
        server.add_flow(8, Play((FAIL,), {"a": TaskPlay((FAIL,), recall_limit=3)}))
        with pytest.raises(AirflowException, match="not run it again within"):
            run(make_operator(rerun_wait_seconds=0.1))

    def test_an_instance_that_was_stopped_in_enos_is_not_retried(self, server: EnosServer) -> None:
        server.add_flow(8, Play((RUNNING, CANCEL)))
        with pytest.raises(AirflowFailException, match="was stopped in EnOS"):
            run(make_operator())

    def test_runs_out_of_time_and_stops_the_instance(self, server: EnosServer) -> None:
        server.add_flow(8, ENDLESS)
        server.spoil("cancel", Fault.BAD_GATEWAY_BEFORE, Fault.RESET_AFTER)
        with pytest.raises(AirflowException, match="after the time allowed"):
            run(make_operator(timeout_seconds=0.2))
        assert server.instances[0].status == CANCEL

    def test_execution_timeout_counts_where_it_is_earlier(self, server: EnosServer) -> None:
        server.add_flow(8, ENDLESS)
        with pytest.raises(AirflowException, match="after the time allowed"):
            run(make_operator(execution_timeout=timedelta(seconds=0.3)))
        assert server.instances[0].status == CANCEL

    def test_says_so_where_the_instance_cannot_be_stopped(
        self, server: EnosServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server.add_flow(8, ENDLESS)
        refusing = mock.patch("tests.enos_server.instances.Instance.cancel", autospec=True, return_value=False)
        with refusing, pytest.raises(AirflowException, match="62102"):
            run(make_operator(timeout_seconds=0.1))
        assert "may still run" in caplog.text + capsys.readouterr().out

    @pytest.mark.parametrize(
        ("fault", "words"),
        [(Fault.RESET_BEFORE, "trigger_flow"), (Fault.SERVER_ERROR, "62109"), (Fault.WEB_PAGE, "HTML|html")],
    )
    def test_a_lost_trigger_that_made_nothing_fails_for_a_retry(
        self, server: EnosServer, fault: Fault, words: str
    ) -> None:
        server.add_flow(8)
        server.spoil("trigger", fault)
        with pytest.raises(AirflowException, match=words) as raised:
            run(make_operator())
        assert not isinstance(raised.value, AirflowFailException)
        assert len(server.sent("trigger")) == 1

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"flow_id": "x"}, "not the id of a flow"),
            ({"flow_id": None}, "not the id of a flow"),
            ({"trigger_time": "2026-03-01 02:00:00"}, "no time zone"),
            ({"trigger_time": "soon"}, "not a time"),
            ({"user_id": "stranger"}, "62101"),
            ({"flow_id": 9}, "62104"),
            ({"flow_id": 10}, "62103"),
        ],
    )
    def test_bad_input_is_not_retried(self, server: EnosServer, arguments: dict[str, Any], words: str) -> None:
        server.add_flow(9, Play(tasks={}))
        server.add_flow(10, owner="somebody else")
        with pytest.raises(AirflowFailException, match=words):
            run(make_operator(**arguments))

    @pytest.mark.parametrize(
        "arguments",
        [
            {"poll_interval_seconds": 0},
            {"success_statuses": ["RUNNING"]},
            {"success_statuses": []},
            {"enos_task_id": 1, "parameters": {}},
        ],
    )
    def test_wrong_choices_fail_when_the_dag_is_parsed(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"poll_interval|success_statuses|not both"):
            make_operator(**arguments)


class TestTries:
    def test_a_retry_joins_the_running_instance(self, server: EnosServer) -> None:
        server.add_flow(8, Play((RUNNING,) * 6 + (SUCCESS,)))
        ti = first_try()
        run(make_operator(wait_for_completion=False), ti)
        assert run(make_operator(), retried(ti))["instanceId"] == server.instances[0].instance_id
        assert len(server.instances) == 1

    def test_a_retry_finds_an_instance_that_landed_late(self, server: EnosServer) -> None:
        server.add_flow(8)
        server.spoil("trigger", Fault.LANDS_LATER)
        ti = first_try()
        with pytest.raises(AirflowException):
            run(make_operator(), ti)
        server.land()
        run(make_operator(), retried(ti))
        assert len(server.instances) == 1

    def test_a_retry_takes_an_instance_that_has_succeeded(self, server: EnosServer) -> None:
        server.add_flow(8, Play((SUCCESS,)))
        ti = first_try()
        run(make_operator(), ti)
        run(make_operator(), retried(retried(ti)))
        assert len(server.instances) == 1

    @pytest.mark.parametrize("first", [FAILED, Play((CANCEL,))], ids=["failed", "stopped"])
    def test_a_retry_replaces_an_instance_that_has_not_succeeded(self, server: EnosServer, first: Play) -> None:
        server.add_flow(8, first, Play((SUCCESS,)))
        ti = first_try()
        with pytest.raises(AirflowException):
            run(make_operator(), ti)
        assert run(make_operator(), retried(ti))["instanceId"] == "8-20260301020100"

    def test_a_clear_runs_another_and_leaves_the_earlier_one(self, server: EnosServer) -> None:
        server.add_flow(8, ENDLESS, Play((SUCCESS,)))
        ti = first_try()
        run(make_operator(wait_for_completion=False), ti)
        run(make_operator(), cleared(ti))
        assert [instance.status for instance in server.instances] == [RUNNING, SUCCESS]

    def test_an_instance_of_somebody_else_is_not_taken(self, server: EnosServer) -> None:
        flow = server.add_flow(8)
        server.service.add_instance(flow, DUE.int_timestamp * 1000 + 30_000)
        with pytest.raises(AirflowFailException, match=r"8-20260301020030.*did not create.*trigger_time"):
            run(make_operator())
        assert server.sent("trigger") == []

    def test_a_flow_that_was_triggered_a_moment_ago_is_worth_a_retry(self, server: EnosServer) -> None:
        server.service.minute_seconds = 60
        server.add_flow(8)
        run(make_operator(trigger_time="2026-01-01T00:00:00Z"))
        with pytest.raises(AirflowException, match="less than a minute ago") as raised:
            run(make_operator())
        assert not isinstance(raised.value, AirflowFailException)

    def test_refused_credentials_are_worth_a_retry_once_an_instance_may_run(self, server: EnosServer) -> None:
        server.add_flow(8, ENDLESS)
        ti = first_try()
        run(make_operator(wait_for_completion=False), ti)
        server.spoil("search", *[Fault.TOKEN_REFUSED] * 2)
        with pytest.raises(AirflowException) as raised:
            run(make_operator(), retried(ti))
        assert not isinstance(raised.value, AirflowFailException)


class TestKill:
    @pytest.mark.parametrize(
        ("recorded", "status"),
        [
            ("failed", CANCEL),
            ("success", CANCEL),
            ("skipped", CANCEL),
            ("removed", CANCEL),
            ("running", RUNNING),
            ("restarting", RUNNING),
            (None, RUNNING),
        ],
    )
    def test_stops_only_what_somebody_ended(self, server: EnosServer, recorded: str | None, status: int) -> None:
        server.add_flow(8, ENDLESS)
        operator = make_operator(wait_for_completion=False)
        run(operator)
        with mock.patch.object(task_instance_state, "read_state", autospec=True, return_value=recorded):
            operator.on_kill()
        assert server.instances[0].status == status

    def test_stops_nothing_where_that_is_switched_off(self, server: EnosServer) -> None:
        server.add_flow(8, ENDLESS)
        operator = make_operator(wait_for_completion=False, cancel_on_kill=False)
        run(operator)
        with mock.patch.object(task_instance_state, "read_state", autospec=True, return_value="failed"):
            operator.on_kill()
        assert server.instances[0].status == RUNNING

    def test_finds_and_stops_what_was_not_known_yet(self, server: EnosServer) -> None:
        server.add_flow(8, ENDLESS)
        server.spoil("trigger", Fault.RESET_AFTER)
        operator = make_operator()
        ending = mock.patch.object(enos_triggering.FlowTriggering, "_look_up", autospec=True, side_effect=SystemExit)
        with ending, pytest.raises(SystemExit):
            run(operator)
        with mock.patch.object(task_instance_state, "read_state", autospec=True, return_value="failed"):
            operator.on_kill()
        assert server.instances[0].status == CANCEL

    def test_is_harmless_before_there_is_an_instance(self, server: EnosServer) -> None:
        make_operator().on_kill()
        assert server.requests == []

    def test_airflows_own_alarm_stops_the_instance_too(self, server: EnosServer) -> None:
        server.add_flow(8, ENDLESS)
        alarm = mock.patch.object(InstanceFollower, "to_the_end", autospec=True, side_effect=AirflowTaskTimeout)
        with alarm, pytest.raises(AirflowTaskTimeout):
            run(make_operator())
        assert server.instances[0].status == CANCEL


@pytest.mark.integration
@pytest.mark.usefixtures("airflow_db")
class TestInDag:
    @staticmethod
    def make_dag(dag_id: str) -> DAG:
        return DAG(
            dag_id=f"enos_in_dag_{dag_id}",
            schedule=None,
            start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
            params={"flow": 8},
        )

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_runs_with_rendered_templates(self, server: EnosServer, deferrable: bool) -> None:
        server.add_flow(8)
        with self.make_dag(f"templates_{deferrable}") as dag:
            make_operator(flow_id="{{ params.flow }}", parameters={"flow": "n{{ params.flow }}"}, deferrable=deferrable)
        finished = run_dag(dag)
        assert finished.state_of("run") == "success"
        assert finished.xcom("run")["parameters"] == [{"key": "flow", "value": "n8"}]
        assert finished.xcom("run", "enos_status") == "SUCCESS"

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_a_failed_instance_fails_the_task(self, server: EnosServer, deferrable: bool) -> None:
        server.add_flow(8, FAILED)
        with self.make_dag(f"failure_{deferrable}") as dag:
            make_operator(deferrable=deferrable)
        assert run_dag(dag).state_of("run") == "failed"

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_a_retry_runs_the_flow_a_minute_later(self, server: EnosServer, deferrable: bool) -> None:
        server.add_flow(8, FAILED, Play((SUCCESS,)))
        with self.make_dag(f"retry_{deferrable}") as dag:
            make_operator(retries=1, retry_delay=timedelta(0), trigger_time=DUE, deferrable=deferrable)
        finished = run_dag(dag)
        assert finished.state_of("run") == "success"
        assert [instance.instance_id for instance in server.instances] == ["8-20260301020000", "8-20260301020100"]

    def test_mapped_tasks_run_a_flow_each(self, server: EnosServer) -> None:
        server.add_flow(8)
        server.add_flow(9)
        with self.make_dag("mapped") as dag:
            EnosTriggerFlowOperator.partial(task_id="run", deferrable=False, poll_interval_seconds=0.02).expand(
                flow_id=[8, 9]
            )
        finished = run_dag(dag)
        assert [finished.xcom("run", map_index=index)["flowId"] for index in (0, 1)] == [8, 9]

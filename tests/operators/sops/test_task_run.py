"""SopsTaskRun: one SOPS task for one task instance, phase by phase, without an operator around it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowTaskTimeout

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops import exactly_once, run_wait, task_run
from airflow_provider_sops.operators.sops.obtaining import TaskCreation
from airflow_provider_sops.operators.sops.run_settings import RunSettings
from airflow_provider_sops.operators.sops.task_run import SopsTaskRun
from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsConnectionError,
    SopsInvalidOperationError,
    SopsInvalidParameterError,
    SopsTaskFailedError,
    SopsTaskRevokedError,
)
from airflow_provider_sops.sops.models import CreatedTask, TaskDetail, TaskListItem, TaskStatus
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.task_instance import told_lines
from airflow_provider_sops.task_instance.told_lines import ToldLines
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOG = logging.getLogger(__name__)
URL = "http://sops.example.com/taskflow/execute/2/?instance_id=7"
CLAIM_URL = "http://sops.example.com/function/execute/2/?instance_id=7"
NEEDED = WaitResult(Outcome.PERSON_NEEDED, "FAILED", failure_marks=("n1:1",))
FINISHED = WaitResult(Outcome.FINISHED, "FINISHED")


class DeferredError(Exception):
    """What the operator's ``defer`` raises here."""


def key(ti: PlainTaskInstance) -> TaskKey:
    return TaskKey.of(
        dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index, max_tries=ti.max_tries
    )


@pytest.fixture
def ti() -> PlainTaskInstance:
    return PlainTaskInstance()


@pytest.fixture
def hook() -> mock.Mock:
    """A SOPS without tasks, in which every task is CREATED and can be started."""
    hook: mock.Mock = mock.create_autospec(SopsHook, instance=True)
    hook.configure_mock(user="admin", sops_conn_id="other", bk_biz_id=5, scope="project")
    hook.bear.side_effect = lambda _call, act: act()
    hook.get_task_list.return_value = []
    set_state(hook, "CREATED")
    hook.get_task_detail.return_value = TaskDetail.read(
        {
            "id": 7,
            "task_url": URL,
            "finish_time": "2026-11-20 18:35:08 +0800",
            "outputs": [{"key": "${code}", "value": 7}],
        }
    )
    return hook


def set_state(hook: mock.Mock, state: str) -> None:
    hook.get_task_status.return_value = TaskStatus.read({"id": 7, "state": state, "children": {}})


@pytest.fixture
def defer() -> mock.Mock:
    return mock.Mock(side_effect=DeferredError)


def run_of(hook: mock.Mock, ti: PlainTaskInstance, defer: mock.Mock, settings: RunSettings) -> SopsTaskRun:
    """Return a run as an operator holds it."""
    operator: Any = mock.Mock(hook=hook, log=LOG, defer=defer)
    return SopsTaskRun.of(operator, settings, ti.context)


@pytest.fixture
def make_run(hook: mock.Mock, ti: PlainTaskInstance, defer: mock.Mock) -> Callable[..., SopsTaskRun]:
    def make(**settings: Any) -> SopsTaskRun:
        return run_of(hook, ti, defer, RunSettings(**{"defer_after_seconds": 0.0, **settings}))

    return make


def creation(
    hook: mock.Mock, ti: PlainTaskInstance, check: Callable[[], None] | None = None, claim_url: str | None = None
) -> TaskCreation:
    """Return a creation that SOPS lists from then on."""
    name = key(ti).add_to("a flow")

    def create(name: str) -> CreatedTask:
        hook.get_task_list.return_value = [listed(name)]
        return CreatedTask.read({"task_id": 7, "function_task_claim_url": claim_url})

    return TaskCreation(name, create, check)


def listed(name: str, *, started: bool = False) -> TaskListItem:
    return TaskListItem.read({"id": 7, "name": name, "is_started": started, "is_finished": False})


@pytest.fixture
def follower() -> Iterator[mock.Mock]:
    """The blocking wait: the policies that it is begun with, and how it ends."""
    with mock.patch.object(run_wait, "TaskFollower", autospec=True) as follower:
        yield follower


class TestObtain:
    def test_makes_the_task_if_there_is_none(
        self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock, ti: PlainTaskInstance
    ) -> None:
        run = make_run()
        assert run.obtain(creation(hook, ti)) == run.sops_task_id == 7

    def test_checks_only_what_is_to_be_made(
        self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock, ti: PlainTaskInstance
    ) -> None:
        refuse = mock.Mock(side_effect=SopsInvalidParameterError("no such constant"))
        with pytest.raises(SopsInvalidParameterError):
            make_run().obtain(creation(hook, ti, refuse))
        hook.get_task_list.return_value = [listed(key(ti).add_to("a flow"))]
        assert make_run().obtain(creation(hook, ti, refuse)) == 7

    def test_joins_the_task_of_an_earlier_try(
        self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock, ti: PlainTaskInstance
    ) -> None:
        hook.get_task_list.return_value = [listed(key(ti).add_to("a flow"), started=True)]
        set_state(hook, "RUNNING")
        never = TaskCreation("a flow", mock.Mock(side_effect=AssertionError))
        assert make_run().obtain(never) == 7

    def test_has_no_task_before(self, make_run: Callable[..., SopsTaskRun]) -> None:
        with pytest.raises(AssertionError, match="before it was obtained"):
            _ = make_run().sops_task_id


class TestStart:
    def test_starts_a_task_that_is_created(self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock) -> None:
        run = make_run()
        run.adopt(7)
        run.start()
        hook.start_task.assert_called_once_with(7)

    def test_leaves_one_alone_that_was_started(self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock) -> None:
        set_state(hook, "SUSPENDED")
        run = make_run()
        run.adopt(7)
        run.start()
        hook.start_task.assert_not_called()


class TestAnnounce:
    def test_pushes_id_and_address(self, make_run: Callable[..., SopsTaskRun], ti: PlainTaskInstance) -> None:
        run = make_run()
        run.adopt(7)
        assert run.announce().task_url == URL
        assert ti.xcoms == {"sops_task_id": 7, "sops_task_url": URL}

    def test_pushes_and_logs_where_the_new_task_is_claimed(
        self,
        make_run: Callable[..., SopsTaskRun],
        hook: mock.Mock,
        ti: PlainTaskInstance,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        run = make_run(flow_type="common_func")
        run.obtain(creation(hook, ti, claim_url=CLAIM_URL))
        with caplog.at_level(logging.INFO):
            run.announce()
        assert ti.xcoms["sops_claim_url"] == CLAIM_URL
        assert f"SOPS task 7 runs once somebody has claimed it: {CLAIM_URL}" in caplog.text

    def test_says_nothing_of_a_claim_that_sops_does_not_ask_for(
        self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock, ti: PlainTaskInstance
    ) -> None:
        run = make_run()
        run.obtain(creation(hook, ti))
        run.announce()
        assert "sops_claim_url" not in ti.xcoms


class TestWait:
    @pytest.fixture
    def run(self, make_run: Callable[..., SopsTaskRun]) -> SopsTaskRun:
        run = make_run(on_failed="wait", timeout_seconds=None, start_timeout_seconds=None)
        run.adopt(7)
        return run

    def test_in_the_triggerer_hands_over_all_that_it_needs(self, run: SopsTaskRun, defer: mock.Mock) -> None:
        with pytest.raises(DeferredError):
            run.wait(run.announce(), deferrable=True)
        trigger = defer.call_args.kwargs["trigger"]
        assert isinstance(trigger, SopsTaskTrigger)
        assert (trigger.sops_conn_id, trigger.bk_biz_id, trigger.scope) == ("other", 5, "project")
        assert (trigger.sops_task_id, trigger.task_url, trigger.revoke_on_kill) == (7, URL, True)
        assert trigger.policy == WaitPolicy(on_failed="wait", paced=True)
        assert defer.call_args.kwargs["method_name"] == "execute_complete"

    @pytest.fixture
    def brief_run(self, make_run: Callable[..., SopsTaskRun]) -> SopsTaskRun:
        run = make_run(on_failed="wait", on_node_failed=mock.Mock(), defer_after_seconds=6.0)
        run.adopt(7)
        return run

    def test_a_short_flow_is_waited_for_here(
        self, brief_run: SopsTaskRun, defer: mock.Mock, follower: mock.Mock
    ) -> None:
        follower.return_value.for_a_while.return_value = FINISHED
        assert brief_run.wait(brief_run.announce(), deferrable=True) == FINISHED
        follower.return_value.for_a_while.assert_called_once_with(6.0)
        defer.assert_not_called()

    def test_a_longer_flow_goes_on_in_the_triggerer_with_what_was_told_here(
        self, brief_run: SopsTaskRun, defer: mock.Mock, follower: mock.Mock
    ) -> None:
        follower.return_value.for_a_while.return_value = WaitPolicy(told="a node")
        with pytest.raises(DeferredError):
            brief_run.wait(brief_run.announce(), deferrable=True)
        assert defer.call_args.kwargs["trigger"].policy == WaitPolicy(told="a node")

    def test_a_person_who_is_needed_early_is_called_before_the_triggerer_takes_over(
        self, brief_run: SopsTaskRun, defer: mock.Mock, follower: mock.Mock
    ) -> None:
        follower.return_value.for_a_while.return_value = NEEDED
        with pytest.raises(DeferredError):
            brief_run.wait(brief_run.announce(), deferrable=True)
        assert defer.call_args.kwargs["trigger"].policy.announced == NEEDED.failure_marks

    def test_here_follows_to_the_end(self, run: SopsTaskRun, defer: mock.Mock, follower: mock.Mock) -> None:
        follower.return_value.to_the_end.return_value = FINISHED
        assert run.wait(run.announce(), deferrable=False) == FINISHED
        defer.assert_not_called()

    def test_here_calls_for_a_person_and_goes_on(
        self, make_run: Callable[..., SopsTaskRun], follower: mock.Mock
    ) -> None:
        called = mock.Mock(side_effect=RuntimeError("the message cannot be sent"))
        run = make_run(on_failed="wait", on_node_failed=called)
        run.adopt(7)
        follower.return_value.to_the_end.side_effect = [NEEDED, FINISHED]
        assert run.wait(run.announce(), deferrable=False) == FINISHED
        (context,) = called.call_args.args
        assert isinstance(context["exception"], SopsTaskFailedError)
        assert context["sops_failure_marks"] == NEEDED.failure_marks
        follower.assert_called_once()
        assert follower.return_value.to_the_end.call_count == 2


class TestResume:
    @staticmethod
    def event(result: WaitResult) -> dict[str, Any]:
        trigger = SopsTaskTrigger(sops_conn_id="other", sops_task_id=7, task_url=URL, human_nodes={"n2": "pause_node"})
        return {**result.to_event(), "trigger": trigger.serialize()[1]}

    def test_takes_the_task_from_the_event(self, make_run: Callable[..., SopsTaskRun]) -> None:
        run = make_run()
        assert run.resume(self.event(FINISHED)) == FINISHED
        assert run.sops_task_id == 7

    def test_repeats_what_the_triggerer_told_and_where_the_task_is(
        self, make_run: Callable[..., SopsTaskRun], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        told = ToldLines(mock.Mock())
        told.info('node "deploy" FINISHED')
        with mock.patch.object(told_lines, "own_host", autospec=True, return_value="another"):
            event = {**self.event(FINISHED), **told.in_event()}
        make_run().resume(event)
        assert any(message.endswith(' UTC] node "deploy" FINISHED') for message in caplog.messages)
        assert f"SOPS task 7: {URL}" in caplog.messages

    def test_calls_for_a_person_and_defers_again(self, make_run: Callable[..., SopsTaskRun], defer: mock.Mock) -> None:
        called = mock.Mock()
        with pytest.raises(DeferredError):
            make_run(on_node_failed=[called]).resume(self.event(NEEDED))
        called.assert_called_once()
        trigger = defer.call_args.kwargs["trigger"]
        assert trigger.policy.announced == NEEDED.failure_marks
        assert (trigger.task_url, trigger.human_nodes) == (URL, {"n2": "pause_node"})


class TestConclude:
    def test_returns_the_outputs(self, make_run: Callable[..., SopsTaskRun], ti: PlainTaskInstance) -> None:
        run = make_run()
        run.adopt(7)
        assert run.conclude(FINISHED) == {"code": 7}
        assert ti.xcoms["sops_task_state"] == "FINISHED"

    def test_reads_them_as_it_is_told(self, make_run: Callable[..., SopsTaskRun]) -> None:
        run = make_run()
        run.adopt(7)
        assert run.conclude(FINISHED, lambda _hook, sops_task_id: {"id": sops_task_id}) == {"id": 7}

    def test_raises_what_became_of_the_task(self, make_run: Callable[..., SopsTaskRun]) -> None:
        run = make_run()
        run.adopt(7)
        with pytest.raises(SopsTaskRevokedError, match="7"):
            run.conclude(WaitResult(Outcome.REVOKED, "REVOKED"))

    @pytest.mark.parametrize(("revoke_on_kill", "revokes"), [(True, 1), (False, 0)])
    def test_revokes_a_task_whose_time_is_over(
        self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock, revoke_on_kill: bool, revokes: int
    ) -> None:
        run = make_run(revoke_on_kill=revoke_on_kill)
        run.adopt(7)
        with pytest.raises(Exception, match="after the time allowed"):
            run.conclude(WaitResult(Outcome.TIMED_OUT, "RUNNING"))
        assert hook.operate_task.call_count == revokes

    def test_takes_the_outputs_if_it_finished_before_the_revoke(
        self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock
    ) -> None:
        hook.operate_task.side_effect = SopsInvalidOperationError("the state does not allow it", http_status=200)
        set_state(hook, "FINISHED")
        run = make_run()
        run.adopt(7)
        assert run.conclude(WaitResult(Outcome.TIMED_OUT, "RUNNING")) == {"code": 7}

    def test_remembers_that_the_outputs_were_taken(self, hook: mock.Mock) -> None:
        store: dict[str, Any] = {}
        ti = PlainTaskInstance(task_state_store=mock.Mock(get=store.get, set=store.__setitem__))
        run = run_of(hook, ti, mock.Mock(), RunSettings())
        run.adopt(7)
        assert run.take_outputs(FINISHED) == {"code": 7}
        assert store["sops_task"]["sops_task_id"] == 7
        assert store["sops_task"]["outputs_taken"] is True


class TestRevoke:
    @pytest.mark.parametrize(
        ("ended", "revoke_on_kill", "revoked"), [(True, True, [mock.call(7)]), (False, True, []), (True, False, [])]
    )
    def test_on_kill_revokes_what_somebody_has_ended(
        self,
        make_run: Callable[..., SopsTaskRun],
        hook: mock.Mock,
        ended: bool,
        revoke_on_kill: bool,
        revoked: list[Any],
    ) -> None:
        run = make_run(revoke_on_kill=revoke_on_kill)
        run.adopt(7)
        with mock.patch.object(task_run, "is_ended_by_decision", autospec=True, return_value=ended):
            run.on_kill()
        assert hook.revoke_at_once.mock_calls == revoked

    @pytest.mark.parametrize(("revoke_on_kill", "revoked"), [(True, [mock.call(7)]), (False, [])])
    def test_airflows_own_alarm_revokes(
        self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock, revoke_on_kill: bool, revoked: list[Any]
    ) -> None:
        run = make_run(revoke_on_kill=revoke_on_kill)
        run.adopt(7)
        with pytest.raises(AirflowTaskTimeout), run.airflow_errors():
            raise AirflowTaskTimeout
        assert hook.revoke_at_once.mock_calls == revoked


class TestErrors:
    def test_refused_credentials_end_the_task_if_nothing_can_be_running(
        self, make_run: Callable[..., SopsTaskRun]
    ) -> None:
        with pytest.raises(AirflowFailException), make_run().airflow_errors():
            raise SopsAuthError("no access")

    def test_they_are_worth_a_retry_once_the_task_may_be_running(
        self, make_run: Callable[..., SopsTaskRun], hook: mock.Mock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(exactly_once, "_START_TRIES", 1)
        hook.start_task.side_effect = SopsAuthError("no access")
        run = make_run()
        run.adopt(7)
        with pytest.raises(AirflowException) as raised, run.airflow_errors():
            run.start()
        assert type(raised.value) is AirflowException

    def test_a_lost_connection_is_worth_a_retry(self, make_run: Callable[..., SopsTaskRun]) -> None:
        with pytest.raises(AirflowException, match="lost"), make_run().airflow_errors():
            raise SopsConnectionError("connection lost")

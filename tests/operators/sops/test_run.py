"""SopsRunTaskOperator: one flow, from its creation to its outputs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowTaskTimeout

from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.wait_result import WaitPolicy, WaitResult
from airflow_provider_sops.task_instance import state as task_instance_state
from airflow_provider_sops.task_instance.task_follower import TaskFollower
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_node, wait_for_state

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = pytest.mark.integration

MakeOperator = Callable[..., SopsRunTaskOperator]


def tasks_of(hook: SopsHook, ti: PlainTaskInstance) -> list[Any]:
    """Return every SOPS task that was made for a task instance."""
    key = TaskKey.of(
        dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index, max_tries=ti.max_tries
    )
    return sorted(hook.get_task_list(keyword=key.keyword), key=lambda task: task.id)


class TestRunning:
    def test_returns_the_outputs_of_the_flow(self, run_operator: MakeOperator) -> None:
        operator = run_operator("linear", constants={"${who}": "Ann", "${seconds}": 1})
        outputs = operator.execute(PlainTaskInstance().context)
        assert outputs is not None
        assert outputs["who"] == "Ann"

    def test_makes_the_task_known_in_xcom(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        run_operator("quick").execute(ti.context)
        (task,) = tasks_of(hook, ti)
        assert ti.xcoms["sops_task_id"] == task.id
        assert ti.xcoms["sops_task_url"] == hook.get_task_detail(task.id).task_url
        assert ti.xcoms["sops_task_state"] == "FINISHED"

    def test_names_the_task_so_that_it_is_found_again(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance(max_tries=3)
        run_operator("quick", name='deploy <web> & "more"').execute(ti.context)
        (task,) = tasks_of(hook, ti)
        assert task.name.startswith('deploy <web> & "more" #')
        assert task.name.endswith("-3")

    def test_shortens_only_the_default_name(self, run_operator: MakeOperator) -> None:
        operator = run_operator("quick", name="{{ dag.dag_id }}.{{ task.task_id }}")
        operator.name = "d" * 300
        key = TaskKey("a" * 13, 0)
        assert operator.keyed_name(key) == f"{'d' * 79}… #{'a' * 13}-0"

    def test_reads_the_task_once_before_its_end_and_once_after_it(self, run_operator: MakeOperator) -> None:
        operator = run_operator("quick")
        with mock.patch.object(
            operator.hook, "get_task_detail", autospec=True, side_effect=operator.hook.get_task_detail
        ) as read:
            operator.execute(PlainTaskInstance().context)
        assert read.call_count == 2

    def test_does_not_wait_when_told_not_to(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        assert run_operator("pause", wait_for_completion=False).execute(ti.context) is None
        (task,) = tasks_of(hook, ti)
        assert task.is_started or hook.get_task_status(task.id, fresh=True).state != TaskState.FINISHED


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"constants": {"${whom}": 1}}, ["'${whom}'", "did you mean '${who}'", "${seconds}"]),
            ({"constants": {"who": 1}}, ["'who'", "did you mean '${who}'"]),
            ({"constants": ["${who}"]}, ["constants must be a dict"]),
            ({"name": ""}, ["empty"]),
            ({"name": "n" * 81}, ["81 characters", "80"]),
            ({"template_source": "weird"}, ["template_source", "business"]),
            ({"flow_type": "weird"}, ["flow_type", "common_func"]),
            ({"exclude_task_nodes_id": ["nope"]}, ["exclude_task_nodes_id", "'nope'"]),
            ({"execute_task_nodes_id": ["nope"]}, ["execute_task_nodes_id", "'nope'"]),
            ({"exclude_task_nodes_id": "nope"}, ["must be a list"]),
            ({"template_id": 987654}, ["3540400"]),
            ({"bk_biz_id": 987654}, ["3540400"]),
        ],
    )
    def test_is_refused_before_anything_is_created(
        self, run_operator: MakeOperator, hook: SopsHook, arguments: dict[str, Any], words: list[str]
    ) -> None:
        ti = PlainTaskInstance()
        with pytest.raises(AirflowFailException) as raised:
            run_operator("linear", **{"constants": {"${who}": "x"}, **arguments}).execute(ti.context)
        for word in words:
            assert word in str(raised.value.__context__)
        assert tasks_of(hook, ti) == []

    def test_a_node_that_is_not_optional_cannot_be_excluded(
        self, run_operator: MakeOperator, hook: SopsHook, templates: dict[str, int]
    ) -> None:
        activities = hook.get_template_info(templates["optional"]).activities
        fixed = next(key for key, node in activities.items() if not node["optional"])
        with pytest.raises(AirflowFailException, match="cannot run without"):
            run_operator("optional", exclude_task_nodes_id=[fixed]).execute(PlainTaskInstance().context)

    def test_unknown_constants_pass_when_the_check_is_off(self, run_operator: MakeOperator) -> None:
        operator = run_operator("quick", constants={"${no_such}": 1}, check_constants=False)
        assert operator.execute(PlainTaskInstance().context) is not None

    @pytest.mark.parametrize(
        "arguments", [{"on_failed": "ignore"}, {"retry_mode": "x"}, {"on_clear": "x"}, {"poll_interval_seconds": 0}]
    )
    def test_wrong_choices_fail_when_the_dag_is_parsed(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(arguments))):
            SopsRunTaskOperator(task_id="run", template_id=1, **arguments)


class TestFailure:
    def test_names_nodes_errors_and_address(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        with pytest.raises(AirflowException) as raised:
            run_operator("fail").execute(ti.context)
        assert not isinstance(raised.value, AirflowFailException)
        (task,) = tasks_of(hook, ti)
        status = hook.get_task_status(task.id, with_ex_data=True, fresh=True)
        (node,) = status.failed_nodes
        assert f'"{node.name}"' in str(raised.value)
        assert status.error_of(node) in str(raised.value)
        assert hook.get_task_detail(task.id).task_url in str(raised.value)
        assert ti.xcoms["sops_task_state"] == "FAILED"

    def test_waits_until_the_other_branch_has_ended(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        with pytest.raises(AirflowException):
            run_operator("fail_in_parallel").execute(ti.context)
        (task,) = tasks_of(hook, ti)
        nodes = hook.get_task_status(task.id, fresh=True).nodes.values()
        assert all(node.state != TaskState.RUNNING for node in nodes)

    def test_a_revoke_seen_while_waiting_cannot_be_retried(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        run_operator("pause", wait_for_completion=False).execute(ti.context)
        (task,) = tasks_of(hook, ti)
        wait_for_state(hook, task.id, TaskState.RUNNING)
        hook.operate_task(task.id, "revoke")
        trigger = SopsTaskTrigger(sops_conn_id="sops_default", sops_task_id=task.id)
        event = {**follow(hook, task.id).to_event(), "trigger": trigger.serialize()[1]}
        with pytest.raises(AirflowFailException, match="revoked"):
            run_operator("pause").execute_complete(ti.context, event)

    def test_runs_out_of_time_and_revokes(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        with pytest.raises(AirflowException, match="after the time allowed"):
            run_operator("pause", timeout_seconds=1).execute(ti.context)
        (task,) = tasks_of(hook, ti)
        assert hook.get_task_status(task.id, fresh=True).state == TaskState.REVOKED

    def test_execution_timeout_counts_where_it_is_earlier(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        with pytest.raises(AirflowException, match="after the time allowed"):
            run_operator("pause", execution_timeout=timedelta(seconds=2)).execute(ti.context)
        (task,) = tasks_of(hook, ti)
        assert hook.get_task_status(task.id, fresh=True).state == TaskState.REVOKED

    def test_says_so_when_sops_never_begins(self, run_operator: MakeOperator) -> None:
        operator = run_operator("quick", flow_type="common_func", start_timeout_seconds=1)
        with pytest.raises(AirflowException, match="still CREATED") as raised:
            operator.execute(PlainTaskInstance().context)
        assert "claim" in str(raised.value.__context__)


class TestKill:
    @pytest.fixture
    def running(self, run_operator: MakeOperator, hook: SopsHook) -> tuple[SopsRunTaskOperator, int]:
        """An operator whose flow waits for a person."""
        ti = PlainTaskInstance()
        operator = run_operator("pause", wait_for_completion=False)
        operator.execute(ti.context)
        wait_for_state(hook, ti.xcoms["sops_task_id"], TaskState.RUNNING)
        return operator, ti.xcoms["sops_task_id"]

    @pytest.mark.parametrize(
        ("recorded", "state"),
        [
            ("failed", TaskState.REVOKED),
            ("success", TaskState.REVOKED),
            ("skipped", TaskState.REVOKED),
            ("removed", TaskState.REVOKED),
            ("running", TaskState.RUNNING),
            ("restarting", TaskState.RUNNING),
            ("up_for_retry", TaskState.RUNNING),
            (None, TaskState.RUNNING),
        ],
    )
    def test_revokes_only_what_somebody_ended(
        self,
        running: tuple[SopsRunTaskOperator, int],
        hook: SopsHook,
        recorded: str | None,
        state: TaskState,
    ) -> None:
        operator, sops_task_id = running
        with mock.patch.object(task_instance_state, "read_state", autospec=True, return_value=recorded):
            operator.on_kill()
        assert hook.get_task_status(sops_task_id, fresh=True).state == state

    def test_revokes_nothing_where_that_is_switched_off(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        operator = run_operator("pause", wait_for_completion=False, revoke_on_kill=False)
        operator.execute(ti.context)
        sops_task_id = ti.xcoms["sops_task_id"]
        wait_for_state(hook, sops_task_id, TaskState.RUNNING)
        with mock.patch.object(task_instance_state, "read_state", autospec=True, return_value="failed"):
            operator.on_kill()
        assert hook.get_task_status(sops_task_id, fresh=True).state == TaskState.RUNNING

    def test_is_harmless_before_there_is_a_task(self, run_operator: MakeOperator) -> None:
        run_operator("pause").on_kill()

    def test_airflows_own_alarm_revokes_too(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        alarm = mock.patch.object(TaskFollower, "to_the_end", autospec=True, side_effect=AirflowTaskTimeout)
        with alarm, pytest.raises(AirflowTaskTimeout):
            run_operator("pause").execute(ti.context)
        assert hook.get_task_status(ti.xcoms["sops_task_id"], fresh=True).state == TaskState.REVOKED


class TestRetry:
    def test_joins_the_running_task(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        run_operator("long", wait_for_completion=False).execute(ti.context)
        run_operator("long").execute(ti.retried().context)
        assert len(tasks_of(hook, ti)) == 1

    def test_takes_the_outputs_of_a_finished_task(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        first = run_operator("linear", constants={"${who}": "once"}).execute(ti.context)
        second = run_operator("linear", constants={"${who}": "twice"}).execute(ti.retried().context)
        assert first == second
        assert len(tasks_of(hook, ti)) == 1

    def test_retries_the_failed_nodes_in_the_same_task(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        for attempt in (ti, ti.retried()):
            with pytest.raises(AirflowException, match="failed: node"):
                run_operator("fail").execute(attempt.context)
        (task,) = tasks_of(hook, ti)
        (node,) = hook.get_task_status(task.id, fresh=True).failed_nodes
        assert node.retry == 1

    @pytest.mark.parametrize("by", ["name", "template_node_id"])
    def test_gives_new_inputs_to_a_failed_node(
        self, run_operator: MakeOperator, hook: SopsHook, templates: dict[str, int], by: str
    ) -> None:
        ti = PlainTaskInstance()
        with pytest.raises(AirflowException):
            run_operator("fail").execute(ti.context)
        activities = hook.get_template_info(templates["fail"]).activities
        node_id = next(key for key, node in activities.items() if node["component"]["code"] == "sleep_timer")
        name = activities[node_id]["name"] if by == "name" else node_id
        repaired = {name: {"bk_timing": "1", "force_check": False}}
        assert run_operator("fail", retry_inputs=repaired).execute(ti.retried().context) is not None
        (task,) = tasks_of(hook, ti)
        assert hook.get_task_status(task.id, fresh=True).state == TaskState.FINISHED

    def test_replaces_a_revoked_task(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        with pytest.raises(AirflowException):
            run_operator("pause", timeout_seconds=1).execute(ti.context)
        run_operator("pause", wait_for_completion=False).execute(ti.retried().context)
        revoked, replacement = tasks_of(hook, ti)
        assert hook.get_task_status(revoked.id, fresh=True).state == TaskState.REVOKED
        assert hook.get_task_status(replacement.id, fresh=True).state != TaskState.REVOKED

    def test_new_replaces_the_task_and_revokes_it_first(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        with pytest.raises(AirflowException):
            run_operator("fail").execute(ti.context)
        with pytest.raises(AirflowException):
            run_operator("fail", retry_mode="new").execute(ti.retried().context)
        first, second = tasks_of(hook, ti)
        assert hook.get_task_status(first.id, fresh=True).state == TaskState.REVOKED
        assert hook.get_task_status(second.id, fresh=True).state == TaskState.FAILED


class TestClear:
    def test_runs_anew_after_a_finished_task(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        run_operator("quick").execute(ti.context)
        run_operator("quick").execute(ti.cleared().context)
        assert [task.is_finished for task in tasks_of(hook, ti)] == [True, True]

    def test_revokes_a_failed_task_before_it_makes_another(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        with pytest.raises(AirflowException):
            run_operator("fail").execute(ti.context)
        run_operator("fail", wait_for_completion=False).execute(ti.cleared().context)
        first, _ = tasks_of(hook, ti)
        assert hook.get_task_status(first.id, fresh=True).state == TaskState.REVOKED

    def test_waits_until_the_revoked_task_runs_no_node(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        run_operator("long", wait_for_completion=False).execute(ti.context)
        (first,) = tasks_of(hook, ti)
        wait_for_node(hook, first.id, "first wait", TaskState.RUNNING)
        run_operator("long", wait_for_completion=False).execute(ti.cleared().context)
        nodes = [node for _, node in hook.get_task_status(first.id, fresh=True).walk()]
        assert all(node.state == TaskState.FINISHED for node in nodes)

    def test_fails_when_the_revoked_task_does_not_come_to_rest(
        self, run_operator: MakeOperator, hook: SopsHook
    ) -> None:
        ti = PlainTaskInstance()
        run_operator("long", wait_for_completion=False).execute(ti.context)
        (first,) = tasks_of(hook, ti)
        wait_for_node(hook, first.id, "first wait", TaskState.RUNNING)
        with pytest.raises(AirflowException, match=f"SOPS task {first.id} is revoked, but .* still runs"):
            run_operator("long", revoke_wait_seconds=0).execute(ti.cleared().context)
        assert len(tasks_of(hook, ti)) == 1

    def test_resume_goes_on_with_the_earlier_task(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        run_operator("quick").execute(ti.context)
        run_operator("quick", on_clear="resume").execute(ti.cleared().context)
        assert len(tasks_of(hook, ti)) == 1

    def test_fail_refuses_while_one_has_not_ended(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        run_operator("pause", wait_for_completion=False).execute(ti.context)
        with pytest.raises(AirflowFailException, match="was cleared"):
            run_operator("pause", on_clear="fail").execute(ti.cleared().context)
        assert len(tasks_of(hook, ti)) == 1


def follow(hook: SopsHook, sops_task_id: int) -> WaitResult:
    """Follow a task to its end as the operator does."""
    return TaskFollower(hook, sops_task_id, WaitPolicy(poll_interval_seconds=0.2), logging.getLogger()).to_the_end()

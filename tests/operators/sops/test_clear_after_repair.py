"""SopsRunTaskOperator after a clear: what a person has repaired in SOPS is kept, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.sops.models import TaskState
from tests.operators.sops.test_run import tasks_of
from tests.operators.sops.test_task_memory import Store
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import until_accepted, wait_for_state, wait_until

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = pytest.mark.integration

MakeOperator = Callable[..., SopsRunTaskOperator]


@pytest.fixture
def failed(run_operator: MakeOperator, hook: SopsHook) -> Callable[..., tuple[PlainTaskInstance, int]]:
    """Let the flow of a task instance fail, and return both."""

    def fail(template: str = "fail", **of_instance: Any) -> tuple[PlainTaskInstance, int]:
        ti = PlainTaskInstance(**of_instance)
        with pytest.raises(AirflowException, match="failed: node"):
            run_operator(template).execute(ti.context)
        (task,) = tasks_of(hook, ti)
        return ti, task.id

    return fail


def repair(hook: SopsHook, sops_task_id: int, action: str, inputs: Mapping[str, Any] | None = None) -> None:
    """Act on the failed node as a person does, and wait until that shows."""
    (node,) = hook.get_task_status(sops_task_id, fresh=True).failed_nodes
    until_accepted(lambda: hook.operate_node(sops_task_id, node.id, action, inputs=inputs))
    wait_until(hook, sops_task_id, "a repair", lambda status: status.state != TaskState.FAILED)


def retry_in_vain(hook: SopsHook, sops_task_id: int) -> None:
    """Retry the failed node as it is, and wait until it has failed again."""
    (node,) = hook.get_task_status(sops_task_id, fresh=True).failed_nodes
    until_accepted(lambda: hook.operate_node(sops_task_id, node.id, "retry"))
    wait_until(hook, sops_task_id, "a second failure", lambda status: any(each.retry for each in status.failed_nodes))


LONGER = {"bk_timing": "60", "force_check": False}
AT_ONCE = {"bk_timing": "0", "force_check": False}


class TestRepaired:
    @pytest.mark.parametrize(("action", "inputs"), [("skip", None), ("retry", AT_ONCE)])
    def test_and_finished_gives_its_outputs(
        self,
        run_operator: MakeOperator,
        hook: SopsHook,
        failed: Callable[..., tuple[PlainTaskInstance, int]],
        action: str,
        inputs: Any,
    ) -> None:
        ti, sops_task_id = failed()
        repair(hook, sops_task_id, action, inputs)
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)
        cleared = ti.cleared()
        assert run_operator("fail").execute(cleared.context) is not None
        assert [task.id for task in tasks_of(hook, ti)] == [sops_task_id]
        assert cleared.xcoms["sops_task_id"] == sops_task_id

    def test_and_running_is_joined(
        self, run_operator: MakeOperator, hook: SopsHook, failed: Callable[..., tuple[PlainTaskInstance, int]]
    ) -> None:
        ti, sops_task_id = failed()
        repair(hook, sops_task_id, "retry", LONGER)
        with pytest.raises(AirflowException, match="after the time allowed"):
            run_operator("fail", timeout_seconds=0.5, revoke_on_kill=False).execute(ti.cleared().context)
        assert [task.id for task in tasks_of(hook, ti)] == [sops_task_id]
        assert hook.get_task_status(sops_task_id, fresh=True).state == TaskState.RUNNING

    def test_and_failed_again_is_retried_by_airflows_own_retry(
        self, run_operator: MakeOperator, hook: SopsHook, failed: Callable[..., tuple[PlainTaskInstance, int]]
    ) -> None:
        """The first try after the clear had joined it; without a state store no trace is left of that."""
        ti, sops_task_id = failed(max_tries=0)
        retry_in_vain(hook, sops_task_id)
        second_after_clear = PlainTaskInstance(run_id=ti.run_id, max_tries=2, try_number=3)
        with pytest.raises(AirflowException, match="failed: node"):
            run_operator("fail", retries=1).execute(second_after_clear.context)
        assert [task.id for task in tasks_of(hook, ti)] == [sops_task_id]
        (node,) = hook.get_task_status(sops_task_id, fresh=True).failed_nodes
        assert node.retry == 2


class TestNotRepaired:
    def assert_is_replaced(self, hook: SopsHook, ti: PlainTaskInstance, state: TaskState) -> None:
        first, second = tasks_of(hook, ti)
        assert hook.get_task_status(first.id, fresh=True).state == state
        assert hook.get_task_status(second.id, fresh=True).state != TaskState.REVOKED

    def test_it_is_revoked_and_the_flow_runs_anew(
        self, run_operator: MakeOperator, hook: SopsHook, failed: Callable[..., tuple[PlainTaskInstance, int]]
    ) -> None:
        ti, _ = failed()
        run_operator("fail", wait_for_completion=False).execute(ti.cleared().context)
        self.assert_is_replaced(hook, ti, TaskState.REVOKED)

    def test_a_repair_that_came_to_nothing_is_revoked_too(
        self, run_operator: MakeOperator, hook: SopsHook, failed: Callable[..., tuple[PlainTaskInstance, int]]
    ) -> None:
        ti, sops_task_id = failed()
        retry_in_vain(hook, sops_task_id)
        run_operator("fail", wait_for_completion=False).execute(ti.cleared().context)
        self.assert_is_replaced(hook, ti, TaskState.REVOKED)

    def test_automatic_retries_are_no_repair(
        self, run_operator: MakeOperator, hook: SopsHook, failed: Callable[..., tuple[PlainTaskInstance, int]]
    ) -> None:
        ti, sops_task_id = failed("fail_autoretry")
        (node,) = hook.get_task_status(sops_task_id, fresh=True).failed_nodes
        assert node.retry > 0
        # A paused task does not show as FAILED.
        hook.operate_task(sops_task_id, "pause")
        wait_for_state(hook, sops_task_id, TaskState.SUSPENDED)
        run_operator("fail_autoretry", wait_for_completion=False).execute(ti.cleared().context)
        self.assert_is_replaced(hook, ti, TaskState.REVOKED)

    def test_a_skip_by_a_nodes_time_limit_is_no_repair(self, run_operator: MakeOperator, hook: SopsHook) -> None:
        ti = PlainTaskInstance()
        run_operator("timeout_skip").execute(ti.context)
        (task,) = tasks_of(hook, ti)
        assert any(node.skip for _, node in hook.get_task_status(task.id, fresh=True).walk())
        run_operator("timeout_skip", wait_for_completion=False).execute(ti.cleared().context)
        self.assert_is_replaced(hook, ti, TaskState.FINISHED)

    def test_a_task_that_had_succeeded_with_it_runs_the_flow_anew(
        self, run_operator: MakeOperator, hook: SopsHook, failed: Callable[..., tuple[PlainTaskInstance, int]]
    ) -> None:
        """As in the state store of Airflow 3.3; what other versions know is in the tests of ``had_succeeded``."""
        ti, sops_task_id = failed(task_state_store=Store())
        repair(hook, sops_task_id, "skip")
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)
        succeeded = ti.cleared()
        run_operator("fail").execute(succeeded.context)
        assert len(tasks_of(hook, ti)) == 1
        run_operator("fail", wait_for_completion=False).execute(succeeded.cleared().context)
        self.assert_is_replaced(hook, ti, TaskState.FINISHED)

    def test_a_task_that_does_not_wait_runs_a_finished_flow_anew(
        self, run_operator: MakeOperator, hook: SopsHook, failed: Callable[..., tuple[PlainTaskInstance, int]]
    ) -> None:
        ti, sops_task_id = failed()
        repair(hook, sops_task_id, "skip")
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)
        run_operator("fail", wait_for_completion=False).execute(ti.cleared().context)
        self.assert_is_replaced(hook, ti, TaskState.FINISHED)


def test_new_revokes_even_what_was_repaired(
    run_operator: MakeOperator, hook: SopsHook, failed: Callable[..., tuple[PlainTaskInstance, int]]
) -> None:
    ti, sops_task_id = failed()
    repair(hook, sops_task_id, "retry", {"bk_timing": "2", "force_check": False})
    run_operator("fail", on_clear="new", wait_for_completion=False).execute(ti.cleared().context)
    assert hook.get_task_status(sops_task_id, fresh=True).state == TaskState.REVOKED
    assert len(tasks_of(hook, ti)) == 2

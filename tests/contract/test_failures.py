"""Nodes that fail: what the task looks like, and what it takes to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState
from tests.task_progress import node_named, states_by_name, until_accepted, wait_for_node, wait_for_state, wait_until

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]

FAILED, FINISHED, RUNNING = TaskState.FAILED, TaskState.FINISHED, TaskState.RUNNING


@pytest.mark.flow("fail")
def test_a_failed_node_fails_the_task_and_nothing_follows(failed: tuple[CreatedTask, TaskStatus]) -> None:
    _, status = failed
    assert states_by_name(status) == {"before": FINISHED, "fails": FAILED}
    assert [node.name for node in status.failed_nodes] == ["fails"]
    assert status.finish_time is None
    assert node_named(status, "fails").finish_time is not None


@pytest.mark.since("2020")
@pytest.mark.flow("fail")
def test_the_error_of_a_failed_node_is_told_on_demand(hook: SopsHook, failed: tuple[CreatedTask, TaskStatus]) -> None:
    task, status = failed
    node = node_named(status, "fails")
    assert set(status.ex_data) == {node.id}
    assert status.error_of(node)
    assert not hook.get_task_status(task.task_id, fresh=True).ex_data


@pytest.mark.since("3.32")
@pytest.mark.flow("fail")
def test_a_failed_node_without_automatic_retries_has_none_pending(
    hook: SopsHook, failed: tuple[CreatedTask, TaskStatus]
) -> None:
    task, status = failed
    asked = hook.get_task_status(task.task_id, with_failed_node_info=True, with_auto_retry_status=True, fresh=True)
    assert asked.auto_retry_pending is False
    assert asked.raw["failed_node_info"] == {node_named(status, "fails").id: {}}


@pytest.mark.flow("fail")
def test_whether_retries_are_pending_is_unknown_unless_asked(
    hook: SopsHook, failed: tuple[CreatedTask, TaskStatus]
) -> None:
    assert hook.get_task_status(failed[0].task_id, fresh=True).auto_retry_pending is None


@pytest.mark.since("3.34")
@pytest.mark.flow("fail_autoretry")
def test_automatic_retries_are_pending_while_the_task_is_failed(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("fail_autoretry")
    wait_for_state(hook, task.task_id, FAILED)
    pending = hook.get_task_status(task.task_id, with_auto_retry_status=True, with_failed_node_info=True, fresh=True)
    assert pending.auto_retry_pending is True
    (info,) = pending.raw["failed_node_info"].values()
    assert info["max_auto_retry_times"] == 2

    status = wait_until(
        hook,
        task.task_id,
        "its second retry",
        lambda status: status.state == FAILED and node_named(status, "fails again").retry == 2,
    )
    final = hook.get_task_status(task.task_id, with_auto_retry_status=True, with_failed_node_info=True, fresh=True)
    assert final.auto_retry_pending is False
    (info,) = final.raw["failed_node_info"].values()
    assert (info["node_id"], info["auto_retry_times"]) == (node_named(status, "fails again").id, 2)


@pytest.mark.since("3.25")
@pytest.mark.flow("fail_autoretry")
def test_the_server_retries_by_itself_and_the_node_counts(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("fail_autoretry")
    status = wait_until(
        hook,
        task.task_id,
        "its second retry",
        lambda status: status.state == FAILED and node_named(status, "fails again").retry == 2,
    )
    (node,) = status.failed_nodes
    (in_tree,) = (one for one in task.pipeline_tree["activities"].values() if one["id"] == node.id)
    assert in_tree["auto_retry"]["times"] == 2


@pytest.mark.since("3.32")
@pytest.mark.until("3.32")
@pytest.mark.flow("fail_autoretry")
def test_before_3_33_only_the_failed_node_tells_of_retries_to_come(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("fail_autoretry")
    wait_for_state(hook, task.task_id, FAILED)
    pending = hook.get_task_status(task.task_id, with_auto_retry_status=True, with_failed_node_info=True, fresh=True)
    assert "auto_retry_status" not in pending.raw
    assert pending.auto_retry_pending is True
    (info,) = pending.raw["failed_node_info"].values()
    assert info["max_auto_retry_times"] == 2


@pytest.mark.until("3.28")
@pytest.mark.flow("fail_autoretry")
def test_before_3_29_nothing_tells_of_retries_to_come(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("fail_autoretry")
    wait_for_state(hook, task.task_id, FAILED)
    asked = hook.get_task_status(task.task_id, with_auto_retry_status=True, with_failed_node_info=True, fresh=True)
    assert not {"auto_retry_status", "failed_node_info"} & set(asked.raw)
    assert asked.auto_retry_pending is None


@pytest.mark.since("2020")
@pytest.mark.flow("fail_ignorable")
def test_an_ignored_error_leaves_the_node_finished_and_the_task_goes_on(flows: Flows) -> None:
    _, status = flows.run("fail_ignorable")
    node = node_named(status, "fails, ignored")
    assert (node.state, node.error_ignored, node.skip) == (FINISHED, True, False)
    assert node_named(status, "after").state == FINISHED
    assert not status.ex_data


@pytest.mark.flow("fail")
def test_a_skipped_node_is_finished_and_the_task_goes_on(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("fail", FAILED)
    until_accepted(lambda: hook.operate_node(task.task_id, node_named(status, "fails").id, "skip"))
    done = wait_for_state(hook, task.task_id, FINISHED)
    assert (node_named(done, "fails").state, node_named(done, "fails").skip) == (FINISHED, True)
    assert node_named(done, "after").state == FINISHED
    assert not done.ex_data


@pytest.mark.since("2020")
@pytest.mark.flow("fail")
def test_a_retry_with_the_same_inputs_fails_again_and_is_counted(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("fail", FAILED)
    node_id = node_named(status, "fails").id
    until_accepted(lambda: hook.operate_node(task.task_id, node_id, "retry"))
    again = wait_until(
        hook,
        task.task_id,
        "a second failure",
        lambda status: status.state == FAILED and status.nodes[node_id].retry == 1 and bool(status.ex_data),
    )
    assert again.nodes[node_id].state == FAILED
    detail = hook.get_task_node_detail(task.task_id, node_id)
    assert (detail.retry, len(detail.histories)) == (1, 1)


@pytest.mark.flow("fail")
def test_a_retry_with_other_inputs_can_succeed(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("fail", FAILED)
    node_id = node_named(status, "fails").id
    until_accepted(
        lambda: hook.operate_node(task.task_id, node_id, "retry", inputs={"bk_timing": "1", "force_check": True})
    )
    done = wait_for_state(hook, task.task_id, FINISHED)
    assert (done.nodes[node_id].state, done.nodes[node_id].retry, done.nodes[node_id].skip) == (FINISHED, 1, False)


@pytest.mark.since("2020")
@pytest.mark.flow("fail_hard")
@pytest.mark.parametrize("action", ["retry", "skip"])
def test_a_node_may_forbid_retry_and_skip(hook: SopsHook, flows: Flows, action: str) -> None:
    task, status = flows.run("fail_hard", FAILED)
    with pytest.raises(SopsInvalidOperationError) as refusal:
        hook.operate_node(task.task_id, node_named(status, "fails hard").id, action)
    assert refusal.value.code == 3599999
    assert hook.get_task_status(task.task_id, fresh=True).state == FAILED


@pytest.mark.since("2020")
@pytest.mark.flow("fail_in_parallel")
def test_a_task_is_failed_while_another_branch_still_runs(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("fail_in_parallel", constants={"${slow_seconds}": "2"})
    status = wait_for_state(hook, task.task_id, FAILED)
    assert states_by_name(status) == {"branch fails": FAILED, "slow branch": RUNNING}
    assert set(status.ex_data) == {node_named(status, "branch fails").id}
    ended = wait_for_node(hook, task.task_id, "slow branch", FINISHED)
    assert ended.state == FAILED
    until_accepted(lambda: hook.operate_node(task.task_id, node_named(status, "branch fails").id, "skip"))
    wait_for_state(hook, task.task_id, FINISHED)


@pytest.mark.since("2020")
@pytest.mark.flow("exclusive_nomatch")
def test_an_exclusive_gateway_that_no_branch_matches_fails_and_can_be_led_on(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("exclusive_nomatch", FAILED)
    gateways = task.pipeline_tree["gateways"].values()
    split = next(gateway for gateway in gateways if gateway["type"] == "ExclusiveGateway")
    assert set(status.ex_data) == {split["id"]}
    assert status.nodes[split["id"]].state == FAILED
    until_accepted(lambda: hook.operate_node(task.task_id, split["id"], "skip_exg", flow_id=split["outgoing"][1]))
    done = wait_for_state(hook, task.task_id, FINISHED)
    assert states_by_name(done) == {"test": FINISHED}


@pytest.mark.since("2020")
@pytest.mark.flow("exclusive_nomatch")
def test_a_failed_gateway_cannot_be_retried(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("exclusive_nomatch", FAILED)
    (gateway,) = status.failed_nodes
    with pytest.raises(SopsInvalidOperationError):
        hook.operate_node(task.task_id, gateway.id, "retry")


@pytest.mark.since("2020")
@pytest.mark.flow("conditional_parallel")
def test_a_conditional_parallel_gateway_that_no_branch_matches_fails(flows: Flows) -> None:
    task, status = flows.run("conditional_parallel", FAILED, constants={"${n}": "0"})
    (gateway,) = status.failed_nodes
    assert task.pipeline_tree["gateways"][gateway.id]["type"] == "ConditionalParallelGateway"
    assert set(status.ex_data) == {gateway.id}


@pytest.mark.since("2020")
@pytest.mark.template("fail_in_subprocess")
def test_a_failure_in_a_subprocess_is_mended_at_the_node_inside(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("fail_in_subprocess", FAILED)
    subprocess, inside = (node_named(status, name) for name in ("call what fails", "fails inside"))
    assert (subprocess.state, inside.state) == (FAILED, FAILED)
    assert status.failed_nodes == (inside,)
    assert set(status.ex_data) == {inside.id}
    for action in ("retry", "skip"):
        with pytest.raises(SopsInvalidOperationError) as refusal:
            hook.operate_node(task.task_id, subprocess.id, action)
        assert refusal.value.code == 3599999
    until_accepted(lambda: hook.operate_node(task.task_id, inside.id, "skip"))
    done = wait_for_state(hook, task.task_id, FINISHED)
    assert node_named(done, "after").state == FINISHED


@pytest.mark.since("3.25")
@pytest.mark.flow("timeout")
def test_a_node_over_its_time_limit_fails(flows: Flows) -> None:
    _, status = flows.run("timeout", FAILED)
    assert states_by_name(status) == {"too slow": FAILED}


@pytest.mark.since("3.25")
@pytest.mark.flow("timeout_skip")
def test_a_node_over_its_time_limit_can_be_skipped_by_the_server(flows: Flows) -> None:
    _, status = flows.run("timeout_skip")
    assert node_named(status, "too slow").skip is True
    assert node_named(status, "after").state == FINISHED

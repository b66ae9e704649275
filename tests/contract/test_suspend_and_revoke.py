"""Stopping a task for a while or for good, and nodes that wait for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState
from tests.task_progress import (
    node_named,
    states_by_name,
    until_accepted,
    wait_for_node,
    wait_for_outputs,
    wait_for_state,
    wait_until,
)

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]

FINISHED, RUNNING, SUSPENDED = TaskState.FINISHED, TaskState.RUNNING, TaskState.SUSPENDED

#: Long enough to act on a node while it runs; a timer with less than a second to go may end at once.
SHORT = {"${seconds}": "2"}


@pytest.mark.since("2020")
@pytest.mark.flow("long")
def test_a_paused_task_lets_the_running_node_finish_and_starts_no_other(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("long", constants=SHORT)
    wait_for_node(hook, task.task_id, "first wait", RUNNING)
    hook.operate_task(task.task_id, "pause")
    paused = hook.get_task_status(task.task_id, fresh=True)
    assert (paused.state, states_by_name(paused)) == (SUSPENDED, {"first wait": RUNNING})
    ended = wait_for_node(hook, task.task_id, "first wait", FINISHED)
    assert (ended.state, states_by_name(ended)) == (SUSPENDED, {"first wait": FINISHED})

    with pytest.raises(SopsInvalidOperationError) as twice:
        hook.operate_task(task.task_id, "pause")
    assert twice.value.code == 3599999
    hook.operate_task(task.task_id, "resume")
    resumed = wait_for_node(hook, task.task_id, "second wait", RUNNING)
    assert resumed.state == RUNNING
    with pytest.raises(SopsInvalidOperationError) as running:
        hook.operate_task(task.task_id, "resume")
    assert running.value.code == 3599999
    # The engine's refusal is a whole traceback; an error text shows its last line.
    assert "Traceback" in str(running.value.server_message)
    assert "Traceback" not in str(running.value)
    wait_for_state(hook, task.task_id, FINISHED)


@pytest.mark.since("2020")
@pytest.mark.flow("fail")
def test_a_failed_task_can_be_paused_and_hides_its_failure(hook: SopsHook, flows: Flows) -> None:
    task, _ = flows.run("fail", TaskState.FAILED)
    hook.operate_task(task.task_id, "pause")
    paused = hook.get_task_status(task.task_id, with_ex_data=True, fresh=True)
    assert paused.state == SUSPENDED
    assert node_named(paused, "fails").state == TaskState.FAILED
    assert not paused.ex_data
    hook.operate_task(task.task_id, "resume")
    wait_for_state(hook, task.task_id, TaskState.FAILED)


@pytest.mark.flow("long")
def test_a_paused_node_waits_when_it_is_reached(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("long", constants=SHORT)
    nodes = {node["name"]: node_id for node_id, node in task.pipeline_tree["activities"].items()}
    wait_for_node(hook, task.task_id, "first wait", RUNNING)
    hook.operate_node(task.task_id, nodes["second wait"], "pause")
    assert hook.get_task_status(task.task_id, fresh=True).state == RUNNING
    reached = wait_for_state(hook, task.task_id, TaskState.NODE_SUSPENDED)
    assert states_by_name(reached) == {"first wait": FINISHED, "second wait": SUSPENDED}
    hook.operate_node(task.task_id, nodes["second wait"], "resume")
    wait_for_state(hook, task.task_id, FINISHED)


@pytest.mark.since("2020")
@pytest.mark.flow("long")
def test_a_node_can_be_forced_to_fail_and_then_retried(hook: SopsHook, flows: Flows) -> None:
    # Long enough not to end by itself meanwhile: SOPS then writes over why the node was failed, as it does until the
    # node's plugin has begun to wait.
    task = flows.start("long", constants={"${seconds}": "60"})
    node_id = node_named(wait_for_node(hook, task.task_id, "first wait", RUNNING), "first wait").id
    wait_for_outputs(hook, task.task_id, node_id)
    hook.operate_node(task.task_id, node_id, "forced_fail")
    # The engine writes the state first, and the reason in a second step.
    wait_until(
        hook,
        task.task_id,
        "FAILED with a reason",
        lambda status: status.state == TaskState.FAILED and bool(status.ex_data.get(node_id)),
    )
    until_accepted(
        lambda: hook.operate_node(task.task_id, node_id, "retry", inputs={"bk_timing": "1", "force_check": True})
    )
    wait_for_node(hook, task.task_id, "second wait", RUNNING)


@pytest.mark.since("2020")
@pytest.mark.flow("long")
@pytest.mark.flow("quick")
def test_a_revoked_task_lets_the_running_node_finish_and_starts_no_other(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("long", constants=SHORT)
    wait_for_node(hook, task.task_id, "first wait", RUNNING)
    hook.operate_task(task.task_id, "revoke")
    revoked = hook.get_task_status(task.task_id, fresh=True)
    assert (revoked.state, states_by_name(revoked)) == (TaskState.REVOKED, {"first wait": RUNNING})
    assert revoked.finish_time is None
    detail = hook.get_task_detail(task.task_id, fresh=True)
    assert detail.finish_time is not None
    assert detail.outputs == {}

    wait_for_node(hook, task.task_id, "first wait", FINISHED)
    flows.run("quick")
    # Another task was started in the meantime, and ended.
    later = hook.get_task_status(task.task_id, fresh=True)
    assert (later.state, states_by_name(later)) == (TaskState.REVOKED, {"first wait": FINISHED})


@pytest.mark.since("2020")
@pytest.mark.flow("fail")
def test_a_failed_task_can_be_revoked_and_a_retry_then_runs_nothing(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("fail", TaskState.FAILED)
    hook.operate_task(task.task_id, "revoke")
    revoked = hook.get_task_status(task.task_id, with_ex_data=True, fresh=True)
    assert revoked.state == TaskState.REVOKED
    assert not revoked.ex_data
    # Accepted, although it can have no effect.
    hook.operate_node(task.task_id, node_named(status, "fails").id, "retry")
    after = hook.get_task_status(task.task_id, fresh=True)
    assert (after.state, node_named(after, "fails").state) == (TaskState.REVOKED, TaskState.READY)


@pytest.mark.flow("pause")
def test_a_node_that_waits_for_a_person_is_running_and_so_is_the_task(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("pause")
    status = wait_for_node(hook, task.task_id, "ask a person", RUNNING)
    assert status.state == RUNNING
    assert states_by_name(status) == {"before": FINISHED, "ask a person": RUNNING}


@pytest.mark.since("2020")
@pytest.mark.flow("pause")
@pytest.mark.parametrize("way", ["node_callback", "operate_node"])
@pytest.mark.parametrize("answer", [{"ok": 1, "by": "中"}, {}], ids=["data", "empty"])
def test_what_a_person_answers_becomes_an_output(
    hook: SopsHook, flows: Flows, way: str, answer: dict[str, str]
) -> None:
    task = flows.start("pause")
    node_id = node_named(wait_for_node(hook, task.task_id, "ask a person", RUNNING), "ask a person").id
    if way == "node_callback":
        until_accepted(lambda: hook.node_callback(task.task_id, node_id, answer))
    else:
        until_accepted(lambda: hook.operate_node(task.task_id, node_id, "callback", data=answer))
    wait_for_state(hook, task.task_id, FINISHED)
    assert hook.get_task_detail(task.task_id, fresh=True).outputs == {"answer": answer}
    with pytest.raises(SopsInvalidOperationError) as again:
        hook.node_callback(task.task_id, node_id, answer)
    assert again.value.code == 3599999


@pytest.mark.since("2020")
@pytest.mark.flow("pause")
def test_a_node_that_does_not_wait_cannot_be_called_back(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("pause")
    before = node_named(wait_for_node(hook, task.task_id, "ask a person", RUNNING), "before")
    with pytest.raises(SopsInvalidOperationError) as no_callback:
        hook.node_callback(task.task_id, before.id, {})
    with pytest.raises(SopsInvalidOperationError) as no_action:
        hook.operate_node(task.task_id, before.id, "callback", data={})
    assert no_callback.value.code == no_action.value.code == 3599999


@pytest.mark.template("pause_in_subprocess")
def test_a_person_can_be_waited_for_in_a_subprocess(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("pause_in_subprocess")
    status = wait_for_node(hook, task.task_id, "ask inside", RUNNING)
    assert states_by_name(status) == {"call what waits": RUNNING, "ask inside": RUNNING}
    node_id = node_named(status, "ask inside").id
    until_accepted(lambda: hook.node_callback(task.task_id, node_id, {}))
    wait_for_state(hook, task.task_id, FINISHED)

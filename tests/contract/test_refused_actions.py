"""operate_task, operate_node and node_callback: what is refused, and with which code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidOperationError, SopsInvalidParameterError, SopsNotFoundError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.server import NO_SUCH_ID
from tests.task_progress import node_named, wait_for_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from tests.contract.flows import Flows

# Before 2020 a refusal has no code, so that no hook can tell what kind it is.
pytestmark = [pytest.mark.contract, pytest.mark.integration, pytest.mark.since("2020")]

INVALID_OPERATION, ANYTHING_ELSE, NOT_FOUND = 3545000, 3599999, 3540400


@pytest.mark.flow("quick")
@pytest.mark.parametrize("action", ["pause", "resume", "revoke"])
def test_a_task_that_was_not_started_takes_no_action(hook: SopsHook, flows: Flows, action: str) -> None:
    with pytest.raises(SopsInvalidOperationError) as refusal:
        hook.operate_task(flows.create("quick").task_id, action)
    assert refusal.value.code == INVALID_OPERATION


@pytest.mark.flow("linear")
@pytest.mark.parametrize("action", ["start", "pause", "resume", "revoke"])
def test_a_finished_task_takes_no_action(
    gateway_hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus], action: str
) -> None:
    with pytest.raises(SopsInvalidOperationError) as refusal:
        gateway_hook.operate_task(finished_linear[0].task_id, action)
    assert refusal.value.code == INVALID_OPERATION
    assert not refusal.value.outcome_unknown


@pytest.mark.flow("long")
@pytest.mark.parametrize("action", ["start", "pause", "resume", "revoke"])
def test_a_revoked_task_takes_no_action(hook: SopsHook, revoked: int, action: str) -> None:
    with pytest.raises(SopsInvalidOperationError) as refusal:
        hook.operate_task(revoked, action)
    assert refusal.value.code == INVALID_OPERATION


@pytest.fixture(scope="module")
def revoked(hook: SopsHook, flows: Flows) -> int:
    """A revoked task."""
    task_id = flows.start("long", constants={"${seconds}": "2"}).task_id
    wait_for_node(hook, task_id, "first wait", TaskState.RUNNING)
    hook.operate_task(task_id, "revoke")
    return task_id


@pytest.mark.flow("long")
def test_a_running_task_cannot_be_started(hook: SopsHook, flows: Flows) -> None:
    task_id = flows.start("long", constants={"${seconds}": "2"}).task_id
    wait_for_node(hook, task_id, "first wait", TaskState.RUNNING)
    with pytest.raises(SopsInvalidOperationError) as refusal:
        hook.start_task(task_id)
    assert refusal.value.code == INVALID_OPERATION


@pytest.mark.flow("quick")
def test_an_unknown_action_on_a_task_is_an_invalid_operation(hook: SopsHook, flows: Flows) -> None:
    with pytest.raises(SopsInvalidOperationError) as refusal:
        hook.call("operate_task", task_id=flows.create("quick").task_id, action="bogus")
    assert refusal.value.code == INVALID_OPERATION


@pytest.mark.flow("linear")
@pytest.mark.parametrize("action", ["retry", "skip", "callback", "bogus"])
def test_a_node_that_did_not_fail_takes_no_action(
    hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus], action: str
) -> None:
    task, status = finished_linear
    with pytest.raises(SopsInvalidOperationError) as refusal:
        hook.operate_node(task.task_id, node_named(status, "say hello").id, action)
    assert refusal.value.code == ANYTHING_ELSE


@pytest.mark.flow("fail")
@pytest.mark.parametrize("action", ["retry", "skip"])
def test_a_finished_node_of_a_failed_task_takes_no_action(
    hook: SopsHook, failed: tuple[CreatedTask, TaskStatus], action: str
) -> None:
    task, status = failed
    with pytest.raises(SopsInvalidOperationError) as refusal:
        hook.operate_node(task.task_id, node_named(status, "before").id, action)
    assert refusal.value.code == ANYTHING_ELSE


@pytest.mark.flow("linear")
def test_an_unknown_node_takes_no_action(
    gateway_hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    task_id = finished_linear[0].task_id
    with pytest.raises(SopsInvalidOperationError) as no_retry:
        gateway_hook.operate_node(task_id, "no_such_node", "retry")
    with pytest.raises(SopsInvalidParameterError) as no_callback:
        gateway_hook.node_callback(task_id, "no_such_node", {})
    assert (no_retry.value.code, no_callback.value.code) == (ANYTHING_ELSE, 3540000)


@pytest.mark.flow("quick")
def test_the_nodes_of_a_task_that_was_not_started_take_no_action(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("quick")
    (node_id,) = task.pipeline_tree["activities"]
    for action in ("retry", "skip", "callback"):
        with pytest.raises(SopsInvalidOperationError):
            hook.operate_node(task.task_id, node_id, action)


def test_an_unknown_task_is_not_found(gateway_hook: SopsHook) -> None:
    acts: list[Callable[[], None]] = [
        lambda: gateway_hook.operate_task(NO_SUCH_ID, "revoke"),
        lambda: gateway_hook.operate_node(NO_SUCH_ID, "any", "retry"),
        lambda: gateway_hook.node_callback(NO_SUCH_ID, "any", {}),
    ]
    for act in acts:
        with pytest.raises(SopsNotFoundError) as refusal:
            act()
        assert refusal.value.code == NOT_FOUND
        assert not refusal.value.outcome_unknown

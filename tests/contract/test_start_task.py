"""Starting a task: at once accepted, done a moment later, and only once."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidOperationError, SopsNotFoundError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.flows import new_name, tree_of
from tests.contract.server import NO_SUCH_ID
from tests.task_progress import wait_for_state, wait_until

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]


@pytest.mark.flow("quick")
def test_a_task_that_is_not_started_is_created_and_has_no_nodes(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("quick")
    status = hook.get_task_status(task.task_id, fresh=True)
    assert status.state == TaskState.CREATED
    assert not status.nodes
    assert (status.start_time, status.finish_time) == (None, None)


@pytest.mark.flow("quick")
def test_start_answers_with_the_tasks_page_and_the_task_runs_to_its_end(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("quick")
    assert hook.start_task(task.task_id) == task.task_url
    seen: list[str] = []

    def finished(status: TaskStatus) -> bool:
        seen.append(status.state)
        return status.state == TaskState.FINISHED

    wait_until(hook, task.task_id, TaskState.FINISHED, finished)
    assert seen == sorted(seen, key=["CREATED", "RUNNING", "FINISHED"].index)


@pytest.mark.since("2020")
@pytest.mark.flow("linear")
def test_a_second_start_is_accepted_or_refused_and_the_task_runs_once(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("linear")
    hook.start_task(task.task_id)
    # Accepted until a worker has taken the task.
    with contextlib.suppress(SopsInvalidOperationError):
        hook.start_task(task.task_id)
    status = wait_for_state(hook, task.task_id, TaskState.FINISHED)
    assert {node.loop for node in status.nodes.values()} == {1}
    assert {node.retry for node in status.nodes.values()} == {0}


@pytest.mark.since("2020")
@pytest.mark.flow("linear")
@pytest.mark.parametrize("way", ["start_task", "operate_task"])
def test_a_finished_task_cannot_be_started(
    hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus], way: str
) -> None:
    task_id = finished_linear[0].task_id
    with pytest.raises(SopsInvalidOperationError) as refusal:
        hook.start_task(task_id) if way == "start_task" else hook.operate_task(task_id, "start")
    assert refusal.value.code == 3545000


@pytest.mark.flow("quick")
def test_operate_task_starts_a_task_too(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("quick")
    hook.operate_task(task.task_id, "start")
    wait_for_state(hook, task.task_id, TaskState.FINISHED)


@pytest.mark.flow("quick")
def test_a_task_of_the_function_flow_accepts_its_start_and_stays_created(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("quick", flow_type="common_func")
    hook.start_task(task.task_id)
    other = flows.start("quick")
    wait_for_state(hook, other.task_id, TaskState.FINISHED)
    # A task that was started after it is over.
    assert hook.get_task_status(task.task_id, fresh=True).state == TaskState.CREATED


@pytest.mark.since("3.25")
@pytest.mark.template("linear")
def test_create_and_start_task_needs_no_start(hook: SopsHook, template_ids: dict[str, int]) -> None:
    task = hook.create_and_start_task(
        template_ids["linear"], new_name("create and start"), constants={"${who}": "both", "${seconds}": "1"}
    )
    wait_for_state(hook, task.task_id, TaskState.FINISHED)
    assert hook.get_task_detail(task.task_id, fresh=True).outputs["who"] == "both"


@pytest.mark.since("3.25")
@pytest.mark.flow("quick")
def test_a_task_can_be_made_run_and_read_through_each_gateway(gateway_hook: SopsHook, flows: Flows) -> None:
    task = dataclasses.replace(flows, hook=gateway_hook).start("quick")
    status = wait_for_state(gateway_hook, task.task_id, TaskState.FINISHED)
    assert [node.name for node in status.nodes.values()] == ["", "quick", ""]
    assert gateway_hook.get_tasks_status([task.task_id], fresh=True)[task.task_id].state == TaskState.FINISHED
    assert gateway_hook.get_task_detail(task.task_id, fresh=True).finish_time is not None


@pytest.mark.since("2020")
def test_an_unknown_task_cannot_be_started(gateway_hook: SopsHook) -> None:
    with pytest.raises(SopsNotFoundError) as refusal:
        gateway_hook.start_task(NO_SUCH_ID)
    assert refusal.value.code == 3540400


@pytest.mark.since("3.34")
@pytest.mark.flow("quick")
def test_a_tree_with_a_choice_that_has_no_meta_is_accepted_and_never_starts(
    hook: SopsHook, flows: Flows, any_template: int
) -> None:
    tree = tree_of("computed", {})
    task = hook.create_task(any_template, new_name("no meta"), pipeline_tree=tree)
    hook.start_task(task.task_id)
    flows.run("quick")
    assert hook.get_task_status(task.task_id, fresh=True).state == TaskState.CREATED


@pytest.mark.flow("long")
def test_the_start_time_is_zone_aware_and_now(hook: SopsHook, flows: Flows) -> None:
    before = time.time()
    task = flows.start("long", constants={"${seconds}": "2"})
    status = wait_for_state(hook, task.task_id, TaskState.RUNNING)
    assert status.start_time is not None
    assert status.start_time.utcoffset() is not None
    # Whole seconds, and the server's clock may differ a little from this one.
    assert abs(status.start_time.timestamp() - before) < 30

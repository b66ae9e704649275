"""get_tasks_status: many tasks in one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.flows import new_name
from tests.contract.server import NO_SUCH_ID

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration, pytest.mark.since("3.25")]


@pytest.mark.flow("linear")
@pytest.mark.flow("quick")
def test_tasks_come_newest_first_and_unknown_ids_are_left_out(
    hook: SopsHook, flows: Flows, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    finished, created = finished_linear[0].task_id, flows.create("quick").task_id
    answer = hook.call("get_tasks_status", task_id_list=[finished, NO_SUCH_ID, created], fresh=True)
    assert [item["id"] for item in answer.data] == [created, finished]
    statuses = hook.get_tasks_status([finished, NO_SUCH_ID, created], fresh=True)
    assert {task_id: status.state for task_id, status in statuses.items()} == {
        created: TaskState.CREATED,
        finished: TaskState.FINISHED,
    }


@pytest.mark.flow("linear")
def test_nodes_are_told_only_on_demand(hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]) -> None:
    task, alone = finished_linear
    without = hook.get_tasks_status([task.task_id], fresh=True)[task.task_id]
    assert (without.nodes_known, dict(without.nodes)) == (False, {})
    with_nodes = hook.get_tasks_status([task.task_id], include_children=True, fresh=True)[task.task_id]
    assert with_nodes.nodes == alone.nodes
    assert with_nodes.state == alone.state


@pytest.mark.flow("linear")
def test_times_and_page_are_those_of_the_task(hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]) -> None:
    task, alone = finished_linear
    status = hook.get_tasks_status([task.task_id], fresh=True)[task.task_id]
    assert (status.start_time, status.finish_time) == (alone.start_time, alone.finish_time)
    assert status.url == task.task_url


@pytest.mark.flow("quick")
def test_each_created_task_has_its_own_name(hook: SopsHook, flows: Flows) -> None:
    names = {name: flows.create("quick", name=name).task_id for name in (new_name("one"), new_name("two"))}
    statuses = hook.get_tasks_status(names.values(), fresh=True)
    assert {status.name: task_id for task_id, status in statuses.items()} == names


def test_50_ids_are_taken_and_51_refused(hook: SopsHook) -> None:
    ids = list(range(NO_SUCH_ID - 50, NO_SUCH_ID + 1))
    assert hook.call("get_tasks_status", task_id_list=ids[:50]).data == []
    with pytest.raises(SopsInvalidParameterError) as refusal:
        hook.call("get_tasks_status", task_id_list=ids)
    assert refusal.value.code == 3540000


@pytest.mark.flow("quick")
def test_the_hook_asks_for_more_than_50_in_several_requests(hook: SopsHook, flows: Flows) -> None:
    task_id = flows.create("quick").task_id
    statuses = hook.get_tasks_status([*range(NO_SUCH_ID - 60, NO_SUCH_ID + 1), task_id], fresh=True)
    assert set(statuses) == {task_id}


@pytest.mark.parametrize("ids", [[], None], ids=["empty list", "no list"])
def test_no_ids_give_no_tasks(hook: SopsHook, ids: Any) -> None:
    assert hook.call("get_tasks_status", task_id_list=ids).data == []


def test_ids_must_be_a_list(hook: SopsHook) -> None:
    with pytest.raises(SopsInvalidParameterError) as refusal:
        hook.call("get_tasks_status", task_id_list="1")
    assert refusal.value.code == 3540000


def test_an_id_that_is_no_number_is_an_unhandled_error(hook: SopsHook) -> None:
    with pytest.raises(SopsError) as failure:
        hook.call("get_tasks_status", task_id_list=["abc"])
    assert failure.value.outcome_unknown
    if hook.connection.gateway.kind == "apigw":
        assert (failure.value.http_status, failure.value.code, failure.value.temporary) == (500, "50000", False)


@pytest.mark.flow("quick")
@pytest.mark.other_project
def test_tasks_of_other_projects_are_left_out(hook: SopsHook, other_project: SopsHook, flows: Flows) -> None:
    task_id = flows.create("quick").task_id
    assert set(hook.get_tasks_status([task_id], fresh=True)) == {task_id}
    assert other_project.get_tasks_status([task_id], fresh=True) == {}

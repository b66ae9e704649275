"""SharedLooks: what the waits of a triggerer cost besides the poll that they share."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from airflow_provider_sops.polling.sops_looks import SharedLooks, shared_secrets
from airflow_provider_sops.polling.status_poller import StatusPoller, StatusWait
from airflow_provider_sops.polling.task_reader import TaskReader
from airflow_provider_sops.sops.errors import SopsConnectionError, SopsNotFoundError
from airflow_provider_sops.sops.models import TaskDetail, TaskState, TaskStatus
from airflow_provider_sops.sops.node_result import NodeInTask, NodeOutcome
from airflow_provider_sops.sops.node_wait import NodeWait
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_secrets import WITHHELD
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy
from airflow_provider_sops.waiting.follow import follow_async
from airflow_provider_sops.waiting.model import Look
from tests.sops.builders import failed_task, running_task
from tests.triggers.simulated_sops import SimulatedSops
from tests.triggers.simulated_time import run_in_simulated_time

if TYPE_CHECKING:
    from tests.triggers.simulated_sops import Request


LOG = logging.getLogger(__name__)


async def follow_task(sops: SimulatedSops, tree: TreeIndex | None) -> Outcome:
    """Follow task 7 as its trigger does."""
    wait = TaskWait(WaitPolicy(), 0.0, tree, tree_is_whole=False)
    async with StatusPoller(sops.open, "SOPS").wait_for(7, 1.0) as part:
        looks = SharedLooks(part, wait, LOG)
        return (await follow_async(wait, looks, looks.tell)).outcome


@pytest.mark.parametrize(("tree", "readings"), [(None, 1), (TreeIndex({}), 0)])
async def test_a_task_is_read_once_if_nothing_is_known_of_its_nodes(tree: TreeIndex | None, readings: int) -> None:
    sops = SimulatedSops({7: 0})
    assert await follow_task(sops, tree) == Outcome.FINISHED
    assert len(sops.asked("get_task_detail")) == readings


def test_the_wait_goes_on_without_a_tree_that_cannot_be_read() -> None:
    def fault(request: Request) -> SopsConnectionError | None:
        is_tree = request.api == "get_task_detail"
        return SopsConnectionError("connection refused", request_sent=False) if is_tree else None

    following = follow_task(SimulatedSops({7: 0}, fault=fault), None)
    assert run_in_simulated_time(following) == Outcome.FINISHED


def test_an_answer_that_has_grown_old_while_the_tree_was_read_is_read_again() -> None:
    sops = SimulatedSops({7: 3.0}, latency_seconds=2.0)

    async def first_answer() -> TaskStatus:
        async with StatusPoller(sops.open, "SOPS").wait_for(7, 1.0) as part:
            return await SharedLooks(part, TaskWait(WaitPolicy(), 0.0), LOG)(Look(0.0))

    assert run_in_simulated_time(first_answer()).state == TaskState.FINISHED
    assert [request.fresh for request in sops.asked("get_task_status")] == [True]


@pytest.mark.parametrize("is_failure", [True, False])
def test_an_old_answer_is_not_told_if_it_is_a_failure(is_failure: bool) -> None:
    lost = SopsConnectionError("connection refused", request_sent=False)
    status = TaskStatus.read(failed_task() if is_failure else running_task())

    async def after_a_while(_task_id: int) -> None:
        await asyncio.sleep(2.0)
        raise lost

    part = mock.create_autospec(StatusWait, instance=True, task_id=7)
    part.look.return_value = status
    part.reader = mock.create_autospec(TaskReader, instance=True)
    part.reader.detail.side_effect = part.reader.tree.side_effect = lambda _task_id: asyncio.sleep(
        2.0, TaskDetail.read({})
    )
    part.reader.detail.side_effect = part.reader.tree.side_effect = after_a_while
    part.reader.status.side_effect = lost

    async def first_answer() -> TaskStatus:
        return await SharedLooks(part, TaskWait(WaitPolicy(), 0.0), LOG)(Look(0.0, with_details=is_failure))

    if is_failure:
        with pytest.raises(SopsConnectionError):
            run_in_simulated_time(first_answer())
    else:
        assert run_in_simulated_time(first_answer()).state == TaskState.RUNNING


@pytest.mark.parametrize("secrets_of", [(), (7,)])
async def test_a_node_that_has_no_texts_to_tell_costs_nothing_but_the_poll(secrets_of: tuple[int, ...]) -> None:
    sops, node = SimulatedSops({7: 0}), NodeInTask(("a",), secrets_of=secrets_of)
    wait = NodeWait(node, WaitPolicy(), 0.0)
    async with StatusPoller(sops.open, "SOPS").wait_for(7, 1.0) as part:
        looks = SharedLooks(part, wait, LOG, node=node)
        result = await follow_async(wait, looks, looks.tell)
    assert result.outcome == NodeOutcome.NEVER_RUNS
    assert sops.asked("get_task_detail") == []


async def test_the_tasks_passwords_are_read_once_for_all_that_wait() -> None:
    sops = SimulatedSops({7: 0, 8: 0})
    poller = StatusPoller(sops.open, "SOPS")
    async with poller.wait_for(7, 1.0) as wait, poller.wait_for(7, 1.0) as other:
        found = await asyncio.gather(*(shared_secrets(each.reader, [8, 7]) for each in (wait, other, wait)))
    assert [request.task_ids for request in sops.asked("get_task_detail")] == [(8,), (7,)]
    assert found[0] is found[1] is found[2]


async def test_nothing_is_asked_where_there_are_none() -> None:
    sops = SimulatedSops({7: 0})
    async with StatusPoller(sops.open, "SOPS").wait_for(7, 1.0) as wait:
        assert not (await shared_secrets(wait.reader, [])).exist
    assert sops.requests == []


async def test_while_they_cannot_be_read_all_is_withheld_and_the_next_one_asks_again() -> None:
    refused = [SopsNotFoundError("gone", http_status=200), None]

    def fault(request: Request) -> SopsNotFoundError | None:
        return refused.pop(0) if request.api == "get_task_detail" else None

    sops = SimulatedSops({7: 0}, fault=fault)
    async with StatusPoller(sops.open, "SOPS").wait_for(7, 1.0) as wait:
        assert (await shared_secrets(wait.reader, [7])).error("a", "hunter2") == WITHHELD
        assert (await shared_secrets(wait.reader, [7])).error("a", "disk full") == "disk full"

"""What waits in the triggerer learn of passwords."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_sops.polling.status_poller import StatusPoller
from airflow_provider_sops.polling.task_secrets import shared_secrets
from airflow_provider_sops.sops.errors import SopsNotFoundError
from airflow_provider_sops.sops.task_secrets import WITHHELD
from tests.triggers.simulated_sops import SimulatedSops

if TYPE_CHECKING:
    from tests.triggers.simulated_sops import Request


async def test_the_tasks_passwords_are_read_once_for_all_that_wait() -> None:
    sops = SimulatedSops({7: 0, 8: 0})
    poller = StatusPoller(sops.open, "SOPS")
    async with poller.wait_for(7, 1.0) as wait, poller.wait_for(7, 1.0) as other:
        found = await asyncio.gather(*(shared_secrets(each, [8, 7]) for each in (wait, other, wait)))
    assert [request.task_ids for request in sops.asked("get_task_detail")] == [(8,), (7,)]
    assert found[0] is found[1] is found[2]


async def test_nothing_is_asked_where_there_are_none() -> None:
    sops = SimulatedSops({7: 0})
    async with StatusPoller(sops.open, "SOPS").wait_for(7, 1.0) as wait:
        assert not (await shared_secrets(wait, [])).exist
    assert sops.requests == []


async def test_while_they_cannot_be_read_all_is_withheld_and_the_next_one_asks_again() -> None:
    refused = [SopsNotFoundError("gone", http_status=200), None]

    def fault(request: Request) -> SopsNotFoundError | None:
        return refused.pop(0) if request.api == "get_task_detail" else None

    sops = SimulatedSops({7: 0}, fault=fault)
    async with StatusPoller(sops.open, "SOPS").wait_for(7, 1.0) as wait:
        assert (await shared_secrets(wait, [7])).error("a", "hunter2") == WITHHELD
        assert (await shared_secrets(wait, [7])).error("a", "disk full") == "disk full"

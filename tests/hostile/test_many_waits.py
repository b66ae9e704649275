"""One odd answer fails one wait: the others in the same poll are told what became of their tasks."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.polling import schedule, shared_connection
from airflow_provider_sops.polling.shared import open_source
from airflow_provider_sops.polling.status_poller import StatusPoller
from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.waiting.follow import follow_async
from tests.hostile.repertoire import ODD_BUT_FINISHED, ODD_STATUSES, TRANSPORT
from tests.hostile.server import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.repertoire import Kind, StatusKind
    from tests.hostile.server import Exchange, HostileServer

VICTIM = 5
TASKS = range(1, 13)
_FINISHED = '{"state":"FINISHED","children":{}}'
_DETAIL = '{"id":7,"pipeline_tree":{"activities":{}}}'

#: One of each sort; the others differ only below what a poll can see.
_OF_THE_WIRE = (
    "trickled body", "gzip bomb", "reset in the body", "HTTP/0.9", "redirect to another host", "100,000 brackets",
    "empty", "internal error",
)  # fmt: skip


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short."""
    monkeypatch.setattr(shared_connection, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(shared_connection, "_LONGEST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(schedule, "COLLECT_SECONDS", 0.1)
    # The first to be asked for alone is not the victim.
    monkeypatch.setattr("random.choice", min)


def statuses(odd: str, *, alone: str | None = None) -> Callable[[Exchange], None]:
    """Return a SOPS in which every task is FINISHED, and what it says of the victim is odd.

    :param odd: the victim's status, as JSON text.
    :param alone: the same where the victim is asked for alone.
    """

    def behave(exchange: Exchange) -> None:
        ids = exchange.request.task_ids
        if exchange.request.api == "get_tasks_status":
            items = (f'{{"id":{task_id},"status":{odd if task_id == VICTIM else _FINISHED}}}' for task_id in ids)
            data = f"[{','.join(items)}]"
        elif exchange.request.api == "get_task_status":
            data = (alone or odd) if VICTIM in ids else _FINISHED
        else:
            data = _DETAIL
        answer(f'{{"result":true,"code":0,"data":{data}}}'.encode())(exchange)

    return behave


def on_the_wire(kind: Kind) -> Callable[[Exchange], None]:
    """Return a SOPS in which every task is FINISHED, and that misbehaves whenever it is asked for the victim."""
    fine = statuses(_FINISHED)

    def behave(exchange: Exchange) -> None:
        is_odd = exchange.request.api.endswith("status") and VICTIM in exchange.request.task_ids
        (kind.answer if is_odd else fine)(exchange)

    return behave


def wait_for_all(max_outage_seconds: float = 0.6) -> dict[int, WaitResult]:
    """Wait for every task as the triggers of one event loop do."""

    async def one(poller: StatusPoller, task_id: int) -> WaitResult:
        loop = asyncio.get_running_loop()
        policy = WaitPolicy(
            poll_interval_seconds=0.2,
            max_outage_seconds=max_outage_seconds,
            deadline=loop.time() + 6,
        )
        wait = TaskWait(policy, loop.time(), TreeIndex({}))
        async with poller.wait_for(task_id, policy.poll_interval_seconds) as part:

            async def ask(look: Any) -> TaskStatus:
                return await part.look(look)

            return await follow_async(wait, ask, lambda line: logging.getLogger().info(line.text), clock=loop.time)

    async def everything() -> dict[int, WaitResult]:
        site = Site("sops_default", None, None)
        poller = StatusPoller(lambda: open_source(site), site.server_name)
        results = await asyncio.gather(*(one(poller, task_id) for task_id in TASKS))
        assert poller.is_unused
        return dict(zip(TASKS, results, strict=True))

    return asyncio.run(everything())


@pytest.mark.parametrize("kind", [pytest.param(kind, id=f"among others: {kind.name}") for kind in ODD_STATUSES])
def test_a_status_that_says_nothing_is_an_outage_of_one_wait(server: HostileServer, kind: StatusKind) -> None:
    server.behave = statuses(kind.status)

    results = wait_for_all()

    assert results.pop(VICTIM).outcome == Outcome.UNREACHABLE
    assert {result.outcome for result in results.values()} == {Outcome.FINISHED}


@pytest.mark.parametrize("kind", [pytest.param(kind, id=f"among others with {kind.name}") for kind in ODD_BUT_FINISHED])
def test_a_status_that_is_odd_elsewhere_is_an_answer(server: HostileServer, kind: StatusKind) -> None:
    server.behave = statuses(kind.status)

    assert {result.outcome for result in wait_for_all().values()} == {Outcome.FINISHED}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, id=f"in a poll: {kind.name}") for kind in TRANSPORT if kind.name in _OF_THE_WIRE],
)
def test_a_task_that_spoils_every_answer_spoils_one_wait(server: HostileServer, kind: Kind) -> None:
    server.behave = on_the_wire(kind)

    results = wait_for_all(max_outage_seconds=3.0)

    victim = results.pop(VICTIM)
    assert victim.outcome == Outcome.UNREACHABLE
    assert victim.reason
    assert {result.outcome for result in results.values()} == {Outcome.FINISHED}


@pytest.mark.parametrize("api", ["get_tasks_status", "get_task_status"])
def test_a_fault_of_our_own_fails_one_wait(server: HostileServer, monkeypatch: pytest.MonkeyPatch, api: str) -> None:
    """A reader that raises what nobody thought of."""
    server.behave = statuses(_FINISHED)
    read = TaskStatus.read

    def read_oddly(data: Any) -> TaskStatus:
        if isinstance(data, dict) and data.get("odd"):
            raise RecursionError("deep")
        return read(data)

    monkeypatch.setattr(TaskStatus, "read", read_oddly)
    odd = json.dumps({"state": "RUNNING", "odd": True})
    server.behave = statuses(odd, alone=None if api == "get_task_status" else _FINISHED)

    results = wait_for_all()

    victim = results.pop(VICTIM)
    assert victim.outcome == (Outcome.UNREACHABLE if api == "get_task_status" else Outcome.FINISHED)
    assert {result.outcome for result in results.values()} == {Outcome.FINISHED}


def test_a_pause_that_a_gateway_asks_for_does_not_outlast_two_minutes(
    server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer asks to wait for a day; all tasks are FINISHED by then."""
    pauses: list[float] = []
    note = shared_connection.SharedConnection._note

    def note_shortly(self: Any, error: Any) -> None:
        pauses.append(error.retry_after_seconds)
        error.retry_after_seconds = 0.1
        note(self, error)

    monkeypatch.setattr(shared_connection.SharedConnection, "_note", note_shortly)
    fine = statuses(_FINISHED)
    refusals = iter([answer(b"{}", status="429 Slow down", X_Bkapi_RateLimit_Reset="86400")])
    server.behave = lambda exchange: next(refusals, fine)(exchange)

    results = wait_for_all()

    assert {result.outcome for result in results.values()} == {Outcome.FINISHED}
    assert pauses == [120.0]

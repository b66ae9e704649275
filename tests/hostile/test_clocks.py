"""A wall clock that jumps ends no wait: it is how long a wait has lasted that counts."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import time_machine

from airflow_provider_sops.enos.wait_result import InstanceKind
from airflow_provider_sops.enos.wait_result import WaitPolicy as EnosWaitPolicy
from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.hooks.enos import EnosHook
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.hooks.sops_async import AsyncSopsClient
from airflow_provider_sops.polling.task_ends_poll import TaskEndsPoll
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy
from airflow_provider_sops.task_instance.instance_follower import InstanceFollower
from airflow_provider_sops.task_instance.task_follower import TaskFollower
from airflow_provider_sops.triggers.enos import EnosFlowInstanceTrigger
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from tests.hostile.server import answer, by_call, sops_answer
from tests.triggers.simulated_time import run_in_simulated_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hostile.server import Exchange, HostileServer

_TOKEN = answer(b'{"status":0,"data":{"accessToken":"t0ken","expire":7200}}')
_DAY = 86400.0

#: How far the clock jumps while the wait goes on, in seconds.
JUMPS = {"2 h": 7200.0, "8 days": 8 * _DAY, "back 8 days": -8 * _DAY}


@pytest.fixture
def clock() -> Iterator[Any]:
    """The wall clock, which a test may move."""
    with time_machine.travel(time.time(), tick=True) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def no_worker_to_outlive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triggers fire at once."""
    monkeypatch.setattr("airflow_provider_sops.triggers.waiting_trigger.WORKER_EXIT_SECONDS", 0.0)


def jumping(clock: Any, seconds: float, running: Any, lost: Any, over: Any) -> Callable[[Exchange], None]:
    """Return a server: the task runs; the clock jumps and an answer is lost; then it is over."""
    answers = iter((running, running, None, lost, running))

    def behave(exchange: Exchange) -> None:
        step = next(answers, over)
        if step is None:
            clock.shift(seconds)
            step = running
        step(exchange)

    return behave


def server_of_sops(clock: Any, seconds: float) -> Callable[[Exchange], None]:
    running = sops_answer({"state": "RUNNING", "children": {}})
    over = sops_answer({"state": "FINISHED", "children": {}})
    play = jumping(clock, seconds, running, answer(b"", status="502 Bad Gateway"), over)
    batch = answer(b"{}", status="404 Not Found")
    return by_call({"get_task_detail": sops_answer({"id": 7}), "get_tasks_status": batch}, play)


def server_of_enos(clock: Any, seconds: float) -> Callable[[Exchange], None]:
    running, over = (answer(b'{"code":0,"data":{"instanceId":"7-1","status":%d}}' % number) for number in (2, 1))
    play = jumping(clock, seconds, running, answer(b"", status="502 Bad Gateway"), over)
    return by_call({"v2.0": _TOKEN}, play)


def policy() -> WaitPolicy:
    return WaitPolicy(
        poll_interval_seconds=0.1,
        deadline=time.time() + 7 * _DAY,
        start_deadline=time.time() + 600,
        max_outage_seconds=3600,
    )


def enos_policy() -> EnosWaitPolicy:
    return EnosWaitPolicy(poll_interval_seconds=0.1, deadline=time.time() + 7 * _DAY, max_outage_seconds=3600)


@pytest.mark.parametrize("jump", [pytest.param(name, id=f"clock jumps {name} | worker") for name in JUMPS])
def test_on_a_worker(server: HostileServer, clock: Any, jump: str) -> None:
    server.behave = server_of_sops(clock, JUMPS[jump])

    with SopsHook() as hook:
        result = TaskFollower(hook, 7, policy(), logging.getLogger(__name__)).to_the_end()

    assert result.outcome == Outcome.FINISHED


@pytest.mark.parametrize("jump", [pytest.param(name, id=f"clock jumps {name} | triggerer") for name in JUMPS])
def test_in_the_triggerer(server: HostileServer, clock: Any, jump: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behave = server_of_sops(clock, JUMPS[jump])
    trigger = SopsTaskTrigger(sops_conn_id="sops_default", sops_task_id=7, policy=policy())

    async def run() -> Any:
        return await anext(aiter(trigger.run()))

    assert asyncio.run(run()).payload["outcome"] == Outcome.FINISHED


@pytest.mark.parametrize("jump", [pytest.param(name, id=f"clock jumps {name} | EnOS worker") for name in JUMPS])
def test_for_an_enos_instance_on_a_worker(server: HostileServer, clock: Any, jump: str) -> None:
    server.behave = server_of_enos(clock, JUMPS[jump])

    with EnosHook() as hook:
        follower = InstanceFollower(hook, InstanceKind.FLOW, "7-1", enos_policy(), logging.getLogger(__name__))
        assert follower.to_the_end().outcome == "ended"


@pytest.mark.parametrize("jump", [pytest.param(name, id=f"clock jumps {name} | EnOS triggerer") for name in JUMPS])
def test_for_an_enos_instance_in_the_triggerer(server: HostileServer, clock: Any, jump: str) -> None:
    server.behave = server_of_enos(clock, JUMPS[jump])
    trigger = EnosFlowInstanceTrigger(enos_conn_id="enos_default", instance_id="7-1", policy=enos_policy())

    async def run() -> Any:
        return await anext(aiter(trigger.run()))

    assert asyncio.run(run()).payload["outcome"] == "ended"


def test_the_calls_of_a_block_end_by_its_deadline_whatever_the_clock_says(server: HostileServer, clock: Any) -> None:
    server.behave = sops_answer({"state": "RUNNING"})
    with SopsHook() as hook, hook.within(60):
        clock.shift(8 * _DAY)
        assert hook.get_task_status(7).state == "RUNNING"


def test_a_deadline_that_has_passed_while_nobody_waited_counts(server: HostileServer) -> None:
    """The triggerer was down for long: such a deadline is of the wall clock."""
    server.behave = sops_answer({"state": "RUNNING", "children": {}})
    late = WaitPolicy(poll_interval_seconds=0.1, deadline=time.time() - 5)

    with SopsHook() as hook:
        result = TaskFollower(hook, 7, late, logging.getLogger(__name__)).to_the_end()

    assert result.outcome == Outcome.TIMED_OUT


def test_the_tasks_of_a_business_stay_on_the_list(clock: Any) -> None:
    asked: list[Any] = []
    poll = TaskEndsPoll(Site("sops_default"), frozenset, interval_seconds=30, follow_days=7)

    def listed(**filters: Any) -> list[Any]:
        asked.append(filters["create_time_start"])
        return []

    async def ask(question: Any, **_: Any) -> Any:
        client = mock.create_autospec(AsyncSopsClient, instance=True)
        client.get_task_list.side_effect = listed
        return await question(client)

    poll._connection.ask = ask  # type: ignore[method-assign]
    run_in_simulated_time(poll._list())
    clock.shift(8 * _DAY)
    run_in_simulated_time(poll._list())

    assert abs((asked[1] - asked[0]).total_seconds()) < 60


@pytest.mark.parametrize("seconds", [-8 * _DAY, -0.001, 0.0])
def test_a_request_to_enos_has_the_time_of_a_clock_that_was_put_back(clock: Any, seconds: float) -> None:
    before = int(enos_tokens.fresh_timestamp())
    clock.shift(seconds)

    timestamps = [int(enos_tokens.fresh_timestamp()) for _ in range(5)]

    assert len({before, *timestamps}) == 6
    assert abs(timestamps[-1] / 1000 - time.time()) < 1

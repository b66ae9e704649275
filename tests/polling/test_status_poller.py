"""StatusPoller: many waits, few requests, and nobody lost whatever the server does. In simulated time."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import random
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops import metrics
from airflow_provider_sops.polling.status_poller import StatusPoller
from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsConnectionError,
    SopsError,
    SopsGatewayError,
    SopsNotFoundError,
    SopsRateLimitError,
)
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.waiting.model import Look
from tests.triggers.simulated_sops import Request, SimulatedSops
from tests.triggers.simulated_time import run_in_simulated_time

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

HOUR = 3600.0
UNREACHABLE = SopsConnectionError("connection refused", request_sent=False)
NO_PERMISSION = SopsAuthError("the app has no permission for the call", http_status=403, code=1640301)
NO_SUCH_CALL = SopsGatewayError("there is no such call", http_status=404)
BROKEN = SopsError("the engine does not know a node", http_status=500, code="50000")


def now() -> float:
    return asyncio.get_running_loop().time()


async def wait_for_end(
    poller: StatusPoller, task_id: int, policy: WaitPolicy | None = None
) -> tuple[WaitResult, float]:
    """Wait as a trigger does; return the result and when it came."""
    policy = policy or WaitPolicy()
    watch = TaskWait(policy, now(), TreeIndex({}))
    async with poller.wait_for(task_id, policy.poll_interval_seconds) as wait:
        while True:
            look = watch.next_look(now())
            try:
                update = watch.see(await wait.look(look), look, now())
            except SopsError as error:
                update = watch.miss(error, look, now())
            if update.result is not None:
                return update.result, now()


def wait_for_all(
    sops: SimulatedSops, *, arriving: Callable[[int], float] = lambda _: 0.0, policy: WaitPolicy | None = None
) -> dict[int, tuple[WaitResult, float]]:
    """Wait for every task of a server, each in a wait that begins at its own time."""

    async def one(poller: StatusPoller, task_id: int) -> tuple[WaitResult, float]:
        await asyncio.sleep(arriving(task_id))
        return await wait_for_end(poller, task_id, policy)

    async def everything() -> dict[int, tuple[WaitResult, float]]:
        poller = StatusPoller(sops.open, "SOPS")
        ids = list(sops.ends)
        results = await asyncio.gather(*(one(poller, task_id) for task_id in ids))
        assert poller.is_unused
        return dict(zip(ids, results, strict=True))

    results = run_in_simulated_time(everything())
    assert sops.open_now == 0
    return results


def lateness(sops: SimulatedSops, results: dict[int, tuple[WaitResult, float]]) -> list[float]:
    assert {result.outcome for result, _ in results.values()} == {Outcome.FINISHED}
    return sorted(moment - sops.ends[task_id] for task_id, (_, moment) in results.items())


def look(**options: Any) -> Look:
    return Look(**{"delay_seconds": 0.0, "fresh": False, "with_details": False, **options})


def with_poller(sops: SimulatedSops, work: Callable[[StatusPoller], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        return await work(StatusPoller(sops.open, "SOPS"))

    return run_in_simulated_time(run())


class TestManyWaits:
    def test_metrics_tell_how_many_wait_and_how_many_one_request_asks_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits = metrics._RunningWaits()
        polled: list[tuple[int, int]] = []
        monkeypatch.setattr(metrics, "_waits", waits)
        monkeypatch.setattr(metrics, "polled", lambda tasks: polled.append((tasks, waits.count)))

        wait_for_all(SimulatedSops(dict.fromkeys(range(60), 1.0)), policy=WaitPolicy(poll_interval_seconds=10.0))

        assert polled[0] == (50, 60)
        assert waits.count == 0

    def test_three_thousand_waits_over_hours_are_noticed_in_time_with_a_request_for_fifty_of_them(self) -> None:
        chance = random.Random(20)
        interval = 120.0
        sops = SimulatedSops({task_id: chance.uniform(HOUR, 2 * HOUR) for task_id in range(3000)})

        results = wait_for_all(
            sops,
            arriving=lambda task_id: task_id / 150,
            policy=WaitPolicy(poll_interval_seconds=interval, deadline=4 * HOUR),
        )

        late = lateness(sops, results)
        assert late[2970] <= interval + 1
        assert late[-1] <= interval + 3
        in_an_hour = [request for request in sops.requests if 100 <= request.at < HOUR]
        assert len(in_an_hour) <= 1.02 * 3000 / 50 * HOUR / interval

    @pytest.mark.parametrize("arriving_within_seconds", [0, 30])
    def test_a_thousand_waits_do_not_arrive_in_one_burst(self, arriving_within_seconds: float) -> None:
        sops = SimulatedSops(dict.fromkeys(range(1000), 300.0))

        wait_for_all(sops, arriving=lambda task_id: task_id / 1000 * arriving_within_seconds)

        a_second = [sum(second <= request.at < second + 1 for request in sops.requests) for second in range(300)]
        assert max(a_second) <= 3

    def test_waits_that_take_their_turns_late_still_share_requests(self) -> None:
        chance = random.Random(4)
        sops = SimulatedSops(dict.fromkeys(range(1000), HOUR))

        async def one(poller: StatusPoller, task_id: int) -> None:
            async with poller.wait_for(task_id, 10.0) as wait:
                await wait.look(look())
                while now() < 300:
                    await asyncio.sleep(chance.uniform(0, 0.5))
                    await wait.look(look(delay_seconds=10.0))

        async def everything(poller: StatusPoller) -> None:
            await asyncio.gather(*(one(poller, task_id) for task_id in sops.ends))

        with_poller(sops, everything)

        in_three_minutes = [request for request in sops.requests if 100 <= request.at < 280]
        assert len(in_three_minutes) <= 1.02 * 1000 / 50 * 180 / 10

    def test_a_slow_server_is_asked_a_few_questions_at_a_time(self) -> None:
        sops = SimulatedSops(dict.fromkeys(range(1000), 100.0), latency_seconds=3.0)

        results = wait_for_all(sops)

        assert sops.most_under_way <= 4
        assert lateness(sops, results)

    def test_all_waits_for_one_task_share_a_request(self) -> None:
        sops = SimulatedSops({7: 100.0})

        async def everything(poller: StatusPoller) -> None:
            await asyncio.gather(*(wait_for_end(poller, 7) for _ in range(200)))

        with_poller(sops, everything)

        assert len(sops.requests) <= 12

    def test_a_fresh_look_makes_its_request_fresh(self) -> None:
        sops = SimulatedSops({1: 0.0, 2: 0.0})

        async def two(poller: StatusPoller) -> None:
            async with poller.wait_for(1, 10) as one, poller.wait_for(2, 10) as other:
                await asyncio.gather(one.look(look()), other.look(look(fresh=True)))

        with_poller(sops, two)

        assert [(request.task_ids, request.fresh) for request in sops.requests] == [((1, 2), True)]

    @pytest.mark.parametrize("node_states", [True, False])
    def test_node_states_are_asked_for_where_they_are_wanted(self, node_states: bool) -> None:
        sops = SimulatedSops({1: 0.0})

        async def one() -> None:
            poller = StatusPoller(sops.open, "SOPS", node_states=node_states)
            async with poller.wait_for(1, 10) as wait:
                await wait.look(look())

        run_in_simulated_time(one())

        assert sops.requests[0].node_states is node_states

    def test_details_are_asked_for_alone(self) -> None:
        sops = SimulatedSops({1: 0.0, 2: 0.0})

        async def two(poller: StatusPoller) -> None:
            async with poller.wait_for(1, 10) as one, poller.wait_for(2, 10) as other:
                await asyncio.gather(one.look(look()), other.look(look(with_details=True, delay_seconds=3.0)))

        with_poller(sops, two)

        assert [(request.api, request.task_ids, request.with_details) for request in sops.requests] == [
            ("get_tasks_status", (1,), False),
            ("get_task_status", (2,), True),
        ]

    def test_a_tree_is_read_once_for_all_waits_that_want_it(self) -> None:
        sops = SimulatedSops({1: 0.0, 2: 0.0}, latency_seconds=1.0)

        async def many(poller: StatusPoller) -> None:
            async with poller.wait_for(1, 10) as one, poller.wait_for(1, 10) as same, poller.wait_for(2, 10) as other:
                tree, *_ = await asyncio.gather(one.reader.tree(1), same.reader.tree(1), other.reader.tree(2))
                assert await same.reader.tree(1) is tree

        with_poller(sops, many)
        assert [request.task_ids for request in sops.asked("get_task_detail")] == [(1,), (2,)]

    def test_no_tree_is_kept_that_nobody_has_any_more(self) -> None:
        sops = SimulatedSops({1: 0.0})

        async def twice(poller: StatusPoller) -> None:
            async with poller.wait_for(1, 10) as wait:
                await wait.reader.tree(1)
                gc.collect()
                await wait.reader.tree(1)

        with_poller(sops, twice)
        assert len(sops.asked("get_task_detail")) == 2

    def test_a_tree_that_one_wait_did_not_get_is_read_for_the_next(self) -> None:
        refused = [SopsError("not allowed", http_status=200, code=3599999)]
        sops = SimulatedSops({1: 0.0}, fault=lambda _request: refused.pop() if refused else None)

        async def two(poller: StatusPoller) -> Sequence[Any]:
            async with poller.wait_for(1, 10) as one, poller.wait_for(1, 10) as other:
                return await asyncio.gather(one.reader.tree(1), other.reader.tree(1), return_exceptions=True)

        failed, read = with_poller(sops, two)
        assert isinstance(failed, SopsError)
        assert isinstance(read, TreeIndex)

    def test_an_answer_from_before_a_look_does_not_serve_it(self) -> None:
        sops = SimulatedSops({1: 0.6}, latency_seconds=2.0)

        async def two(poller: StatusPoller) -> tuple[TaskState, TaskState]:
            async with poller.wait_for(1, 10) as wait:
                first = asyncio.create_task(wait.look(look()))
                await asyncio.sleep(1.0)
                second = await wait.look(look())
                return (await first).state, second.state

        assert with_poller(sops, two)[1] == TaskState.FINISHED
        assert len(sops.requests) == 2


class TestLeaving:
    def test_who_gives_up_is_not_asked_about_any_more(self) -> None:
        sops = SimulatedSops({1: HOUR, 2: 100.0})

        async def two(poller: StatusPoller) -> None:
            given_up = asyncio.create_task(wait_for_end(poller, 1))
            other = asyncio.create_task(wait_for_end(poller, 2))
            await asyncio.sleep(35)
            given_up.cancel()
            await asyncio.gather(given_up, other, return_exceptions=True)

        with_poller(sops, two)

        assert all(request.task_ids == (2,) for request in sops.requests if request.at > 35)

    def test_the_last_one_closes_the_connection_even_with_a_request_under_way(self) -> None:
        sops = SimulatedSops({1: HOUR}, latency_seconds=5.0)

        async def one(poller: StatusPoller) -> None:
            given_up = asyncio.create_task(wait_for_end(poller, 1))
            await asyncio.sleep(2)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)

        with_poller(sops, one)

        assert (sops.opened, sops.open_now, sops.under_way) == (1, 0, 0)

    def test_somebody_who_comes_while_the_last_one_leaves_is_served(self) -> None:
        sops = SimulatedSops({1: 0.0, 2: 50.0})

        async def two(poller: StatusPoller) -> WaitResult:
            await wait_for_end(poller, 1)
            result, _ = await wait_for_end(poller, 2)
            return result

        assert with_poller(sops, two).outcome == Outcome.FINISHED


class TestTrouble:
    def test_an_outage_of_a_minute_loses_no_wait_and_is_noticed_soon_after(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        chance = random.Random(4)
        sops = SimulatedSops(
            {task_id: chance.uniform(60, 400) for task_id in range(1000)},
            fault=lambda request: UNREACHABLE if 100 <= request.at < 160 else None,
        )

        results = wait_for_all(sops)

        late = lateness(sops, results)
        assert late[-1] <= 60 + 36 + 11
        assert len([request for request in sops.requests if 100 <= request.at < 160]) <= 12
        lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(lines) == 2
        assert "gives no usable answer" in lines[0]
        assert "answers again after" in lines[1]

    def test_a_short_fault_is_not_even_told(self) -> None:
        sops = SimulatedSops({1: 35.0}, fault=lambda request: UNREACHABLE if 8 < request.at < 12 else None)

        async def one(poller: StatusPoller) -> list[TaskState]:
            async with poller.wait_for(1, 10) as wait:
                return [(await wait.look(look(delay_seconds=10.0))).state for _ in range(3)]

        assert with_poller(sops, one) == [TaskState.RUNNING] * 3

    def test_the_wait_itself_decides_how_long_an_outage_is_borne(self) -> None:
        sops = SimulatedSops({1: 10 * HOUR}, fault=lambda request: UNREACHABLE if request.at > 100 else None)

        results = wait_for_all(sops, policy=WaitPolicy(max_outage_seconds=600))

        result, moment = results[1]
        assert result.outcome == Outcome.UNREACHABLE
        assert 690 <= moment <= 740

    def test_a_rate_limit_is_waited_for_as_long_as_the_gateway_says(self) -> None:
        limit = SopsRateLimitError("too many calls", retry_after_seconds=40.0, http_status=429)
        sops = SimulatedSops({1: 200.0}, fault=lambda request: limit if 50 <= request.at < 60 else None)

        wait_for_all(sops)

        (refused,) = (request.at for request in sops.requests if 50 <= request.at < 60)
        assert min(request.at for request in sops.requests if request.at > refused) >= refused + 40

    def test_refused_credentials_make_it_read_the_connection_again(self) -> None:
        sops = SimulatedSops({1: 200.0, 2: 200.0})
        refused = SopsAuthError("the app was refused", http_status=403)
        sops.fault = lambda request: refused if request.at > 50 and sops.opened == 1 else None

        results = wait_for_all(sops)

        assert lateness(sops, results)
        assert sops.opened == 2

    def test_refused_credentials_for_one_task_do_not_trouble_the_others(self, caplog: pytest.LogCaptureFixture) -> None:
        refused = SopsAuthError("no permission for this task", http_status=200)
        sops = SimulatedSops({1: 100.0}, fault=lambda request: refused if request.api == "get_task_status" else None)

        async def two(poller: StatusPoller) -> list[WaitResult]:
            policy = WaitPolicy(max_outage_seconds=60)
            found = await asyncio.gather(wait_for_end(poller, 1), wait_for_end(poller, 99, policy))
            return [result for result, _ in found]

        known, unknown = with_poller(sops, two)

        assert (known.outcome, unknown.outcome) == (Outcome.FINISHED, Outcome.UNREACHABLE)
        assert not caplog.records

    def test_a_defect_is_an_outage_of_the_wait_rather_than_leaving_it_hanging(self) -> None:
        def defect(_request: Request) -> SopsError | None:
            raise TypeError("a defect")

        sops = SimulatedSops({1: 0.0}, fault=defect)

        result, _ = with_poller(sops, lambda poller: wait_for_end(poller, 1, WaitPolicy(max_outage_seconds=60)))

        assert result.outcome == Outcome.UNREACHABLE
        assert "the answer cannot be used (TypeError)" in result.reason


class TestWithoutBatches:
    def test_a_server_that_lacks_the_call_is_asked_about_each_task(self) -> None:
        sops = SimulatedSops(
            dict.fromkeys(range(60), 100.0),
            fault=lambda request: NO_SUCH_CALL if request.api == "get_tasks_status" else None,
        )

        results = wait_for_all(sops)

        assert lateness(sops, results)[-1] <= 11
        assert len(sops.asked("get_tasks_status")) <= 2
        assert sops.most_under_way <= 4

    def test_an_app_without_permission_for_the_call_is_served_task_by_task_and_told_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        sops = SimulatedSops(
            dict.fromkeys(range(60), 300.0),
            fault=lambda request: NO_PERMISSION if request.api == "get_tasks_status" else None,
        )

        results = wait_for_all(sops, policy=WaitPolicy(max_outage_seconds=60))

        assert lateness(sops, results)[-1] <= 11
        assert sum("Apply for permission for get_tasks_status" in line for line in caplog.messages) == 1
        assert sops.most_under_way <= 4

    @pytest.mark.parametrize("first", [0.8, 1.0, 1.2])
    @pytest.mark.parametrize("later", [0.8, 1.0, 1.2])
    def test_however_long_the_pauses_are_a_task_is_read_alone(
        self, monkeypatch: pytest.MonkeyPatch, first: float, later: float
    ) -> None:
        drawn = itertools.chain([first] * 4, itertools.repeat(later))
        monkeypatch.setattr("airflow_provider_sops.polling.shared_connection.random.uniform", lambda *_: next(drawn))
        sops = SimulatedSops(
            dict.fromkeys(range(60), 300.0),
            fault=lambda request: NO_PERMISSION if request.api == "get_tasks_status" else None,
        )

        results = wait_for_all(sops, policy=WaitPolicy(max_outage_seconds=60))

        assert lateness(sops, results)[-1] <= 11

    def test_a_refused_app_is_not_asked_about_each_task(self) -> None:
        sops = SimulatedSops(dict.fromkeys(range(50), 200.0))
        sops.fault = lambda request: NO_PERMISSION if 50 < request.at < 100 else None

        results = wait_for_all(sops)

        assert lateness(sops, results)[-1] <= 11
        assert len([request for request in sops.requests if 50 < request.at < 100]) <= 12

    @pytest.mark.parametrize("refusal", [NO_SUCH_CALL, NO_PERMISSION])
    def test_it_is_tried_again_some_time_later(self, refusal: SopsError) -> None:
        sops = SimulatedSops(
            {1: HOUR},
            fault=lambda request: refusal if request.api == "get_tasks_status" and request.at < 50 else None,
        )

        wait_for_all(sops)

        assert all(request.api == "get_tasks_status" for request in sops.requests if request.at > 700)

    def test_one_task_that_breaks_every_batch_is_asked_about_alone_and_the_others_together(self) -> None:
        bad = 13
        sops = SimulatedSops(
            dict.fromkeys(range(40), 300.0), fault=lambda request: BROKEN if bad in request.task_ids else None
        )

        results = wait_for_all(sops, policy=WaitPolicy(max_outage_seconds=100))

        assert results.pop(bad)[0].outcome == Outcome.UNREACHABLE
        assert lateness(sops, results)[-1] <= 11
        assert len(sops.asked("get_task_status")) <= 40 + 15

    def test_a_server_that_fails_at_everything_is_not_asked_about_each_task(self) -> None:
        sops = SimulatedSops(dict.fromkeys(range(50), 200.0))
        sops.fault = lambda request: BROKEN if 50 < request.at < 100 else None

        results = wait_for_all(sops)

        assert lateness(sops, results)[-1] <= 11
        assert len([request for request in sops.requests if 50 < request.at < 100]) <= 12


class TestUnknownTasks:
    def test_a_task_that_a_batch_leaves_out_is_asked_about_alone(self) -> None:
        sops = SimulatedSops({1: 100.0})

        async def two(poller: StatusPoller) -> Iterable[WaitResult]:
            found = await asyncio.gather(wait_for_end(poller, 1), wait_for_end(poller, 99))
            return [result for result, _ in found]

        known, unknown = with_poller(sops, two)

        assert known.outcome == Outcome.FINISHED
        assert unknown.outcome == Outcome.UNKNOWN_TASK
        assert {request.task_ids for request in sops.asked("get_task_status")} == {(99,)}

    def test_a_task_that_is_only_late_is_not_lost(self) -> None:
        sops = SimulatedSops({})

        async def one(poller: StatusPoller) -> WaitResult:
            waiting = asyncio.create_task(wait_for_end(poller, 5))
            await asyncio.sleep(3.0)
            sops.ends[5] = 60.0
            return (await waiting)[0]

        assert with_poller(sops, one).outcome == Outcome.FINISHED


def test_errors_tell_what_they_are_about() -> None:
    unknown = SopsNotFoundError("the task does not exist", http_status=200)
    sops = SimulatedSops({1: 0.0}, fault=lambda _request: unknown)

    async def one(poller: StatusPoller) -> None:
        async with poller.wait_for(1, 10) as wait:
            await wait.look(look())

    with pytest.raises(SopsNotFoundError):
        with_poller(sops, one)


class TestNodes:
    def test_a_node_is_asked_about_with_the_subprocesses_around_it(self) -> None:
        sops = SimulatedSops({1: 0.0})

        async def one(poller: StatusPoller) -> tuple[Any, str]:
            async with poller.wait_for(1, 10) as wait:
                data = await wait.reader.node_data(1, ("outer", "inner", "a"), "bk_display")
                return data.inputs, await wait.reader.node_log(1, "a", "v1")

        inputs, log = with_poller(sops, one)
        assert inputs == {"node_id": "a", "component_code": "bk_display", "subprocess_stack": ["outer", "inner"]}
        assert log == "a v1"

    def test_many_that_end_together_are_asked_about_few_at_a_time(self) -> None:
        sops = SimulatedSops({1: 0.0}, latency_seconds=1.0)

        async def many(poller: StatusPoller) -> None:
            async with poller.wait_for(1, 10) as wait:
                await asyncio.gather(*(wait.reader.node_data(1, (f"n{n}",), "") for n in range(40)))

        with_poller(sops, many)
        assert sops.most_under_way == 4

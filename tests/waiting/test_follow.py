from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.waiting.follow import MOST_LINES, follow, follow_async
from airflow_provider_sops.waiting.model import DeadlineReachedError, LogLine, Look, Update

BROKEN = ServiceError("the connection was lost")


@dataclass
class CountedWait:
    """Ends with the answer "over", or at its deadline; wants confirmation of the answer "perhaps"."""

    deadline: float | None = None
    is_undecided: bool = False
    looks: int = 0
    missed: list[ServiceError] = field(default_factory=list)

    def next_look(self, now: float) -> Look:
        self.looks += 1
        if self.looks == 1:
            return Look(0.0, deadline=self.deadline)
        return Look(3.0 if self.is_undecided else 10.0, deadline=self.deadline)

    def see(self, status: str, look: Look, now: float) -> Update[str]:
        self.is_undecided = status == "perhaps"
        return Update((LogLine(f"saw {status}"),), status if status == "over" else None)

    def miss(self, error: ServiceError, look: Look, now: float) -> Update[str]:
        self.missed.append(error)
        is_late = self.deadline is not None and now >= self.deadline
        return Update((LogLine("missed"),), "too late" if is_late else None)


class Server:
    """Gives prepared answers, and keeps the time that goes by."""

    def __init__(self, *answers: str | ServiceError) -> None:
        self._answers = iter(answers)
        self.now = 0.0
        self.pauses: list[float] = []
        self.lines: list[str] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def ask(self, look: Look) -> str:
        answer = next(self._answers)
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    async def ask_later(self, look: Look) -> str:
        self.sleep(look.delay_seconds)
        return self.ask(look)

    def tell(self, line: LogLine) -> None:
        self.lines.append(line.text)


def test_a_worker_asks_until_the_wait_is_over() -> None:
    server = Server("running", BROKEN, "over")
    wait = CountedWait()
    assert follow(wait, server.ask, server.tell, sleep=server.sleep, clock=server.clock) == "over"
    assert server.pauses == [10.0, 10.0]
    assert server.lines == ["saw running", "missed", "saw over"]
    assert wait.missed == [BROKEN]


def test_a_trigger_asks_until_the_wait_is_over() -> None:
    server = Server("running", BROKEN, "over")
    assert asyncio.run(follow_async(CountedWait(), server.ask_later, server.tell, clock=server.clock)) == "over"
    assert server.pauses == [0.0, 10.0, 10.0]
    assert server.lines == ["saw running", "missed", "saw over"]


def test_a_poke_asks_once_and_does_not_sleep() -> None:
    server, wait = Server("running", "running"), CountedWait()
    for _ in range(2):
        assert follow(wait, server.ask, server.tell, once=True, sleep=server.sleep, clock=server.clock) is None
    assert server.pauses == []


def test_a_poke_goes_on_while_an_answer_needs_confirmation() -> None:
    server, wait = Server("perhaps", "perhaps", "running"), CountedWait()
    assert follow(wait, server.ask, server.tell, once=True, sleep=server.sleep, clock=server.clock) is None
    assert server.pauses == [3.0, 3.0]


def test_a_worker_asks_for_a_while() -> None:
    server, wait = Server("running", "running", "running"), CountedWait()
    asked: dict[str, Any] = {"at_most_seconds": 25.0, "sleep": server.sleep, "clock": server.clock}
    assert follow(wait, server.ask, server.tell, **asked) is None
    assert server.lines == ["saw running"] * 3
    assert follow(wait, Server("over").ask, server.tell, **asked) == "over"


def test_a_while_is_long_enough_to_confirm_an_answer() -> None:
    server, wait = Server("perhaps", "perhaps", "over"), CountedWait()
    result = follow(wait, server.ask, server.tell, at_most_seconds=1, sleep=server.sleep, clock=server.clock)
    assert result == "over"


async def test_a_trigger_s_wait_ends_at_its_deadline_even_if_its_request_never_returns() -> None:
    async def hang(_look: Look) -> str:
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets")

    clock = asyncio.get_running_loop().time
    wait = CountedWait(deadline=clock() + 0.05)
    assert await follow_async(wait, hang, lambda _line: None, clock=clock) == "too late"
    (error,) = wait.missed
    assert isinstance(error, DeadlineReachedError)


async def test_a_time_out_of_the_request_itself_is_not_taken_for_the_deadline() -> None:
    async def fail(look: Look) -> str:
        if not wait.missed:
            raise TimeoutError("from somewhere else")
        return "over"

    wait = CountedWait()
    await follow_async(wait, fail, lambda _line: None)
    (error,) = wait.missed
    assert not isinstance(error, DeadlineReachedError)
    assert str(error) == "the answer cannot be used (TimeoutError)"


class TalkativeWait(CountedWait):
    """Has something to say about each of many nodes, and remembers in which thread it was."""

    def see(self, status: Any, look: Look, now: float) -> Update[str]:
        self.thread = threading.get_ident()
        return Update(tuple(LogLine(f"node {number}") for number in range(1000)), "over")


@pytest.mark.parametrize("way", ["worker", "triggerer"])
def test_a_look_brings_no_more_lines_than_a_person_reads(way: str) -> None:
    server = Server("running")
    if way == "worker":
        follow(TalkativeWait(), server.ask, server.tell, sleep=server.sleep, clock=server.clock)
    else:
        asyncio.run(follow_async(TalkativeWait(), server.ask_later, server.tell, clock=server.clock))
    assert server.lines[: MOST_LINES + 1] == [
        *(f"node {number}" for number in range(MOST_LINES)),
        "... and 800 more lines, which are left out",
    ]
    assert len(server.lines) == MOST_LINES + 1


@pytest.mark.parametrize("is_big", [True, False])
def test_a_big_status_is_taken_in_by_a_thread(is_big: bool) -> None:
    @dataclass
    class Status:
        is_big: bool

    async def ask(_look: Look) -> Any:
        return Status(is_big)

    wait = TalkativeWait()
    asyncio.run(follow_async(wait, ask, lambda _line: None))
    assert (wait.thread != threading.get_ident()) == is_big


def test_what_a_wait_stumbles_over_costs_one_look() -> None:
    class Stumbling(CountedWait):
        def see(self, status: str, look: Look, now: float) -> Update[str]:
            if status == "odd":
                raise RecursionError("deep")
            return super().see(status, look, now)

    server, wait = Server("odd", "over"), Stumbling()
    assert follow(wait, server.ask, server.tell, sleep=server.sleep, clock=server.clock) == "over"
    assert [str(error) for error in wait.missed] == ["the answer cannot be used (RecursionError)"]

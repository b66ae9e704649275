"""Bearing the outages of a run on a worker, and for the last reads of a trigger."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import pytest

from airflow_provider_sops.service.errors import RateLimitError, ServiceError, UnusableAnswerError
from airflow_provider_sops.waiting import patience
from airflow_provider_sops.waiting.patience import Patience

if TYPE_CHECKING:
    from airflow_provider_sops.waiting.model import LogLine

OUT = UnusableAnswerError("a page", http_status=200)
REFUSED = ServiceError("refused", http_status=200, code=3540000)


@pytest.fixture(autouse=True)
def short_pauses() -> None:
    """Here the pauses are as they are."""


class RefusedCredentialsError(ServiceError):
    """The app was rejected."""


class LeftError(BaseException):
    """The worker is free."""


@dataclass
class Service:
    """Gives no usable answer for so long; its clock moves when somebody sleeps."""

    outage_seconds: float = 0.0
    error: ServiceError = OUT
    now: float = 1000.0
    calls: int = 0
    lines: list[LogLine] = field(default_factory=list)

    def __call__(self) -> str:
        self.calls += 1
        if self.now - 1000.0 < self.outage_seconds:
            raise self.error
        return "answer"

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def patience(self, max_outage_seconds: float = 3600.0, **arguments: object) -> Patience:
        return Patience(
            "SOPS",
            max_outage_seconds,
            self.lines.append,
            credentials_refused=RefusedCredentialsError,
            sleep=self.sleep,
            clock=lambda: self.now,
            **arguments,  # type: ignore[arg-type]
        )

    @property
    def told(self) -> list[str]:
        return [line.text for line in self.lines]


def leave() -> NoReturn:
    raise LeftError


def test_an_answer_comes_back_and_nothing_is_told() -> None:
    service = Service()
    assert service.patience().bear("get_task_list", service) == "answer"
    assert (service.calls, service.told) == (1, [])


def test_an_outage_costs_its_own_time_and_two_lines() -> None:
    service = Service(outage_seconds=600)
    assert service.patience().bear("get_task_list", service) == "answer"
    assert 600 <= service.now - 1000 <= 640
    assert service.calls < 40
    assert service.told[0].startswith("SOPS gives no usable answer to get_task_list. Asking again for up to 3600 s: ")
    assert service.told[1:] == [f"SOPS answers again after {service.now - 1000:.0f} s"]
    assert service.lines[0].level == logging.WARNING


def test_the_last_error_of_an_outage_that_is_too_long_is_raised() -> None:
    service = Service(outage_seconds=4000)
    with pytest.raises(UnusableAnswerError):
        service.patience().bear("get_task_list", service)
    assert 3600 <= service.now - 1000 <= 3640


def test_what_was_given_up_is_not_borne_a_second_time_by_whoever_tries_again() -> None:
    service = Service(outage_seconds=9000)
    patient = service.patience()
    with pytest.raises(UnusableAnswerError):
        patient.bear("create_task", lambda: patient.bear("get_task_list", service))
    assert service.now - 1000 <= 3640


def test_a_few_tries_are_made_even_where_no_outage_is_borne() -> None:
    service = Service(outage_seconds=4000)
    with pytest.raises(UnusableAnswerError):
        service.patience(0).bear("get_task_list", service)
    assert service.calls == 4


def test_a_refusal_is_an_answer() -> None:
    service = Service(outage_seconds=60, error=REFUSED)
    with pytest.raises(ServiceError, match="refused"):
        service.patience().bear("create_task", service)
    assert (service.calls, service.told) == (1, [])


@pytest.mark.parametrize(("is_running", "calls"), [(False, 1), (True, 2)])
def test_refused_credentials_are_an_outage_only_once_something_may_be_running(is_running: bool, calls: int) -> None:
    service = Service(outage_seconds=0.1, error=RefusedCredentialsError("no such app", code=1640001))
    patient = service.patience(may_be_running=lambda: is_running)
    if is_running:
        assert patient.bear("get_task_list", service) == "answer"
    else:
        with pytest.raises(RefusedCredentialsError):
            patient.bear("get_task_list", service)
    assert service.calls == calls


def test_what_must_not_be_done_twice_is_left_to_whoever_knows_more() -> None:
    service = Service(outage_seconds=60)
    with pytest.raises(UnusableAnswerError):
        service.patience().bear("create_task", service, may_repeat=lambda _: False)
    assert service.calls == 1


def test_a_rate_limit_says_how_long_to_wait() -> None:
    service = Service(outage_seconds=1, error=RateLimitError("too many", retry_after_seconds=7.0))
    service.patience().bear("get_task_list", service)
    assert service.now == 1007


def test_a_lost_answer_and_the_search_for_what_became_of_it_are_one_outage() -> None:
    service = Service(outage_seconds=60)
    patient = service.patience()

    def create_and_search() -> str:
        try:
            return patient.bear("create_task", service, may_repeat=lambda _: False)
        except ServiceError:
            patient.bear("get_task_list", service)
            raise

    assert patient.bear("create_task", create_and_search) == "answer"
    assert [text.partition(" ")[2][:20] for text in service.told] == ["gives no usable answ", "answers again after "]


class TestLeaving:
    def test_a_worker_is_held_for_a_minute_at_most(self) -> None:
        service = Service(outage_seconds=4000)
        with pytest.raises(LeftError):
            service.patience(leave=leave).bear("get_task_list", service)
        assert 45 <= service.now - 1000 <= patience.WORKER_SECONDS
        assert "after 60 s in the triggerer" in service.told[0]

    def test_the_next_worker_goes_on_with_the_same_account(self) -> None:
        service = Service(outage_seconds=4000)
        patient = service.patience(leave=leave)
        patient.since["get_task_list"] = 1000 - 3595
        with pytest.raises(UnusableAnswerError):
            patient.bear("get_task_list", service)
        assert service.told == []

    def test_another_call_that_is_answered_does_not_end_the_account(self) -> None:
        """Else what is refused by a page of one call alone would be asked for ever."""
        service = Service()
        patient = service.patience()
        patient.since["create_task"] = 900.0
        patient.bear("get_task_list", service)
        assert (patient.since, service.told) == ({"create_task": 900.0}, [])
        patient.bear("create_task", service)
        assert (patient.since, service.told) == ({}, ["SOPS answers again after 100 s"])


async def test_a_trigger_bears_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(outage_seconds=100)

    async def sleep(seconds: float) -> None:
        service.sleep(seconds)

    async def ask() -> str:
        return service()

    monkeypatch.setattr("asyncio.sleep", sleep)
    assert await service.patience().bear_async("get_task_node_detail", ask) == "answer"
    assert len(service.told) == 2

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity

from airflow_provider_sops.service.errors import ConnectionFailedError, RateLimitError
from airflow_provider_sops.service.retrying import retry_rules
from airflow_provider_sops.service.settings import DEFAULT_TIMEOUT_SECONDS


@pytest.fixture(autouse=True)
def short_pauses() -> None:
    """Here the pauses are as they are."""


def pauses(*errors: Exception, monkeypatch: pytest.MonkeyPatch, seconds_per_try: float = 0.0) -> list[float]:
    """Return the pauses between tries that fail with these errors, without waiting for them."""
    waited: list[float] = []
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    left = list(errors)

    def fail() -> None:
        now[0] += seconds_per_try
        raise left.pop(0)

    rules: dict[str, Any] = retry_rules("get_task_status", repeatable=True, log=logging.getLogger(__name__))
    with pytest.raises(type(errors[0])):
        tenacity.Retrying(**rules, sleep=wait)(fail)
    return waited


def test_pauses_grow_from_half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = pauses(*[ConnectionFailedError("lost")] * 4, monkeypatch=monkeypatch)

    assert len(waited) == 3
    assert 0.5 <= waited[0] <= 1.0
    assert 1.0 <= waited[1] <= 1.5
    assert 2.0 <= waited[2] <= 2.5


def test_a_rate_limit_is_waited_for_as_long_as_the_gateway_says(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [RateLimitError("too many", retry_after_seconds=seconds) for seconds in (7.0, 0.0, 20.0, 1.0)]

    assert pauses(*errors, monkeypatch=monkeypatch) == [7.0, 0.0, 20.0]


def test_a_rate_limit_that_does_not_say_how_long_pauses_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = pauses(*[RateLimitError("too many")] * 4, monkeypatch=monkeypatch)

    assert 0.5 <= waited[0] <= 1.0


def test_no_try_begins_later_than_45_seconds_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pauses(*[ConnectionFailedError("lost")] * 4, monkeypatch=monkeypatch, seconds_per_try=45.0) == []
    assert len(pauses(*[ConnectionFailedError("lost")] * 4, monkeypatch=monkeypatch, seconds_per_try=22.6)) == 1


def test_a_request_without_an_answer_in_the_default_time_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = [ConnectionFailedError("lost")] * 4

    assert len(pauses(*lost, monkeypatch=monkeypatch, seconds_per_try=DEFAULT_TIMEOUT_SECONDS)) == 1


def test_every_repeat_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    rules = retry_rules("get_task_status", repeatable=True, log=logging.getLogger(__name__))
    state: Any = SimpleNamespace(
        upcoming_sleep=1.25, outcome=SimpleNamespace(exception=lambda: ConnectionFailedError("lost"))
    )

    with caplog.at_level(logging.WARNING):
        rules["before_sleep"](state)

    assert caplog.messages == ["Trying again in 1.2 s: lost"]

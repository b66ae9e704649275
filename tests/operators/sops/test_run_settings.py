"""RunSettings: what follows from how a run is set."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pendulum
import pytest

from airflow_provider_sops.operators.sops.run_settings import RunSettings, check_choices
from tests.plain_task_instance import PlainTaskInstance


@pytest.fixture
def ti() -> PlainTaskInstance:
    return PlainTaskInstance()


def test_they_are_those_that_an_operator_has() -> None:
    operator = mock.Mock(spec=["on_clear", "retries"], on_clear="new", retries=3)
    assert RunSettings.of(operator, always_fresh=True) == RunSettings(on_clear="new", retries=3, always_fresh=True)


@pytest.mark.parametrize(
    ("flow_type", "given", "start_deadline"),
    [("common", {}, 1600.0), ("common_func", {}, None), ("common_func", {"start_timeout_seconds": 60}, 1060.0)],
)
def test_a_task_that_somebody_has_to_claim_may_stay_created(
    ti: PlainTaskInstance, flow_type: str, given: dict[str, Any], start_deadline: float | None
) -> None:
    assert RunSettings(flow_type=flow_type, **given).policy(ti, 1000.0).start_deadline == start_deadline


def test_answers_are_fresh_after_a_retry(ti: PlainTaskInstance) -> None:
    assert not RunSettings().policy(ti, 0.0).always_fresh
    assert RunSettings().policy(ti, 0.0, overcome=("n1:1",)).always_fresh


@pytest.mark.parametrize(
    ("timeout_seconds", "execution_timeout", "deadline"),
    [
        (None, None, None),
        (60, None, 1060.0),
        (None, timedelta(seconds=200), 1090.0),
        (None, timedelta(seconds=20), 918.0),
        (60, timedelta(hours=1), 1060.0),
    ],
)
def test_the_earlier_limit_counts_and_leaves_time_to_revoke(
    timeout_seconds: float | None, execution_timeout: timedelta | None, deadline: float | None
) -> None:
    ti = PlainTaskInstance(start_date=pendulum.from_timestamp(900))
    settings = RunSettings(timeout_seconds=timeout_seconds, execution_timeout=execution_timeout)
    assert settings.policy(ti, 1000.0).deadline == deadline


def test_a_choice_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="on_clear is 'old'; it must be one of keep_repaired, new, resume, fail"):
        check_choices(on_failed="wait", on_clear="old")

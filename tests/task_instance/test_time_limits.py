"""When a try has to end: the earlier of two limits, with time left to stop what runs."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pendulum
import pytest

from airflow_provider_sops.task_instance.time_limits import execution_deadline, wait_deadline
from tests.plain_task_instance import PlainTaskInstance


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
def test_the_earlier_limit_counts_and_leaves_time_to_stop_what_runs(
    timeout_seconds: float | None, execution_timeout: timedelta | None, deadline: float | None
) -> None:
    ti = PlainTaskInstance(start_date=pendulum.from_timestamp(900))
    assert wait_deadline(timeout_seconds, execution_timeout, ti, 1000.0) == deadline


def test_a_try_that_airflow_gives_no_beginning_has_begun_now() -> None:
    assert execution_deadline(timedelta(seconds=200), mock.Mock(start_date=None), 1000.0) == 1190.0

from __future__ import annotations

import datetime
from typing import Any

import pendulum
import pytest

from airflow_provider_sops.enos.errors import EnosInvalidParameterError
from airflow_provider_sops.enos.times import milliseconds, read_moment

MOMENT = pendulum.datetime(2021, 2, 2, 11, 35, 24)


@pytest.mark.parametrize(
    "value",
    [
        MOMENT,
        "2021-02-02T11:35:24Z",
        " 2021-02-02 19:35:24+08:00 ",
        "1612265724000",
        1612265724000,
        datetime.datetime(2021, 2, 2, 19, 35, 24, tzinfo=datetime.timezone(datetime.timedelta(hours=8))),
    ],
)
def test_a_moment_is_read_in_every_form_that_a_template_gives(value: Any) -> None:
    assert read_moment(value, "trigger_time") == MOMENT
    assert milliseconds(read_moment(value, "trigger_time")) == 1612265724000


@pytest.mark.parametrize("value", ["", "None", "soon", "2021-02-02 11:35:24", datetime.datetime(2021, 2, 2), 10**30])  # noqa: DTZ001
def test_what_is_no_moment_is_named(value: Any) -> None:
    with pytest.raises(EnosInvalidParameterError, match=r"trigger_time is .*(not a time|no time zone)"):
        read_moment(value, "trigger_time")

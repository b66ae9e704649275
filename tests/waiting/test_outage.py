from __future__ import annotations

import logging

import pytest

from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.waiting.outage import Outage, OutageEnd

ERROR = ServiceError("no answer within 30 s")


class UnknownThingError(ServiceError):
    """The server does not know what is waited for."""


@pytest.fixture
def outage() -> Outage:
    return Outage("SOPS", "task", 0.0, 60.0, (UnknownThingError,))


def test_the_log_has_one_line_when_an_outage_begins_and_one_when_it_ends(outage: Outage) -> None:
    (begun,), end, _ = outage.go_on(ERROR, 10.0)
    assert (begun.level, end) == (logging.WARNING, None)
    assert begun.text == (
        "SOPS gives no usable answer; the task itself runs on. Asking again for up to 60 s: no answer within 30 s"
    )
    assert outage.go_on(ERROR, 20.0) == ([], None, "")
    assert [line.text for line in outage.end(25.0)] == ["SOPS answers again after 25 s"]
    assert outage.end(26.0) == []


def test_it_ends_the_wait_once_no_answer_has_come_for_the_longest_time(outage: Outage) -> None:
    outage.end(100.0)
    outage.go_on(ERROR, 159.0)
    lines, end, reason = outage.go_on(ERROR, 160.0)
    assert (lines, end) == ([], OutageEnd.UNREACHABLE)
    assert reason == "no usable answer for 60 s; the last error: no answer within 30 s"


def test_an_answer_begins_the_time_anew(outage: Outage) -> None:
    outage.go_on(ERROR, 59.0)
    outage.end(59.5)
    assert outage.go_on(ERROR, 119.0)[1] is None


def test_one_refusal_needs_confirmation(outage: Outage) -> None:
    assert outage.go_on(UnknownThingError("no such task"), 1.0)[1] is None
    assert outage.needs_confirmation


def test_a_second_refusal_in_a_row_ends_the_wait(outage: Outage) -> None:
    outage.go_on(UnknownThingError("no such task"), 1.0)
    assert outage.go_on(UnknownThingError("no such task"), 2.0) == ([], OutageEnd.REFUSED, "no such task")


@pytest.mark.parametrize("between", ["answer", "another error"])
def test_refusals_count_only_in_a_row(outage: Outage, between: str) -> None:
    outage.go_on(UnknownThingError("no such task"), 1.0)
    if between == "answer":
        outage.end(2.0)
    else:
        outage.go_on(ERROR, 2.0)
    assert outage.go_on(UnknownThingError("no such task"), 3.0)[1] is None

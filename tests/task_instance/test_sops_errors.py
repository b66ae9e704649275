"""What the log says of an error, and which exception follows."""

from __future__ import annotations

import logging

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsConnectionError,
    SopsError,
    SopsTaskExpiredError,
    SopsTaskFailedError,
    SopsTaskRevokedError,
)
from airflow_provider_sops.task_instance.sops_errors import airflow_errors

log = logging.getLogger(__name__)
URL = "http://sops.example.com/taskflow/execute/1/?instance_id=25"
FAILED = SopsTaskFailedError(
    'SOPS task 25 failed: node "copy": disk full\nsecond line', task_url=URL, advice="Clear this task. " * 12
)


def raised_for(error: SopsError, *, only_follows: bool = False, answers: bool = False) -> BaseException:
    with (
        pytest.raises(AirflowException) as raised,
        airflow_errors(log, only_follows=only_follows, answers_for_task=lambda: answers),
    ):
        raise error
    return raised.value


def test_one_log_entry_says_what_failed_where_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    raised_for(FAILED)

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    first, second, address, *advice = record.getMessage().splitlines()
    assert (first, second.strip()) == ('SOPS task 25 failed: node "copy": disk full', "second line")
    assert address.strip() == URL
    assert len(advice) > 1
    assert all(len(line) <= 104 for line in advice)


def test_the_exception_is_one_line_with_the_address_and_without_the_traceback_of_its_cause() -> None:
    raised = raised_for(FAILED)

    assert str(raised) == f'SOPS task 25 failed: node "copy": disk full second line. See {URL}'
    assert raised.__suppress_context__
    assert raised.__context__ is FAILED


def test_a_long_error_makes_no_long_exception() -> None:
    assert len(str(raised_for(SopsError("x" * 5000)))) < 400


@pytest.mark.parametrize(
    ("error", "only_follows", "answers", "is_final"),
    [
        (SopsTaskFailedError("failed"), False, False, False),
        (SopsTaskFailedError("failed"), True, False, True),
        (SopsTaskExpiredError("expired"), False, False, False),
        (SopsTaskExpiredError("expired"), True, False, True),
        (SopsTaskRevokedError("revoked"), False, False, True),
        (SopsAuthError("refused"), False, False, True),
        (SopsAuthError("refused"), True, True, False),
        (SopsConnectionError("down"), True, False, False),
    ],
)
def test_a_retry_is_left_where_it_may_help(error: SopsError, only_follows: bool, answers: bool, is_final: bool) -> None:
    raised = raised_for(error, only_follows=only_follows, answers=answers)

    assert isinstance(raised, AirflowFailException) == is_final

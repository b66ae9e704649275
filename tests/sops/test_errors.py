from __future__ import annotations

import pickle
from typing import Any

import pytest

from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsConnectionError,
    SopsError,
    SopsGatewayError,
    SopsInvalidOperationError,
    SopsInvalidParameterError,
    SopsNotFoundError,
    SopsRateLimitError,
    SopsTaskExpiredError,
    SopsTaskFailedError,
    SopsTaskRevokedError,
)

ALL_ERRORS = [
    SopsError,
    SopsAuthError,
    SopsConnectionError,
    SopsGatewayError,
    SopsInvalidOperationError,
    SopsInvalidParameterError,
    SopsNotFoundError,
    SopsRateLimitError,
    SopsTaskExpiredError,
    SopsTaskFailedError,
    SopsTaskRevokedError,
]

DETAILS: dict[str, Any] = {
    "api": "start_task",
    "ids": {"task_id": "25", "bk_biz_id": "2"},
    "code": 3545000,
    "http_status": 200,
    "trace_id": "ab12",
    "server_message": "任务已启动",
    "advice": "Look at the task.",
}


def test_text_names_call_ids_reason_codes_server_words_and_advice() -> None:
    assert str(SopsError("SOPS refused the call", **DETAILS)) == (
        "start_task (task_id 25, bk_biz_id 2): SOPS refused the call (code 3545000, HTTP 200, trace id ab12)."
        " The server says: 任务已启动. Look at the task."
    )


def test_text_leaves_out_what_is_unknown() -> None:
    assert str(SopsError("the name is empty")) == "the name is empty"
    assert str(SopsError("the name is empty", advice="Give one.")) == "the name is empty. Give one."
    assert str(SopsError("refused", api="start_task", http_status=200)) == "start_task: refused (HTTP 200)"


@pytest.mark.parametrize("error", ALL_ERRORS)
def test_every_error_is_a_sops_error_and_survives_pickling(error: type[SopsError]) -> None:
    original = error("it failed", **DETAILS)

    copy = pickle.loads(pickle.dumps(original))

    assert isinstance(copy, SopsError)
    assert type(copy) is error
    assert str(copy) == str(original)
    assert vars(copy) == vars(original)


def test_special_attributes_survive_pickling() -> None:
    limit = pickle.loads(pickle.dumps(SopsRateLimitError("too many", retry_after_seconds=7.0)))
    lost = pickle.loads(pickle.dumps(SopsConnectionError("refused", request_sent=False)))
    failed = pickle.loads(
        pickle.dumps(SopsTaskFailedError("failed", sops_task_id=25, task_url="u", failed_nodes=["a"]))
    )

    assert limit.retry_after_seconds == 7.0
    assert lost.outcome_unknown is False
    assert (failed.sops_task_id, failed.task_url, failed.failed_nodes) == (25, "u", ("a",))


def test_of_a_traceback_only_its_last_line_is_shown_and_all_of_it_is_kept() -> None:
    words = 'fail: Traceback (most recent call last):\n  File "a.py", line 1\nRuntimeError: no such state\n\n'
    error = SopsError("refused", server_message=words)

    assert str(error) == "refused. The server says: RuntimeError: no such state"
    assert error.server_message == words


@pytest.mark.parametrize(
    ("error", "temporary", "outcome_unknown"),
    [
        (SopsError("x"), False, False),
        (SopsError("x", http_status=200), False, False),
        (SopsError("x", http_status=500, code="50000"), False, True),
        (SopsConnectionError("timeout"), True, True),
        (SopsConnectionError("refused", request_sent=False), True, False),
        (SopsGatewayError("x", http_status=302), False, False),
        (SopsGatewayError("x", http_status=404, code=1640401), False, False),
        (SopsGatewayError("x", http_status=405), False, False),
        (SopsGatewayError("x", http_status=413), False, False),
        (SopsGatewayError("html", http_status=200), False, True),
        (SopsGatewayError("cut", http_status=200, answer_cut=True), True, True),
        (SopsGatewayError("empty", http_status=500, answer_cut=True), False, True),
        (SopsGatewayError("empty", http_status=404, answer_cut=True), False, False),
        (SopsGatewayError("html", http_status=500), False, True),
        (SopsGatewayError("x", http_status=502, code=1650200), True, True),
        (SopsGatewayError("x", http_status=503), True, True),
        (SopsGatewayError("x", http_status=504), True, True),
        (SopsGatewayError("x", http_status=200, code=1306201), True, True),
        (SopsGatewayError("x", http_status=200, code="1306201"), True, True),
        (SopsGatewayError("x", http_status=200, code=1306208), False, True),
        (SopsGatewayError("x", http_status=200, code=1306404), False, False),
        (SopsRateLimitError("x", http_status=429), True, False),
        (SopsAuthError("x", http_status=403), False, False),
        (SopsNotFoundError("x", http_status=200), False, False),
        (SopsInvalidOperationError("x", http_status=200), False, False),
    ],
)
def test_whether_an_error_is_temporary_and_whether_the_server_may_have_acted(
    error: SopsError, temporary: bool, outcome_unknown: bool
) -> None:
    assert (error.temporary, error.outcome_unknown) == (temporary, outcome_unknown)


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (SopsGatewayError("x", http_status=404), True),
        (SopsGatewayError("x", http_status=404, code=1640401), True),
        (SopsGatewayError("x", http_status=405), True),
        (SopsGatewayError("x", http_status=302), True),
        (SopsGatewayError("x", http_status=200, code=1306404), True),
        (SopsGatewayError("x", http_status=200, code="1306404"), True),
        (SopsGatewayError("x", http_status=200, code=1306405), True),
        (SopsGatewayError("x", http_status=200, code=1306201), False),
        (SopsGatewayError("x", http_status=200), False),
        (SopsGatewayError("x", http_status=413), False),
        (SopsGatewayError("x", http_status=502), False),
        (SopsGatewayError("x"), False),
    ],
)
def test_whether_the_server_lacks_the_call(error: SopsGatewayError, missing: bool) -> None:
    assert error.api_missing is missing

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from airflow_provider_sops.enos.answer import read_response
from airflow_provider_sops.enos.endpoints import endpoint
from airflow_provider_sops.enos.errors import (
    EnosAuthError,
    EnosError,
    EnosGatewayError,
    EnosInvalidOperationError,
    EnosInvalidParameterError,
    EnosNoLogError,
    EnosNotFoundError,
    EnosRateLimitError,
    EnosRepeatedRequestError,
    EnosServerError,
    EnosTokenRefusedError,
    EnosTriggerRefusedError,
)
from airflow_provider_sops.enos.tokens import GET_TOKEN
from airflow_provider_sops.service.http import HttpResponse


def answer(
    body: Any, *, status: int = 200, api: str = "get_flow_instance", headers: dict[str, str] | None = None
) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    row = GET_TOKEN if api == "get_token" else endpoint(api)
    response = HttpResponse(status, headers or {"Content-Type": "application/json"}, content)
    return read_response(row, response, ids={"flowInstId": "8-1"}, conceal=lambda text: text.replace("key", "***"))


def refusal(body: Any, **details: Any) -> EnosError:
    with pytest.raises(EnosError) as raised:
        answer(body, **details)
    return raised.value


@pytest.mark.parametrize(
    "body",
    [
        {"code": 0, "msg": "OK", "data": {"a": 1}},
        {"code": "0", "msg": "OK", "data": {"a": 1}, "requestId": "r"},
        {"status": 0, "msg": " Success", "data": {"a": 1}},
        {"stauts": 0, "msg": "SUCCESS", "data": {"a": 1}},
    ],
)
def test_every_envelope_is_read(body: Any) -> None:
    assert answer(body).data == {"a": 1}


@pytest.mark.parametrize(
    ("api", "code", "error"),
    [
        ("get_my_flow", 62101, EnosAuthError),
        ("get_my_flow", 62102, EnosInvalidParameterError),
        ("get_my_flow", 62103, EnosAuthError),
        ("delete_flow", 62104, EnosInvalidOperationError),
        ("save_flow", 62105, EnosAuthError),
        ("get_my_flow", 62109, EnosServerError),
        ("get_task_instance", 62102, EnosNotFoundError),
        ("get_task_instance", 62109, EnosServerError),
        ("get_task_instance_log", 62102, EnosNoLogError),
        ("get_task_instance_log", 62109, EnosNoLogError),
        ("trigger_flow", 62102, EnosTriggerRefusedError),
        ("trigger_flow_from_task", 62102, EnosTriggerRefusedError),
        ("update_and_trigger_flow", 62102, EnosTriggerRefusedError),
        ("get_token", 1001, EnosRepeatedRequestError),
        ("get_token", 1002, EnosAuthError),
        ("get_token", 1003, EnosAuthError),
        ("get_token", 1004, EnosInvalidParameterError),
        ("get_token", 1005, EnosServerError),
        ("get_token", 1202, EnosInvalidParameterError),
        ("get_token", 1204, EnosAuthError),
        ("get_my_flow", 1203, EnosTokenRefusedError),
        ("get_my_flow", 99400, EnosError),
    ],
)
@pytest.mark.parametrize("http_status", [200, 400, 500])
def test_a_code_decides_whatever_the_http_status(api: str, code: int, error: type[EnosError], http_status: int) -> None:
    if code == 99400 and http_status != 200:
        error = EnosServerError if http_status == 500 else EnosInvalidParameterError
    assert type(refusal({"code": code, "msg": "no"}, api=api, status=http_status)) is error


@pytest.mark.parametrize(
    ("status", "error", "temporary", "outcome_unknown"),
    [
        (302, EnosGatewayError, False, False),
        (400, EnosInvalidParameterError, False, False),
        (401, EnosTokenRefusedError, False, False),
        (403, EnosAuthError, False, False),
        (404, EnosGatewayError, False, False),
        (413, EnosGatewayError, False, False),
        (429, EnosRateLimitError, True, False),
        (500, EnosServerError, True, True),
        (502, EnosGatewayError, True, True),
        (503, EnosGatewayError, True, True),
        (504, EnosGatewayError, True, True),
    ],
)
def test_a_gateways_refusal_is_told_by_its_http_status(
    status: int, error: type[EnosError], temporary: bool, outcome_unknown: bool
) -> None:
    refused = refusal({"message": "no"}, status=status)
    assert type(refused) is error
    assert (refused.temporary, refused.outcome_unknown) == (temporary, outcome_unknown)
    assert refused.server_message == "no"


@pytest.mark.parametrize(
    ("body", "cut"),
    [
        (b"", True),
        (b'{"code": 0, "da', True),
        (b"<html>welcome</html>", False),
        (b"[]", False),
        (b'{"status": "UP"}', False),
        (b'{"code": null}', False),
        (b'{"code": true}', False),
    ],
)
def test_what_is_no_answer_of_enos_is_said(body: bytes, cut: bool) -> None:
    refused = refusal(body)
    assert isinstance(refused, EnosGatewayError)
    assert refused.temporary is cut
    assert refused.outcome_unknown


def test_the_gateway_says_when_to_come_back() -> None:
    limited = refusal({"message": "slow down"}, status=429, headers={"retry-after": "7"})
    dated = refusal({"message": "slow down"}, status=429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert isinstance(limited, EnosRateLimitError)
    assert isinstance(dated, EnosRateLimitError)
    assert (limited.retry_after_seconds, dated.retry_after_seconds) == (7.0, None)


def test_an_error_names_call_ids_code_request_and_what_to_do() -> None:
    refused = refusal({"code": 62103, "msg": "User has no privilege.\nkey", "requestId": "r-7"}, api="trigger_flow")
    text = str(refused)
    for word in ("trigger_flow", "flowInstId 8-1", "62103", "r-7", "User has no privilege. ***", "owner"):
        assert word in text
    assert "\n" not in text


def test_errors_can_be_pickled() -> None:
    refused = refusal({"message": "slow"}, status=429, headers={"Retry-After": "7"})
    again = pickle.loads(pickle.dumps(refused))
    assert (type(again), again.__dict__) == (type(refused), refused.__dict__)


def test_what_no_database_takes_is_replaced_in_answers_and_errors() -> None:
    body = rb"""{"code": %s, "msg": "why\u0000", "requestId": "r\ud800", "data": {"log\u0000": ["\u0000", NaN, %s]}}"""
    assert answer(body % (b"0", b"9" * 30)).data == {"log␀": ["␀", "NaN", "9" * 30]}

    refused = refusal(body % (b"62102", b"0"))
    assert (refused.server_message, refused.request_id) == ("why␀", r"r\ud800")

    page = refusal(b"<p>odd\0\xff</p>", status=502, headers={"Content-Type": "odd\0\udcff"})
    assert page.server_message == "odd␀\ufffd"
    assert r"odd␀\udcff" in refusal(b"odd", headers={"Content-Type": "odd\0\udcff"}).reason

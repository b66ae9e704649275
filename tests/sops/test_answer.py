from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sops.service.http import HttpResponse
from airflow_provider_sops.sops.answer import Answer, read_response
from airflow_provider_sops.sops.endpoints import ENDPOINTS
from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsError,
    SopsGatewayError,
    SopsInvalidOperationError,
    SopsInvalidParameterError,
    SopsNotFoundError,
    SopsRateLimitError,
)
from airflow_provider_sops.sops.gateway import Credentials

TRACEBACK = (
    "fail: Traceback (most recent call last):\n"
    '  File "/app/engine/api.py", line 43, in wrapper\n'
    "    data = func(*args)\n"
    "engine.exceptions.InvalidOperationError: n1 state is not FAILED, actual FINISHED\n"
)


def answer(
    payload: Any,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    api: str = "get_task_status",
    **kwargs: Any,
) -> Answer:
    body = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    return read_response(ENDPOINTS[api], HttpResponse(status, headers or {}, body), **kwargs)


def error_of(payload: Any, **kwargs: Any) -> Any:
    with pytest.raises(SopsError) as caught:
        answer(payload, **kwargs)
    return caught.value


class TestSuccess:
    def test_data_trace_id_and_the_whole_answer_are_returned(self) -> None:
        payload = {"result": True, "data": [{"id": 1}], "count": 40, "code": 0, "trace_id": "ab12"}

        read = answer(payload)

        assert read.data == [{"id": 1}]
        assert read.trace_id == "ab12"
        assert read.raw["count"] == 40

    def test_an_old_server_gives_neither_code_nor_trace_id(self) -> None:
        read = answer({"result": True, "data": {"state": "RUNNING"}, "message": ""})

        assert (read.data, read.trace_id) == ({"state": "RUNNING"}, None)

    @pytest.mark.parametrize(
        "payload",
        [
            {"result": True, "message": "success", "code": 0},
            {"result": True, "data": None, "code": 0, "message": {"odd": ["fields"]}, "trace_id": None},
            {"result": True, "code": "0", "request_id": 5, "data": None, "errors": []},
            {"result": True, "code": 3540400, "message": "a code that success makes meaningless"},
        ],
    )
    def test_result_alone_decides_and_data_may_be_absent(self, payload: Any) -> None:
        assert answer(payload).data is None

    @pytest.mark.parametrize("data", ["", 0, [], {}, "文本", 1.5])
    def test_data_may_be_anything(self, data: Any) -> None:
        assert answer({"result": True, "data": data}).data == data

    def test_the_trace_id_may_come_in_a_header(self) -> None:
        read = answer({"result": True, "data": 1}, headers={"sops-trace-id": "from-header"})

        assert read.trace_id == "from-header"

    def test_a_byte_order_mark_is_no_obstacle(self) -> None:
        assert answer(b'\xef\xbb\xbf{"result": true, "data": 1}').data == 1


class TestRefusalsOfSops:
    """HTTP 200 with ``result: false``."""

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (3540000, SopsInvalidParameterError),
            (3546100, SopsInvalidParameterError),
            (3540100, SopsAuthError),
            (3540400, SopsNotFoundError),
            (3545000, SopsInvalidOperationError),
            (3599999, SopsError),
            ("3540400", SopsNotFoundError),
            (1306000, SopsError),
            (4711, SopsError),
            ("E4711", SopsError),
            (None, SopsError),
            (True, SopsError),
        ],
    )
    def test_the_code_decides_the_class(self, code: Any, error: type[SopsError]) -> None:
        caught = error_of({"result": False, "code": code, "message": "不行", "data": None})

        assert type(caught) is error
        assert caught.outcome_unknown is False
        assert caught.temporary is False
        assert caught.server_message == "不行"
        assert "不行" in str(caught)

    @pytest.mark.parametrize("api", ["operate_task", "operate_node", "node_callback"])
    def test_the_code_for_everything_else_means_a_refused_action_where_the_engine_is_asked(self, api: str) -> None:
        caught = error_of({"result": False, "code": 3599999, "message": TRACEBACK}, api=api)

        assert type(caught) is SopsInvalidOperationError
        assert "engine.exceptions.InvalidOperationError: n1 state is not FAILED" in str(caught)
        assert "File" not in str(caught)
        assert caught.server_message == TRACEBACK

    def test_an_old_server_gives_no_code_and_no_trace_id(self) -> None:
        caught = error_of({"result": False, "message": "task not exist"})

        assert type(caught) is SopsError
        assert (caught.code, caught.trace_id, caught.http_status) == (None, None, 200)
        assert str(caught) == ("get_task_status: SOPS refused the call (HTTP 200). The server says: task not exist")

    def test_a_message_may_be_the_errors_of_a_form(self) -> None:
        caught = error_of({"result": False, "code": 3546100, "message": {"task_id_list": ["不能为空"]}, "data": ""})

        assert caught.server_message == '{"task_id_list": ["不能为空"]}'

    @pytest.mark.parametrize("payload", [{}, {"data": ""}, {"data": {}}, {"message": None}, {"message": ""}])
    def test_data_and_message_may_be_absent_or_empty(self, payload: Any) -> None:
        caught = error_of({"result": False, "code": 3540400, **payload})

        assert type(caught) is SopsNotFoundError
        assert caught.server_message is None

    def test_an_error_names_call_ids_code_and_trace_id(self) -> None:
        caught = error_of(
            {"result": False, "code": 3545000, "message": "task already started", "trace_id": "ab12"},
            api="start_task",
            ids={"task_id": "25", "bk_biz_id": "2"},
        )

        assert (caught.api, caught.code, caught.trace_id) == ("start_task", 3545000, "ab12")
        assert str(caught).startswith("start_task (task_id 25, bk_biz_id 2): ")

    @pytest.mark.parametrize("text", ["无权限", "not found", "already started", "rate limit", "iam authentication"])
    def test_the_words_of_a_message_decide_nothing(self, text: str) -> None:
        assert type(error_of({"result": False, "code": 3599999, "message": text})) is SopsError


class TestTextsThatNoDatabaseTakes:
    """Everything that is made of an answer is clean, since the answer itself is."""

    BODY = rb"""{"result": %s, "data": {"ex_data": {"n\u0000": "binary \u0000\ud800"}, "outputs": [NaN, 1e999, %s]},
                 "message": "why\u0000", "trace_id": "ab\u0000", "code": "x\ud800"}"""

    def test_the_data_and_the_whole_answer_are_made_storable(self) -> None:
        read = answer(self.BODY % (b"true", b"9" * 30))

        assert read.data == {"ex_data": {"n␀": r"binary ␀\ud800"}, "outputs": ["NaN", "Infinity", "9" * 30]}
        assert read.raw["data"] is read.data
        assert (read.raw["message"], read.trace_id) == ("why␀", "ab␀")

    def test_an_error_is_too(self) -> None:
        caught = error_of(self.BODY % (b"false", b"0"))

        assert (caught.server_message, caught.trace_id, caught.code) == ("why␀", "ab␀", r"x\ud800")

    @pytest.mark.parametrize("header", ["X-Bkapi-Error-Message", "X-Bkapi-Request-Id", "Content-Type"])
    def test_so_is_one_that_is_made_of_a_page_and_headers(self, header: str) -> None:
        caught = error_of(b"<p></p>", status=502, headers={header: "odd\0\udcff"})

        assert r"odd␀\udcff" in f"{caught.server_message} {caught.trace_id} {caught.reason}"

    def test_so_are_a_page_and_the_address_of_a_redirect(self) -> None:
        assert error_of(b"<p>odd\0\xff</p>", status=502).server_message == "odd␀\ufffd"
        assert "'odd␀'" in error_of(b"", status=302, headers={"Location": "odd\0"}).reason

    def test_bytes_that_are_no_utf8_cost_themselves_alone(self) -> None:
        assert answer(b'\xef\xbb\xbf{"result": true, "data": "\xff\xd6\xd0"}').data == "\ufffd" * 3

    @pytest.mark.parametrize("code", ["9" * 5000, 10**30])
    def test_a_code_of_any_length_is_no_known_one(self, code: Any) -> None:
        assert type(error_of({"result": False, "code": code})) is SopsError


class TestFaultsOfSops:
    def test_an_unhandled_exception_is_http_500_with_a_code_in_a_text(self) -> None:
        caught = error_of(
            {"result": False, "code": "50000", "message": "系统异常", "data": None},
            status=500,
            headers={"Sops-Trace-Id": "cd34"},
            api="create_task",
        )

        assert type(caught) is SopsError
        assert (caught.code, caught.http_status, caught.trace_id) == ("50000", 500, "cd34")
        assert caught.outcome_unknown is True
        assert caught.temporary is False

    def test_http_500_of_an_old_server_has_no_code(self) -> None:
        caught = error_of({"result": False, "message": "boom"}, status=500)

        assert type(caught) is SopsError
        assert caught.outcome_unknown is True

    def test_http_500_may_be_a_page(self) -> None:
        page = b"<html><head><title>Server Error (500)</title></head><body><h1>Server Error</h1></body></html>"
        caught = error_of(page, status=500, headers={"Content-Type": "text/html; charset=utf-8"})

        assert type(caught) is SopsGatewayError
        assert caught.outcome_unknown is True
        assert caught.api_missing is False
        assert caught.server_message == "Server Error (500) Server Error"
        assert "text/html" in str(caught)

    def test_http_403_in_plain_text_is_sops_without_its_gateway(self) -> None:
        caught = error_of(b"only through the gateway", status=403, headers={"Content-Type": "text/html"})

        assert type(caught) is SopsAuthError
        assert caught.server_message == "only through the gateway"
        assert "instead of its gateway" in str(caught)

    def test_a_redirect_means_that_sops_does_not_know_the_path(self) -> None:
        caught = error_of(
            b"",
            status=302,
            headers={"Location": "/guide/?c_url=/apigw/x/?bk_app_secret=s3cret"},
            api="start_task",
        )

        assert type(caught) is SopsGatewayError
        assert caught.api_missing is True
        assert caught.outcome_unknown is False
        assert "a redirect to '/guide/'" in str(caught)
        assert "s3cret" not in str(caught)

    def test_a_wrong_method_is_http_405_with_an_empty_body(self) -> None:
        caught = error_of(b"", status=405)

        assert type(caught) is SopsGatewayError
        assert caught.api_missing is True


class TestAnswersThatAreNotSops:
    @pytest.mark.parametrize(
        ("body", "cut"),
        [
            (b"", True),
            (b"  \n", True),
            (b'{"result": true, "data": {"id": ', True),
            (b'{"result": true, "data": "\xe4\xb8', True),
            (b"<html>Please log in</html>", False),
            (b"OK", False),
            (b"[1, 2]", False),
            (b'"text"', False),
            (b"null", False),
            (b"\xff\xfe\x00", False),
            (b"[" * 100_000, False),
        ],
    )
    def test_with_http_200_nobody_knows_what_happened_and_a_cut_answer_may_be_whole_next_time(
        self, body: bytes, cut: bool
    ) -> None:
        caught = error_of(body, api="create_task")

        assert type(caught) is SopsGatewayError
        assert caught.outcome_unknown is True
        assert caught.temporary is cut
        assert caught.api_missing is False

    @pytest.mark.parametrize("payload", [{}, {"status": "ok"}, {"result": "true"}, {"result": 1}, {"data": {}}])
    def test_an_object_without_a_result_is_not_an_answer_of_sops(self, payload: Any) -> None:
        caught = error_of(payload)

        assert type(caught) is SopsGatewayError
        assert caught.outcome_unknown is True

    def test_a_long_page_is_kept_in_part_only(self) -> None:
        caught = error_of(b"<p>" + b"x" * 100_000 + b"</p>", status=502)

        assert len(caught.server_message) <= 500


class TestApiGateway:
    """``{code_name, code 16xxxxx, message, result: false, data: null}`` with HTTP 4xx or 5xx."""

    @pytest.mark.parametrize(
        ("status", "code", "error", "temporary", "outcome_unknown"),
        [
            (400, 1640001, SopsAuthError, False, False),
            (403, 1640301, SopsAuthError, False, False),
            (403, 1640302, SopsAuthError, False, False),
            (403, 1640399, SopsAuthError, False, False),
            (404, 1640401, SopsGatewayError, False, False),
            (413, 1641301, SopsGatewayError, False, False),
            (414, 1641401, SopsGatewayError, False, False),
            (429, 1642902, SopsRateLimitError, True, False),
            (429, 1642904, SopsRateLimitError, True, False),
            (500, 1650000, SopsGatewayError, False, True),
            (500, 1650001, SopsGatewayError, False, True),
            (502, 1650200, SopsGatewayError, True, True),
            (502, 1650201, SopsGatewayError, True, True),
            (503, 1650300, SopsGatewayError, True, True),
            (504, 1650401, SopsGatewayError, True, True),
        ],
    )
    def test_code_and_status_decide_the_class(
        self, status: int, code: Any, error: type[SopsError], temporary: bool, outcome_unknown: bool
    ) -> None:
        payload = {
            "code": code,
            "code_name": "N",
            "message": 'why [reason="x"]',
            "data": None,
            "result": False,
        }
        caught = error_of(payload, status=status, headers={"X-Bkapi-Request-Id": "req-1"})

        assert type(caught) is error
        assert (caught.temporary, caught.outcome_unknown) == (temporary, outcome_unknown)
        assert (caught.code, caught.http_status, caught.trace_id) == (code, status, "req-1")
        assert caught.server_message == 'why [reason="x"]'

    @pytest.mark.parametrize(
        ("status", "code", "code_name", "reason", "advice"),
        [
            (403, 1640302, "IP_NOT_ALLOWED", "this machine's address", "administrators to allow it"),
            (403, 1640302, "CROSS_TENANT_FORBIDDEN", "because of the tenant", "Set extra 'tenant_id'"),
            (403, 1640302, "NEW_NAME", "this machine's address, or the tenant", "set extra 'tenant_id'"),
            (403, 1640303, "BK_USER_NOT_ALLOWED", "does not let this user", "bk_username, bk_token or access_token"),
            (403, 1640304, "BK_TENANT_NOT_ALLOWED", "does not let this tenant", "Check extra 'tenant_id'"),
            (429, 1642904, "CONCURRENCY_LIMIT_RESTRICTION", "too many calls at the same time", "It was not executed"),
            (500, 1650000, "REQUEST_RESOURCE_5xx", "SOPS failed behind the gateway", "SOPS may have acted"),
        ],
    )
    def test_the_name_of_the_code_decides_what_is_said(
        self, status: int, code: int, code_name: str, reason: str, advice: str
    ) -> None:
        named = error_of({"code": code, "code_name": code_name, "message": "why", "result": False}, status=status)

        assert reason in named.reason
        assert advice in (named.advice or "")

    @pytest.mark.parametrize("code", [1640303, 1640304, 1642904, 1650000])
    def test_a_number_with_one_meaning_needs_no_name(self, code: int) -> None:
        bare = error_of({"code": code, "result": False}, status=500)
        named = error_of({"code": code, "code_name": "NEW_NAME", "result": False}, status=500)

        assert bare.reason == named.reason
        assert "gateway" in bare.reason

    @pytest.mark.parametrize("code_name", [None, 5, ["IP_NOT_ALLOWED"], {}])
    def test_a_name_that_is_no_text_decides_nothing(self, code_name: Any) -> None:
        assert type(error_of({"code": 1640302, "code_name": code_name, "result": False}, status=403)) is SopsAuthError

    def test_a_name_decides_nothing_beside_a_code_that_is_not_the_gateways(self) -> None:
        caught = error_of({"code": 3540400, "code_name": "IP_NOT_ALLOWED", "result": False})

        assert type(caught) is SopsNotFoundError

    def test_only_a_missing_resource_is_a_missing_call(self) -> None:
        assert error_of({"code": 1640401, "result": False}, status=404).api_missing is True
        assert error_of({"code": 1641301, "result": False}, status=413).api_missing is False
        assert error_of({"code": 1650200, "result": False}, status=502).api_missing is False

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"X-Bkapi-RateLimit-Reset": "7"}, 7.0),
            ({"x-bkapi-ratelimit-reset": "0"}, 0.0),
            ({"Retry-After": "30"}, 30.0),
            ({"X-Bkapi-RateLimit-Reset": "7", "Retry-After": "30"}, 7.0),
            ({"X-Bkapi-RateLimit-Reset": "soon", "Retry-After": "30"}, 30.0),
            ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
            ({"Retry-After": "-1"}, None),
            ({}, None),
        ],
    )
    def test_a_rate_limit_says_when_to_come_back(self, headers: dict[str, str], seconds: float | None) -> None:
        caught = error_of({"code": 1642902, "result": False}, status=429, headers=headers)

        assert caught.retry_after_seconds == seconds

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, SopsGatewayError),
            (401, SopsAuthError),
            (403, SopsAuthError),
            (404, SopsGatewayError),
            (429, SopsRateLimitError),
            (502, SopsGatewayError),
        ],
    )
    @pytest.mark.parametrize("body", [b"", b"<html>nginx</html>", b'{"error_msg": "Route Not Found"}'])
    def test_a_proxy_in_front_is_read_by_its_status(self, status: int, error: type[SopsError], body: bytes) -> None:
        assert type(error_of(body, status=status)) is error

    def test_the_gateways_words_may_come_in_a_header_alone(self) -> None:
        caught = error_of(b"", status=502, headers={"X-Bkapi-Error-Message": "cannot read header"})

        assert caught.server_message == "cannot read header"


class TestEsb:
    """Everything with HTTP 200."""

    @pytest.mark.parametrize(
        ("code", "error", "temporary", "outcome_unknown"),
        [
            (20101, SopsAuthError, False, False),
            (20103, SopsAuthError, False, False),
            (1306401, SopsAuthError, False, False),
            (1306402, SopsAuthError, False, False),
            (1306403, SopsAuthError, False, False),
            (1306404, SopsGatewayError, False, False),
            (1306405, SopsGatewayError, False, False),
            (1306406, SopsInvalidParameterError, False, False),
            (1306429, SopsRateLimitError, True, False),
            (1306201, SopsGatewayError, True, True),
            (1306208, SopsGatewayError, False, True),
            ("1306406", SopsInvalidParameterError, False, False),
        ],
    )
    def test_the_code_decides_the_class(
        self, code: Any, error: type[SopsError], temporary: bool, outcome_unknown: bool
    ) -> None:
        payload = {"result": False, "code": code, "message": "why", "data": None, "request_id": "req-2"}
        caught = error_of(payload)

        assert type(caught) is error
        assert (caught.temporary, caught.outcome_unknown) == (temporary, outcome_unknown)
        assert caught.trace_id == "req-2"

    def test_a_missing_component_is_a_missing_call(self) -> None:
        assert error_of({"result": False, "code": 1306404}).api_missing is True

    def test_secrets_that_a_server_echoes_are_concealed(self) -> None:
        credentials = Credentials("app", "s3cret", bk_token="t0ken")
        caught = error_of(
            b"<p>bad: /x/?bk_app_secret=s3cret&bk_token=t0ken</p>", status=502, conceal=credentials.conceal
        )

        assert caught.server_message == "bad: /x/?bk_app_secret=***&bk_token=***"


def test_headers_are_found_whatever_their_case() -> None:
    response = HttpResponse(200, {"X-Bkapi-Request-Id": "r"}, b"")

    assert response.header("x-bkapi-request-id") == "r"
    assert response.header("Location") is None

"""Where the credentials of a GET through ESB go: into a header, or into the query for an ESB that does not read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Request, Response

from airflow_provider_sops.sops import esb_credentials
from airflow_provider_sops.sops.errors import SopsAuthError, SopsError
from tests.hooks.conftest import APP_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_httpserver import HTTPServer

PATH = "/api/c/compapi/v2/sops/get_task_status/"
OK = {"result": True, "data": {"state": "RUNNING"}, "code": 0}
#: What the two kinds say of a request without credentials, and of a wrong secret.
REFUSALS = [
    {"result": False, "code": 1306000, "message": "APP Secret [bk_app_secret] cannot be empty", "data": None},
    {"result": False, "code": 20101, "message": "APP authentication failed", "data": None},
]


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esb_credentials, "_takes_header", {})


@pytest.fixture
def serve(httpserver: HTTPServer, set_connection: Callable[..., None]) -> Callable[[Callable[[Request], Any]], None]:
    def answer(find: Callable[[Request], Any], refusal: Any = REFUSALS[0], secret: str = APP_SECRET) -> None:
        set_connection(httpserver.url_for(""), gateway="esb")
        httpserver.expect_request("/api/c/compapi/v2/sops/get_task_status/").respond_with_handler(
            lambda request: Response(json.dumps(OK if find(request) == secret else refusal))
        )

    return answer


def in_header(request: Request) -> Any:
    """As the ESB of today: the parameters count only without the header."""
    header = request.headers.get("X-Bkapi-Authorization")
    return (json.loads(header) if header else request.args).get("bk_app_secret")


def in_query(request: Request) -> Any:
    """As ESBs before it."""
    return request.args.get("bk_app_secret")


def in_url(httpserver: HTTPServer) -> list[bool]:
    return ["secret" in request.url for request, _ in httpserver.log]


def test_an_esb_of_today_never_gets_a_secret_in_an_address(
    call: Callable[..., Any], serve: Any, httpserver: HTTPServer
) -> None:
    serve(in_header)
    for _ in range(3):
        assert call("get_task_status", task_id=25).data == {"state": "RUNNING"}
    assert in_url(httpserver) == [False, False, False]


@pytest.mark.parametrize("refusal", REFUSALS, ids=["any failure", "app refused"])
def test_an_older_one_is_asked_once_more_and_then_known(
    call: Callable[..., Any], serve: Any, httpserver: HTTPServer, refusal: Any
) -> None:
    serve(in_query, refusal)
    for _ in range(3):
        assert call("get_task_status", task_id=25).data == {"state": "RUNNING"}
    assert in_url(httpserver) == [False, True, True, True]


def test_one_that_took_the_header_does_not_get_the_query_when_it_refuses_something(
    call: Callable[..., Any], serve: Any, httpserver: HTTPServer
) -> None:
    serve(in_header)
    call("get_task_status", task_id=25)
    httpserver.clear_all_handlers()
    serve(in_header, REFUSALS[1], secret="another")
    with pytest.raises(SopsAuthError):
        call("get_task_status", task_id=25)
    assert in_url(httpserver) == [False, False]


def test_a_wrong_secret_is_refused_in_both_forms(call: Callable[..., Any], serve: Any, httpserver: HTTPServer) -> None:
    serve(in_header, REFUSALS[1], secret="another")
    for _ in range(2):
        with pytest.raises(SopsAuthError) as caught:
            call("get_task_status", task_id=25)
    assert in_url(httpserver) == [False, True] * 2
    assert APP_SECRET not in str(caught.value)


@pytest.mark.parametrize("code", [3540400, 1306406, "50000"])
def test_an_error_of_sops_is_not_asked_about_again(
    call: Callable[..., Any], serve: Any, httpserver: HTTPServer, code: Any
) -> None:
    serve(in_header, {"result": False, "code": code, "message": "no"}, secret="another")
    with pytest.raises(SopsError):
        call("get_task_status", task_id=25)
    asked = [request.path for request, _ in httpserver.log]
    assert asked.count("/api/c/compapi/v2/sops/get_task_status/") == 1
    assert True not in in_url(httpserver)

"""``SopsHook.test_connection``: one sentence for each thing that can be wrong."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Response

from airflow_provider_sops.hooks.sops import SopsHook
from tests.hooks.conftest import APP_SECRET

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pytest_httpserver import HTTPServer

    SetConnection = Callable[..., None]

pytest_plugins = ("tests.raw_server",)

WITH_BUSINESS = "/prod/get_template_list/2/"


AS_APP = "/prod/system/get_user_project_list/"
REJECTED = 'Parameters error [reason="why"]'


def gateway_error(code: int, message: str, code_name: str = "N") -> dict[str, Any]:
    return {"code": code, "code_name": code_name, "message": message, "data": None, "result": False}


@pytest.fixture(autouse=True)
def connection(httpserver: HTTPServer, set_connection: SetConnection) -> None:
    """``sops_default`` is the test's HTTP server, unless a test says otherwise."""
    set_connection(httpserver.url_for(""))


def test_a_good_connection_reads_one_template_and_says_for_whom(httpserver: HTTPServer) -> None:
    httpserver.expect_request(WITH_BUSINESS).respond_with_json({"result": True, "data": []})

    assert SopsHook().test_connection() == (True, "SOPS answers airflow for business 2 (scope cmdb_biz).")
    [(request, _)] = httpserver.log
    assert request.args["limit"] == "1"


def test_without_a_business_the_projects_are_read_and_the_gap_is_named(
    httpserver: HTTPServer, set_connection: SetConnection
) -> None:
    set_connection(httpserver.url_for(""), bk_biz_id=None)
    httpserver.expect_request("/prod/get_user_project_list/").respond_with_json({"result": True, "data": []})

    works, message = SopsHook().test_connection()

    assert works is True
    assert message == "SOPS answers airflow; no bk_biz_id is set, so every operator must set it."


def test_an_old_server_without_a_list_of_projects_is_asked_for_common_templates(
    httpserver: HTTPServer, set_connection: SetConnection
) -> None:
    set_connection(httpserver.url_for(""), bk_biz_id=None)
    httpserver.expect_request("/prod/get_user_project_list/").respond_with_data("", status=302)
    httpserver.expect_request("/prod/get_common_template_list/").respond_with_json({"result": True, "data": []})

    assert SopsHook().test_connection()[0] is True


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (
            403,
            gateway_error(1640302, "Cross tenant forbidden", "CROSS_TENANT_FORBIDDEN"),
            (
                "Access was denied (HTTP 403): the gateway rejected the call because of the tenant; it says: "
                "\"Cross tenant forbidden\" (Set extra 'tenant_id' of the connection to the tenant whose tasks these "
                "are. An app of all tenants must always name one; an app or user of one tenant reaches this tenant "
                "alone)"
            ),
        ),
        (
            403,
            gateway_error(1640301, "App has no permission"),
            (
                "Access was denied (HTTP 403): the app has no permission for this call; it says: "
                '"App has no permission" (Apply for the permission in the gateway\'s developer centre, '
                "or ask SOPS's administrators for it)"
            ),
        ),
        (
            200,
            {"result": False, "code": 20101, "message": "APP authentication failed"},
            (
                'Access was denied: ESB rejected the app; it says: "APP authentication failed" '
                "(Check bk_app_code and bk_app_secret of the connection)"
            ),
        ),
        (
            200,
            {"result": False, "code": 3540400, "message": "project(2) does not exist"},
            'SOPS has no business 2 (scope cmdb_biz); it says: "project(2) does not exist"',
        ),
        (
            200,
            {"result": False, "code": 3599999, "message": "iam refused"},
            'SOPS cannot be called: SOPS refused the call; it says: "iam refused"',
        ),
        (
            500,
            {"result": False, "code": "50000", "message": "系统异常"},
            'SOPS cannot be called (HTTP 500): SOPS failed with an internal error; it says: "系统异常"',
        ),
        (
            502,
            gateway_error(1650200, "Bad Gateway"),
            'SOPS cannot be called (HTTP 502): the gateway could not get an answer from SOPS; it says: "Bad Gateway"',
        ),
        (
            429,
            gateway_error(1642902, "slow down"),
            (
                "SOPS cannot be called (HTTP 429): the gateway rejected the call because of its rate limit; "
                'it says: "slow down"'
            ),
        ),
    ],
)
def test_what_the_gateway_or_sops_refuses_is_said_with_its_own_words(
    httpserver: HTTPServer, status: int, body: dict[str, Any], sentence: str
) -> None:
    httpserver.expect_request(WITH_BUSINESS).respond_with_json(body, status=status)

    assert SopsHook().test_connection() == (False, sentence)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, gateway_error(1640001, REJECTED)),
        (404, gateway_error(1640401, "API not found")),
        (302, {}),
        (500, gateway_error(1650001, "Internal Server Error")),
    ],
)
def test_a_rejected_app_and_a_rejected_user_look_alike_unless_the_app_alone_is_accepted(
    httpserver: HTTPServer, status: int, body: dict[str, Any]
) -> None:
    httpserver.expect_request(WITH_BUSINESS).respond_with_json(gateway_error(1640001, REJECTED), status=400)
    httpserver.expect_request(AS_APP).respond_with_json(body, status=status)

    works, message = SopsHook().test_connection()

    assert works is False
    assert message == (
        "The gateway rejected the app or the user: wrong bk_app_code or bk_app_secret, no user, an expired token, or "
        "an app that may not name a bk_username without a token (then set bk_token or access_token, or set identity "
        f'to app); it says: "{REJECTED}"'
    )
    assert len(httpserver.log) == 2


@pytest.mark.parametrize(
    ("status", "body", "ends"),
    [
        (200, {"result": True, "data": []}, ""),
        (200, {"result": False, "code": 3599999, "message": "iam refused"}, ""),
        (
            403,
            gateway_error(1640302, "no tenant", "CROSS_TENANT_FORBIDDEN"),
            ". With identity app: the gateway rejected the call because of the tenant (Set extra 'tenant_id' of",
        ),
        (403, gateway_error(1640301, "no permission"), ". With identity app: the app has no permission for this call"),
    ],
)
def test_a_bare_user_name_that_the_gateway_does_not_trust_is_told_from_a_rejected_app(
    httpserver: HTTPServer, status: int, body: dict[str, Any], ends: str
) -> None:
    httpserver.expect_request(WITH_BUSINESS).respond_with_json(gateway_error(1640001, REJECTED), status=400)
    httpserver.expect_request(AS_APP).respond_with_json(body, status=status)

    works, message = SopsHook().test_connection()

    assert works is False
    assert message.startswith(
        "The gateway accepts the app, but not its bk_username, which no token verifies: set bk_token or access_token, "
        f'or set identity to app; it says: "{REJECTED}"{ends}'
    )


@pytest.mark.parametrize("extra", [{"bk_token": "t0ken"}, {"bk_username": None}, {"identity": "app"}])
def test_a_user_who_is_no_bare_name_is_not_looked_into(
    httpserver: HTTPServer, set_connection: SetConnection, extra: dict[str, Any]
) -> None:
    set_connection(httpserver.url_for(""), **extra)
    httpserver.expect_request(re.compile(".*")).respond_with_json(gateway_error(1640001, REJECTED), status=400)

    assert SopsHook().test_connection()[1].startswith("The gateway rejected the app or the user: ")
    assert len(httpserver.log) == 1


def test_the_tenant_is_named_beside_the_business(httpserver: HTTPServer, set_connection: SetConnection) -> None:
    set_connection(httpserver.url_for(""), identity="app", tenant_id="acme")
    missing = {"result": False, "code": 3540400, "message": "project(2) does not exist"}
    httpserver.expect_request(
        "/prod/system/get_template_list/2/", headers={"X-Bk-Tenant-Id": "acme"}
    ).respond_with_json(missing)

    assert SopsHook().test_connection() == (
        False,
        'SOPS has no business 2 (scope cmdb_biz, tenant acme); it says: "project(2) does not exist"',
    )


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (200, "<html>Welcome</html>", "text/html"),
        (404, json.dumps(gateway_error(1640401, "API not found")), "application/json"),
        (404, "<html>nginx</html>", "text/html"),
        (302, "", "text/html"),
    ],
)
def test_an_address_of_something_else_is_said_to_be_no_gateway_to_sops(
    httpserver: HTTPServer, status: int, body: str, content_type: str
) -> None:
    httpserver.expect_request(WITH_BUSINESS).respond_with_data(body, status=status, content_type=content_type)

    works, message = SopsHook().test_connection()

    assert works is False
    assert message.startswith(f"{httpserver.url_for('').rstrip('/')} is not a gateway to SOPS")


def test_sops_itself_without_a_gateway_refuses_access(httpserver: HTTPServer) -> None:
    httpserver.expect_request(WITH_BUSINESS).respond_with_data("only through the gateway", status=403)

    works, message = SopsHook().test_connection()

    assert works is False
    assert message.startswith("Access was denied (HTTP 403): ")
    assert "only through the gateway" in message


def test_a_name_that_does_not_exist(set_connection: SetConnection) -> None:
    set_connection("https://sops.invalid")

    works, message = SopsHook().test_connection()

    assert works is False
    assert "sops.invalid" in message
    assert "the host name cannot be resolved" in message


def test_a_server_that_speaks_no_tls(httpserver: HTTPServer, set_connection: SetConnection) -> None:
    set_connection(httpserver.url_for("").replace("http://", "https://"))

    works, message = SopsHook().test_connection()

    assert works is False
    assert "TLS failed" in message


def test_silence(raw_server: Callable[[Callable[[socket.socket], None]], Any], set_connection: SetConnection) -> None:
    end_of_test = threading.Event()

    def say_nothing(_: socket.socket) -> None:
        end_of_test.wait(10)

    set_connection(raw_server(say_nothing).url, timeout_seconds=0.2)

    try:
        works, message = SopsHook().test_connection()
    finally:
        end_of_test.set()

    assert works is False
    assert "no complete answer within 0.2 s" in message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"host": ""}, "host is empty"),
        ({"login": ""}, "login (bk_app_code) is empty"),
        ({"gateway": "kong"}, "extra 'gateway' is 'kong'"),
        ({"bk_biz_id": "abc"}, "extra 'bk_biz_id' is 'abc'"),
    ],
)
def test_a_malformed_connection_is_named(set_connection: SetConnection, changes: dict[str, Any], named: str) -> None:
    set_connection(**{"host": "https://bkapi.example.com", **changes})

    works, message = SopsHook().test_connection()

    assert works is False
    assert named in message


def test_no_message_holds_the_secret(httpserver: HTTPServer, set_connection: SetConnection) -> None:
    set_connection(httpserver.url_for(""), gateway="esb")
    httpserver.expect_request("/api/c/compapi/v2/sops/get_template_list/").respond_with_handler(
        lambda request: Response(f"no such page: {request.url}", status=404)
    )

    works, message = SopsHook().test_connection()

    assert works is False
    assert APP_SECRET not in message
    assert "s3cret" not in message


def test_a_host_without_a_scheme_that_speaks_plain_http_is_told_how_to_write_it(
    httpserver: HTTPServer, set_connection: SetConnection
) -> None:
    set_connection(f"127.0.0.1:{httpserver.port}")

    works, message = SopsHook().test_connection()

    assert works is False
    assert "TLS failed; https was tried: if the server speaks plain HTTP" in message
    assert message.endswith(f"begin the connection's host with http://127.0.0.1:{httpserver.port}")

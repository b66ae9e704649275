"""No secret of a query in the lines of any logger, however much is logged and whatever a server answers."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from airflow_provider_sops.enos.errors import EnosError
from airflow_provider_sops.hooks.enos import EnosHook
from airflow_provider_sops.hooks.enos_async import AsyncEnosClient, aget_enos_connection
from airflow_provider_sops.service.query_filter import keep_queries_out_of_logs
from airflow_provider_sops.sops import esb_credentials
from airflow_provider_sops.sops.errors import SopsError
from tests.hooks.conftest import APP_SECRET

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.raw_server import RawServer

pytest_plugins = ("tests.raw_server",)

TOKEN = "t0ken-of-a-user"
BODY = json.dumps({"result": True, "data": {"state": "RUNNING"}, "code": 0}).encode()
MALFORMED = (
    b"HTTP/1.1 200 OK\r\nthis line is no header\r\nContent-Type: application/json\r\n"
    + f"Content-Length: {len(BODY)}\r\nConnection: close\r\n\r\n".encode()
    + BODY
)
ENOS_TOKEN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    + json.dumps({"status": 0, "msg": "OK", "data": {"accessToken": TOKEN, "expire": 7199}}).encode()
)


@pytest.fixture(autouse=True)
def log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)


@pytest.mark.parametrize("takes_header", [True, False], ids=["header", "query"])
@pytest.mark.parametrize(
    "answer",
    [
        MALFORMED,
        MALFORMED.replace(b"this line is no header\r\n", b""),
        b"no HTTP at all",
        b"",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["malformed header", "answer", "no HTTP", "nothing", "redirect"],
)
def test_a_get_through_esb(
    call: Callable[..., Any],
    set_connection: Callable[..., None],
    raw_server: Callable[[Callable[[socket.socket], None]], RawServer],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes,
    takes_header: bool,
) -> None:
    server = raw_server(lambda connection: connection.sendall(answer))
    set_connection(server.url, gateway="esb", bk_token=TOKEN, bk_username=None)
    monkeypatch.setattr(esb_credentials, "_takes_header", {server.url: takes_header})
    with contextlib.suppress(SopsError):
        call("get_task_status", task_id=25)

    assert TOKEN.encode() in server.requests[0]
    for secret in (APP_SECRET, quote(APP_SECRET, safe=""), TOKEN):
        assert secret not in caplog.text


def test_the_line_of_a_malformed_header_is_still_written(
    set_connection: Callable[..., None],
    raw_server: Callable[[Callable[[socket.socket], None]], RawServer],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from tests.hooks.conftest import call_blocking

    server = raw_server(lambda connection: connection.sendall(MALFORMED))
    set_connection(server.url, gateway="esb", bk_token=TOKEN, bk_username=None)
    call_blocking("get_task_status", task_id=25)

    path = "/api/c/compapi/v2/sops/get_task_status/"
    assert f"Failed to parse headers (url={server.url}{path}?…" in caplog.text
    assert f'"GET {path}?… HTTP/1.1" 200' in caplog.text


def enos_blocking() -> None:
    with EnosHook() as hook:
        hook.call("get_flow", id="8")


def enos_async() -> None:
    async def call() -> None:
        async with AsyncEnosClient(await aget_enos_connection("enos_default")) as client:
            await client.call("get_flow", id="8")

    asyncio.run(call())


@pytest.mark.parametrize("call_enos", [enos_blocking, enos_async])
def test_a_get_of_enos(
    raw_server: Callable[[Callable[[socket.socket], None]], RawServer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    call_enos: Callable[[], None],
) -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(MALFORMED if server.requests[-1].startswith(b"GET") else ENOS_TOKEN)

    server = raw_server(behave)
    extra = {"user_id": "u15426865866571", "org_id": "o15426865866572"}
    connection = {"conn_type": "enos", "host": server.url, "login": "key", "password": APP_SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ENOS_DEFAULT", json.dumps(connection))
    with contextlib.suppress(EnosError):
        call_enos()

    assert any(request.startswith(b"GET") and b"userId=" in request for request in server.requests)
    for secret in (APP_SECRET, quote(APP_SECRET, safe=""), TOKEN, "userId="):
        assert secret not in caplog.text


@pytest.mark.parametrize("takes_header", [True, False], ids=["header", "query"])
def test_python_prints_no_request_if_somebody_makes_it_print_all(
    call: Callable[..., Any],
    set_connection: Callable[..., None],
    raw_server: Callable[[Callable[[socket.socket], None]], RawServer],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    takes_header: bool,
) -> None:
    server = raw_server(lambda connection: connection.sendall(MALFORMED))
    set_connection(server.url, gateway="esb", bk_token=TOKEN, bk_username=None)
    monkeypatch.setattr(esb_credentials, "_takes_header", {server.url: takes_header})
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with contextlib.suppress(SopsError):
        call("get_task_status", task_id=25)
    shown = "".join(capfd.readouterr())
    assert TOKEN.encode() in server.requests[0]
    assert APP_SECRET not in shown
    assert TOKEN not in shown


def test_what_a_server_echoes_in_a_malformed_header_is_left_out(
    call: Callable[..., Any],
    set_connection: Callable[..., None],
    raw_server: Callable[[Callable[[socket.socket], None]], RawServer],
    caplog: pytest.LogCaptureFixture,
) -> None:
    echo = MALFORMED.replace(b"this line is no header", f"refused {APP_SECRET} {TOKEN}".encode())
    server = raw_server(lambda connection: connection.sendall(echo))
    set_connection(server.url)
    with contextlib.suppress(SopsError):
        call("get_task_status", task_id=25)
    assert APP_SECRET not in caplog.text
    assert TOKEN not in caplog.text


def test_a_long_text_takes_no_time(caplog: pytest.LogCaptureFixture) -> None:
    keep_queries_out_of_logs()
    logging.getLogger("urllib3.connection").warning("odd: %s", "/" * 1_000_000)
    assert "/" * 1000 in caplog.text


def test_a_traceback_shows_no_query_either(caplog: pytest.LogCaptureFixture) -> None:
    keep_queries_out_of_logs()
    logger = logging.getLogger("urllib3.connectionpool")
    try:
        raise ValueError("Max retries exceeded with url: /x/?bk_app_secret=hunter2 (Caused by ...)")
    except ValueError:
        logger.warning("it failed", exc_info=True)
    assert "hunter2" not in caplog.text
    assert "ValueError: Max retries exceeded with url: /x/?… (Caused by ...)" in caplog.text


def test_other_lines_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    keep_queries_out_of_logs()
    keep_queries_out_of_logs()
    logging.getLogger("urllib3.connection").warning("is %s there? yes", "it")
    assert caplog.records[-1].args == ("it",)
    assert len(logging.getLogger("urllib3.connection").filters) == 1

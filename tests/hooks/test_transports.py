"""What both transports do alike: the blocking one of the hook and the asynchronous one for triggers."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from pytest_httpserver import HTTPServer

from airflow_provider_sops.service import connection_fields
from airflow_provider_sops.sops.errors import (
    SopsConnectionError,
    SopsError,
    SopsGatewayError,
    SopsInvalidOperationError,
    SopsInvalidParameterError,
    SopsRateLimitError,
)
from tests.hooks.conftest import APP_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_sops.sops.answer import Answer
    from tests.raw_server import RawServer

    Call = Callable[..., Answer]
    SetConnection = Callable[..., None]
    StartRawServer = Callable[[Callable[[socket.socket], None]], RawServer]

pytest_plugins = ("tests.raw_server",)

OK = {"result": True, "data": {"state": "RUNNING"}, "code": 0, "trace_id": "ab12"}
BAD_GATEWAY = {"result": False, "code": 1650200, "code_name": "BAD_GATEWAY", "message": "cannot read header"}
TOO_MANY = {"result": False, "code": 1642902, "code_name": "RATE_LIMIT_RESTRICTION", "message": "slow down"}

STATUS_PATH = "/prod/get_task_status/25/2/"
CREATE_PATH = "/prod/create_task/24/2/"


@pytest.fixture(autouse=True)
def connection(httpserver: HTTPServer, set_connection: SetConnection) -> None:
    """``sops_default`` is the test's HTTP server, unless a test says otherwise."""
    set_connection(httpserver.url_for(""))


def test_an_app_without_a_user_names_its_tenant_and_calls_below_system(
    call: Call, httpserver: HTTPServer, set_connection: SetConnection
) -> None:
    set_connection(httpserver.url_for(""), identity="app", tenant_id="acme")
    httpserver.expect_request(
        "/prod/system/get_task_status/25/2/", headers={"X-Bk-Tenant-Id": "acme"}
    ).respond_with_json(OK)

    assert get_status(call).data == OK["data"]


def test_a_call_that_apps_do_not_have_is_refused_before_it_is_sent(
    call: Call, httpserver: HTTPServer, set_connection: SetConnection
) -> None:
    set_connection(httpserver.url_for(""), identity="app")

    with pytest.raises(SopsInvalidParameterError, match=r"get_clocked_task_list .*nothing was sent"):
        call("get_clocked_task_list")

    assert not httpserver.log


def get_status(call: Call) -> Answer:
    return call("get_task_status", task_id=25)


def create_task(call: Call) -> Answer:
    return call("create_task", template_id=24, name="n")


def times_asked(server: HTTPServer, path: str) -> int:
    return [request.path for request, _ in server.log].count(path)


def error_of(function: Callable[[Call], Answer], call: Call) -> Any:
    with pytest.raises(SopsError) as caught:
        function(call)
    return caught.value


class TestRequestAndAnswer:
    def test_a_get_arrives_as_it_was_built(self, call: Call, httpserver: HTTPServer) -> None:
        httpserver.expect_oneshot_request(STATUS_PATH, method="GET").respond_with_json(OK)

        answer = call("get_task_status", task_id=25, keyword="a b&c/${x} 发布", fresh=True)

        ((request, _),) = httpserver.log
        assert answer.data == {"state": "RUNNING"}
        assert answer.trace_id == "ab12"
        assert request.args["keyword"] == "a b&c/${x} 发布"
        assert len(request.args["_nc"]) == 32
        assert json.loads(request.headers["X-Bkapi-Authorization"]) == {
            "bk_app_code": "airflow",
            "bk_app_secret": APP_SECRET,
            "bk_username": "admin",
        }
        assert request.headers["User-Agent"].startswith("airflow-provider-sops/")
        assert request.data == b""

    def test_a_post_arrives_as_it_was_built(self, call: Call, httpserver: HTTPServer) -> None:
        httpserver.expect_oneshot_request(CREATE_PATH, method="POST").respond_with_json(OK)

        call("create_task", template_id=24, name="发布", constants={"${n}": 3}, scope="project")

        ((request, _),) = httpserver.log
        assert request.headers["Content-Type"] == "application/json"
        assert request.json == {"name": "发布", "constants": {"${n}": 3}, "scope": "project"}

    def test_esb_gets_ids_among_the_parameters_and_credentials_in_a_header(
        self, call: Call, httpserver: HTTPServer, set_connection: SetConnection
    ) -> None:
        set_connection(httpserver.url_for(""), gateway="esb")
        httpserver.expect_oneshot_request("/api/c/compapi/v2/sops/get_task_status/").respond_with_json(OK)

        get_status(call)

        ((request, _),) = httpserver.log
        assert request.args.to_dict() == {"task_id": "25", "bk_biz_id": "2"}
        assert APP_SECRET in json.loads(request.headers["X-Bkapi-Authorization"]).values()

    def test_a_refusal_of_sops_is_an_error_with_the_ids_and_is_not_repeated(
        self, call: Call, httpserver: HTTPServer
    ) -> None:
        httpserver.expect_request(STATUS_PATH).respond_with_json(
            {"result": False, "code": 3545000, "message": "不行", "trace_id": "cd34"}
        )

        error = error_of(get_status, call)

        assert type(error) is SopsInvalidOperationError
        assert str(error).startswith("get_task_status (task_id 25, bk_biz_id 2): ")
        assert times_asked(httpserver, STATUS_PATH) == 1

    def test_redirects_are_not_followed(self, call: Call, httpserver: HTTPServer) -> None:
        httpserver.expect_request(STATUS_PATH).respond_with_data(
            status=302, headers={"Location": httpserver.url_for("/elsewhere/")}
        )
        httpserver.expect_request("/elsewhere/").respond_with_json(OK)

        error = error_of(get_status, call)

        assert type(error) is SopsGatewayError
        assert error.api_missing is True
        assert [request.path for request, _ in httpserver.log] == [STATUS_PATH]

    def test_cookies_of_the_server_are_not_sent_back(self, call: Call, httpserver: HTTPServer) -> None:
        httpserver.expect_request(STATUS_PATH).respond_with_json(
            {"result": False, "code": 1306201}, headers={"Set-Cookie": "session=1; Path=/"}
        )

        error_of(get_status, call)

        assert len(httpserver.log) > 1
        assert not any("Cookie" in request.headers for request, _ in httpserver.log)

    def test_a_netrc_of_the_user_is_not_used(
        self, call: Call, httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine {httpserver.host} login someone password else\n")
        monkeypatch.setenv("NETRC", str(netrc))
        httpserver.expect_oneshot_request(STATUS_PATH).respond_with_json(OK)

        get_status(call)

        assert "Authorization" not in httpserver.log[0][0].headers


class TestRepeats:
    def test_a_call_that_may_be_repeated_is_repeated_after_a_temporary_failure(
        self, call: Call, httpserver: HTTPServer
    ) -> None:
        httpserver.expect_ordered_request(STATUS_PATH).respond_with_json(BAD_GATEWAY, status=502)
        httpserver.expect_ordered_request(STATUS_PATH).respond_with_data("", status=503)
        httpserver.expect_ordered_request(STATUS_PATH).respond_with_data('{"result": tr')
        httpserver.expect_ordered_request(STATUS_PATH).respond_with_json(OK)

        assert get_status(call).data == {"state": "RUNNING"}

    def test_four_tries_are_all(self, call: Call, httpserver: HTTPServer) -> None:
        httpserver.expect_request(STATUS_PATH).respond_with_json(BAD_GATEWAY, status=502)

        error = error_of(get_status, call)

        assert type(error) is SopsGatewayError
        assert len(httpserver.log) == 4

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_a_creation_that_may_have_worked_is_never_sent_again(
        self, call: Call, httpserver: HTTPServer, status: int
    ) -> None:
        httpserver.expect_request(CREATE_PATH).respond_with_json(BAD_GATEWAY, status=status)

        error = error_of(create_task, call)

        assert error.outcome_unknown is True
        assert len(httpserver.log) == 1

    def test_an_error_that_is_not_temporary_is_not_repeated(self, call: Call, httpserver: HTTPServer) -> None:
        httpserver.expect_request(STATUS_PATH).respond_with_data("<html/>", status=500)

        error_of(get_status, call)

        assert times_asked(httpserver, STATUS_PATH) == 1

    @pytest.mark.parametrize(("act", "path"), [(get_status, STATUS_PATH), (create_task, CREATE_PATH)])
    def test_what_a_rate_limit_refused_was_not_executed_and_is_sent_again(
        self, call: Call, httpserver: HTTPServer, act: Callable[[Call], Answer], path: str
    ) -> None:
        httpserver.expect_ordered_request(path).respond_with_json(
            TOO_MANY, status=429, headers={"X-Bkapi-RateLimit-Reset": "0"}
        )
        httpserver.expect_ordered_request(path).respond_with_json(OK)

        assert act(call).data == {"state": "RUNNING"}

    def test_a_rate_limit_that_lasts_too_long_is_not_waited_for(self, call: Call, httpserver: HTTPServer) -> None:
        httpserver.expect_request(STATUS_PATH).respond_with_json(
            TOO_MANY, status=429, headers={"X-Bkapi-RateLimit-Reset": "3600"}
        )

        error = error_of(get_status, call)

        assert type(error) is SopsRateLimitError
        assert error.retry_after_seconds == 120
        assert len(httpserver.log) == 1


def reset(connection: socket.socket) -> None:
    """Close a connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    """Close a connection without an answer."""


def promise_more(connection: socket.socket) -> None:
    """Send less than announced."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b'{"result": true, "data": ')


def talk_nonsense(connection: socket.socket) -> None:
    """Send what is no HTTP."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


class TestLostConnections:
    @pytest.mark.parametrize("behave", [reset, hang_up, promise_more, talk_nonsense])
    def test_after_the_request_was_sent_nobody_knows_and_only_reads_are_repeated(
        self,
        call: Call,
        set_connection: SetConnection,
        raw_server: StartRawServer,
        behave: Callable[[socket.socket], None],
    ) -> None:
        server = raw_server(behave)
        set_connection(server.url)

        creation = error_of(create_task, call)
        read = error_of(get_status, call)

        assert type(creation) is type(read) is SopsConnectionError
        assert creation.outcome_unknown is read.outcome_unknown is True
        assert "the connection was lost before the answer was complete" in str(creation)
        sent = [received.split()[0] for received in server.requests]
        assert sent.count(b"POST") == 1
        # aiohttp sends a GET twice by itself in each of the four tries.
        assert sent.count(b"GET") in (4, 8)

    def test_silence_is_a_timeout_and_nobody_knows(
        self, call: Call, set_connection: SetConnection, raw_server: StartRawServer
    ) -> None:
        end_of_test = threading.Event()

        def say_nothing(_: socket.socket) -> None:
            end_of_test.wait(10)

        server = raw_server(say_nothing)
        set_connection(server.url, timeout_seconds=0.2)

        try:
            error = error_of(create_task, call)
        finally:
            end_of_test.set()

        assert type(error) is SopsConnectionError
        assert error.outcome_unknown is True
        assert f"{server.url}/prod/create_task/24/2/: no complete answer within 0.2 s" in str(error)
        assert "timeout_seconds" in str(error)

    def test_where_nobody_listens_nothing_was_sent(self, call: Call, set_connection: SetConnection) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        set_connection(f"http://127.0.0.1:{port}")

        error = error_of(create_task, call)

        assert type(error) is SopsConnectionError
        assert error.outcome_unknown is False
        assert "the connection was refused" in str(error)

    def test_a_server_that_takes_no_connection_is_a_timeout_and_nothing_was_sent(
        self, call: Call, set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection_fields, "CONNECT_SECONDS", 0.1)
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            # Linux answers no further connection once the queue of a listener is full.
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            set_connection(f"http://127.0.0.1:{listener.getsockname()[1]}")

            error = error_of(create_task, call)

        assert type(error) is SopsConnectionError
        assert error.outcome_unknown is False
        assert "no connection within 0.1 s" in str(error)
        assert "timeout_seconds" not in str(error)

    def test_a_name_that_does_not_exist(self, call: Call, set_connection: SetConnection) -> None:
        set_connection("https://sops.invalid")

        error = error_of(create_task, call)

        assert type(error) is SopsConnectionError
        assert error.outcome_unknown is False
        assert "https://sops.invalid/prod/create_task/24/2/: the host name cannot be resolved" in str(error)

    def test_secrets_in_the_url_of_esb_do_not_get_into_errors(
        self, call: Call, set_connection: SetConnection, raw_server: StartRawServer
    ) -> None:
        set_connection(raw_server(hang_up).url, gateway="esb", bk_token="t0ken")

        error = error_of(get_status, call)

        shown = f"{error} {error!r} {vars(error)} {error.__cause__} {error.__suppress_context__}"
        assert "s3cret" not in shown
        assert "t0ken" not in shown
        assert error.__suppress_context__ is True


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def running_tls_server(authority: trustme.CA) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with HTTPServer(host="127.0.0.1", port=0, ssl_context=context) as server:
        yield server


@pytest.fixture
def tls_server(running_tls_server: HTTPServer) -> HTTPServer:
    """An HTTPS server with a certificate for 127.0.0.1 that nobody trusts by itself."""
    running_tls_server.clear()
    running_tls_server.expect_request(STATUS_PATH).respond_with_json(OK)
    running_tls_server.expect_request(CREATE_PATH).respond_with_json(OK)
    return running_tls_server


class TestTls:
    def test_a_certificate_of_an_unknown_authority_is_refused_before_anything_is_sent(
        self, call: Call, tls_server: HTTPServer, set_connection: SetConnection
    ) -> None:
        set_connection(tls_server.url_for(""))

        error = error_of(create_task, call)

        assert type(error) is SopsConnectionError
        assert error.outcome_unknown is False
        assert "the TLS certificate was not accepted" in str(error)
        assert "'verify'" in str(error)
        assert not tls_server.log

    def test_the_authoritys_file_may_be_given(
        self, call: Call, tls_server: HTTPServer, set_connection: SetConnection, ca_file: Path
    ) -> None:
        set_connection(tls_server.url_for(""), verify=str(ca_file))

        assert get_status(call).data == {"state": "RUNNING"}

    def test_the_authoritys_file_may_be_in_the_environment(
        self,
        call: Call,
        tls_server: HTTPServer,
        set_connection: SetConnection,
        ca_file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        set_connection(tls_server.url_for(""))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))

        assert get_status(call).data == {"state": "RUNNING"}

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    def test_verification_can_be_switched_off_whatever_the_environment_says(
        self,
        call: Call,
        tls_server: HTTPServer,
        set_connection: SetConnection,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        set_connection(tls_server.url_for(""), verify=False)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")

        assert get_status(call).data == {"state": "RUNNING"}

    def test_a_file_that_is_not_there_is_named(
        self, call: Call, tls_server: HTTPServer, set_connection: SetConnection, tmp_path: Path
    ) -> None:
        set_connection(tls_server.url_for(""), verify=str(tmp_path / "nowhere.pem"))

        error = error_of(get_status, call)

        assert type(error) is SopsInvalidParameterError
        assert "'verify'" in str(error)

    def test_a_server_that_speaks_no_tls(
        self, call: Call, httpserver: HTTPServer, set_connection: SetConnection
    ) -> None:
        set_connection(httpserver.url_for("").replace("http://", "https://"))

        error = error_of(create_task, call)

        assert type(error) is SopsConnectionError
        assert error.outcome_unknown is False
        assert "TLS failed" in str(error)


class TestProxies:
    @pytest.fixture
    def proxy(self, raw_server: StartRawServer) -> RawServer:
        """A proxy that answers itself."""
        body = json.dumps(OK).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        return raw_server(lambda connection: connection.sendall(head + body))

    def test_the_proxy_of_the_connection_is_used(
        self, call: Call, set_connection: SetConnection, proxy: RawServer
    ) -> None:
        set_connection("http://sops.invalid", proxy=proxy.url)

        assert get_status(call).data == {"state": "RUNNING"}
        assert proxy.requests[0].startswith(b"GET http://sops.invalid/prod/get_task_status/25/2/ HTTP/1.1")

    def test_the_proxy_of_the_environment_is_used(
        self, call: Call, set_connection: SetConnection, proxy: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        set_connection("http://sops.invalid")

        assert get_status(call).data == {"state": "RUNNING"}

    def test_the_environment_may_except_the_server(
        self,
        call: Call,
        httpserver: HTTPServer,
        proxy: RawServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", httpserver.host)
        httpserver.expect_oneshot_request(STATUS_PATH).respond_with_json(OK)

        get_status(call)

        assert not proxy.requests

    def test_a_proxy_that_is_not_there(self, call: Call, set_connection: SetConnection) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        set_connection("http://sops.invalid", proxy=f"http://user:pr0xy@127.0.0.1:{port}")

        error = error_of(create_task, call)

        assert type(error) is SopsConnectionError
        assert error.outcome_unknown is False
        assert "the proxy cannot be used" in str(error)
        assert "pr0xy" not in str(error)

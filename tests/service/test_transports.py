"""What one exchange costs at most, whatever the server does; the blocking and the asynchronous transport alike."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from airflow_provider_sops.service.errors import (
    ConnectionFailedError,
    InvalidParameterError,
    TransportErrors,
    UnusableAnswerError,
)
from airflow_provider_sops.service.http import HttpRequest, HttpResponse
from airflow_provider_sops.service.settings import Limits, TransportSettings
from airflow_provider_sops.service.transport import _TimedHttpConnection, new_session, send
from airflow_provider_sops.service.transport_async import AsyncTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from tests.raw_server import RawServer

    Exchange = Callable[..., HttpResponse]

pytest_plugins = ("tests.raw_server",)

ERRORS = TransportErrors(ConnectionFailedError, UnusableAnswerError, InvalidParameterError)
SHORT = Limits(total_seconds=0.3, largest_answer_bytes=1024**2)
LONG = Limits(total_seconds=30, largest_answer_bytes=1024**2)
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine's own plays a part."""
    monkeypatch.setenv("NO_PROXY", "*")


def request_to(url: str) -> HttpRequest:
    return HttpRequest("get_task_list", "GET", f"{url}/tasks?token=s3cret", {}, None, True, {"bk_biz_id": "2"})


def blocking(url: str, limits: Limits, **settings: Any) -> HttpResponse:
    with new_session() as session:
        return send(session, request_to(url), TransportSettings(url, ERRORS, **settings), limits)


def asynchronous(url: str, limits: Limits, **settings: Any) -> HttpResponse:
    async def exchange() -> HttpResponse:
        async with AsyncTransport(TransportSettings(url, ERRORS, **settings)) as transport:
            return await transport.send(request_to(url), limits, lambda response: response)

    return asyncio.run(exchange())


@pytest.fixture(params=[blocking, asynchronous])
def exchange(request: pytest.FixtureRequest) -> Exchange:
    """Send a request to an address, in both ways."""
    way: Exchange = request.param
    return way


@pytest.fixture
def end_of_test() -> Iterator[threading.Event]:
    """Set when the test is over, so that servers can stop."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def trickle(end_of_test: threading.Event) -> Callable[[bytes, bytes], Callable[[socket.socket], None]]:
    """A server's behaviour: say one thing at once, then another one byte by byte, again and again, for ten seconds."""

    def behaviour(at_once: bytes, slowly: bytes) -> Callable[[socket.socket], None]:
        def behave(connection: socket.socket) -> None:
            connection.sendall(at_once)
            for number in range(500):
                if end_of_test.wait(0.02):
                    return
                start = number % len(slowly)
                connection.sendall(slowly[start : start + 1])

        return behave

    return behaviour


class TestTotalTime:
    @pytest.mark.parametrize(
        ("at_once", "slowly"),
        [
            (b"", HEAD),
            (HEAD, b"X-Never-Ending: yes\r\n"),
            (HEAD + b"Content-Length: 5000\r\n\r\n", b"{"),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
            (HEAD + b"\r\n", b"until the connection ends "),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ],
        ids=["status line", "headers", "body", "chunks", "body without length", "continue"],
    )
    def test_a_server_that_is_never_silent_and_never_done_is_left(
        self, exchange: Exchange, raw_server: Callable[..., RawServer], trickle: Any, at_once: bytes, slowly: bytes
    ) -> None:
        server = raw_server(trickle(at_once, slowly))

        with pytest.raises(ConnectionFailedError, match=r"/tasks: no complete answer within 0\.3 s") as caught:
            exchange(server.url, SHORT)

        assert caught.value.outcome_unknown is True
        assert caught.value.temporary is True
        assert "s3cret" not in str(caught.value)

    def test_so_it_is_over_tls(
        self, exchange: Exchange, raw_server: Callable[..., RawServer], trickle: Any, tmp_path: Any
    ) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        server = raw_server(trickle(HEAD + b"Content-Length: 5000\r\n\r\n", b"{"), tls=tls)

        with pytest.raises(ConnectionFailedError, match=r"no complete answer within 1 s"):
            exchange(server.url, Limits(total_seconds=1), verify=str(tmp_path / "ca.pem"))

    def test_so_it_is_through_a_proxy(
        self, exchange: Exchange, raw_server: Callable[..., RawServer], trickle: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("NO_PROXY")
        proxy = raw_server(trickle(HEAD, b"X-Never-Ending: yes\r\n"))

        with pytest.raises(ConnectionFailedError, match=r"no complete answer within 0\.3 s"):
            exchange("http://sops.invalid", SHORT, proxy=proxy.url)

    def test_silence_is_no_answer_either(
        self, exchange: Exchange, raw_server: Callable[..., RawServer], end_of_test: threading.Event
    ) -> None:
        server = raw_server(lambda connection: end_of_test.wait(10))

        with pytest.raises(ConnectionFailedError, match=r"no complete answer within 0\.3 s"):
            exchange(server.url, SHORT)

    def test_a_server_that_leaves_the_tls_handshake_unanswered_has_read_no_request(
        self, exchange: Exchange, raw_server: Callable[..., RawServer], end_of_test: threading.Event
    ) -> None:
        """So do servers of plain HTTP that wait for the end of a line."""
        server = raw_server(lambda connection: end_of_test.wait(10))
        limits = Limits(total_seconds=10, largest_answer_bytes=1024, connect_seconds=0.3)

        with pytest.raises(ConnectionFailedError, match=r"connection within 0\.3 s; https was tried") as caught:
            exchange(server.url.replace("http:", "https:"), limits)

        assert caught.value.outcome_unknown is False

    def test_a_slow_answer_within_the_time_is_an_answer(
        self, exchange: Exchange, raw_server: Callable[..., RawServer], end_of_test: threading.Event
    ) -> None:
        def behave(connection: socket.socket) -> None:
            for byte in HEAD + b"Content-Length: 2\r\n\r\n{}":
                connection.sendall(bytes([byte]))
                end_of_test.wait(0.001)

        assert exchange(raw_server(behave).url, LONG).body == b"{}"

    def test_a_connection_that_is_used_again_gets_its_time_back(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            connection = _TimedHttpConnection("sops.invalid", timeout=5.0)
            connection.sock = ours
            ours.settimeout(0.001)

            connection.send(b"GET / HTTP/1.1\r\n")

            assert ours.gettimeout() == 5.0
            connection.sock = None


class TestLargestAnswer:
    @pytest.mark.parametrize(
        ("head", "piece"),
        [
            (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 0x10000 + b"\r\n"),
            (b"Connection: close\r\n\r\n", b"x" * 0x10000),
            (b"Content-Length: 99999999\r\n\r\n", b"x" * 0x10000),
        ],
        ids=["endless chunks", "endless body", "a length that is announced"],
    )
    def test_a_larger_one_is_not_read_to_its_end(
        self,
        exchange: Exchange,
        raw_server: Callable[..., RawServer],
        end_of_test: threading.Event,
        head: bytes,
        piece: bytes,
    ) -> None:
        def behave(connection: socket.socket) -> None:
            connection.sendall(HEAD + head)
            while not end_of_test.is_set():
                connection.sendall(piece)

        with pytest.raises(UnusableAnswerError, match="/tasks: the answer is larger than 1 MiB") as caught:
            exchange(raw_server(behave).url, LONG)

        assert caught.value.outcome_unknown is True
        assert caught.value.temporary is False
        assert caught.value.http_status == 200

    def test_a_small_one_that_unpacks_to_a_large_one_is_not_unpacked(
        self, exchange: Exchange, raw_server: Callable[..., RawServer]
    ) -> None:
        bomb = gzip.compress(bytes(20 * 1024**2))
        head = f"Content-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
        server = raw_server(lambda connection: connection.sendall(HEAD + head + bomb))

        with pytest.raises(UnusableAnswerError, match="the answer is larger than 1 MiB"):
            exchange(server.url, LONG)

    def test_one_of_just_the_size_is_read(self, exchange: Exchange, raw_server: Callable[..., RawServer]) -> None:
        body = gzip.compress(b"x" * 1024**2)
        head = f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        server = raw_server(lambda connection: connection.sendall(HEAD + head + body))

        assert exchange(server.url, LONG).body == b"x" * 1024**2

    def test_a_compression_that_was_not_asked_for_is_named(
        self, exchange: Exchange, raw_server: Callable[..., RawServer]
    ) -> None:
        answer = HEAD + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}"
        server = raw_server(lambda connection: connection.sendall(answer))

        with pytest.raises(UnusableAnswerError, match=r"unexpected Content-Encoding \(br\)"):
            exchange(server.url, LONG)

        assert b"Accept-Encoding: gzip\r\n" in server.requests[0]


class TestBigAnswers:
    BIG, SMALL = b" " * 700_000 + b"{}", b"{}"

    @staticmethod
    def serving(raw_server: Callable[..., RawServer], body: bytes) -> RawServer:
        head = HEAD + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        return raw_server(lambda connection: connection.sendall(head + body))

    @pytest.mark.parametrize(("body", "in_thread"), [(BIG, True), (SMALL, False)])
    def test_are_read_in_a_thread_without_the_garbage_collector(
        self, raw_server: Callable[..., RawServer], body: bytes, in_thread: bool
    ) -> None:
        server = self.serving(raw_server, body)

        async def exchange() -> tuple[int, bool]:
            async with AsyncTransport(TransportSettings(server.url, ERRORS)) as transport:
                return await transport.send(
                    request_to(server.url), LONG, lambda _response: (threading.get_ident(), gc.isenabled())
                )

        thread, is_collected = asyncio.run(exchange())
        assert (thread != threading.get_ident()) == in_thread
        assert is_collected != in_thread
        assert gc.isenabled()

    def test_an_error_in_one_does_not_keep_it(self, raw_server: Callable[..., RawServer]) -> None:
        server = self.serving(raw_server, self.BIG)

        def refuse(response: HttpResponse) -> None:
            raise UnusableAnswerError(f"{len(response.body)} bytes")

        async def exchange() -> None:
            async with AsyncTransport(TransportSettings(server.url, ERRORS)) as transport:
                await transport.send(request_to(server.url), LONG, refuse)

        with pytest.raises(UnusableAnswerError, match="700002 bytes") as caught:
            asyncio.run(exchange())

        frames = [frame.tb_frame.f_locals for frame in _frames_of(caught.value.__traceback__)]
        assert not any(isinstance(value, HttpResponse) for names in frames for value in names.values())


def _frames_of(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def test_cookies_do_not_fill_a_session(raw_server: Callable[..., RawServer]) -> None:
    answer = HEAD + b"Set-Cookie: a=1; Path=/\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    server = raw_server(lambda connection: connection.sendall(answer))

    with new_session() as session:
        send(session, request_to(server.url), TransportSettings(server.url, ERRORS), LONG)

        assert not list(session.cookies)

"""A server on loopback that answers as it is told to, below HTTP if need be; each connection has its own thread."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_HEAD_LIMIT = 1024**2
_JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    head: bytes
    body: bytes

    @property
    def target(self) -> str:
        """The path and the query."""
        return self.head.split(b" ", 2)[1].decode()

    @property
    def api(self) -> str:
        """The call's name: the second part of the path at an API gateway of SOPS."""
        parts = self.target.partition("?")[0].strip("/").split("/")
        return parts[1] if len(parts) > 1 else parts[0]

    @property
    def task_ids(self) -> list[int]:
        """The SOPS tasks that it is about."""
        if self.api == "get_tasks_status":
            return list(json.loads(self.body)["task_id_list"])
        numbers = [part for part in self.target.partition("?")[0].split("/") if part.isdigit()]
        return [int(numbers[0])] if numbers else []


@dataclass
class Exchange:
    """One connection, after its request was read."""

    connection: socket.socket
    request: Request
    over: threading.Event

    def say(self, *pieces: bytes) -> None:
        """Send at once."""
        for piece in pieces:
            self.connection.sendall(piece)

    def drip(self, text: bytes, *, pause_seconds: float = 0.02) -> None:
        """Send byte by byte, again and again, until the client has left or the test is over."""
        while True:
            for number in range(len(text)):
                if self.over.wait(pause_seconds):
                    return
                self.connection.sendall(text[number : number + 1])

    def flood(self, piece: bytes) -> None:
        """Send as fast as the client reads, until it has left or the test is over."""
        block = piece * max(1, 65536 // len(piece))
        while not self.over.is_set():
            self.connection.sendall(block)

    def keep_silent(self) -> None:
        """Send nothing until the client has left or the test is over."""
        while not self.over.wait(0.02):
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1):
                    return

    def reset(self) -> None:
        """End the connection in the rudest way."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(body: bytes, *, status: str = "200 OK", **headers: str) -> Callable[[Exchange], None]:
    """Return the behaviour of a well-mannered server.

    :param headers: more of them, ``-`` written as ``_``.
    """
    given = {"Content_Type": _JSON, "Content_Length": str(len(body)), "Connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())

    def behave(exchange: Exchange) -> None:
        exchange.say(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1"), body)

    return behave


def sops_answer(data: Any, **more: Any) -> Callable[[Exchange], None]:
    """Return the behaviour of a SOPS that has carried out the call."""
    return answer(json.dumps({"result": True, "code": 0, "data": data, **more}).encode())


@dataclass
class HostileServer:
    """The server; a context manager.

    :param behave: answers one request; may be changed at any time.
    """

    behave: Callable[[Exchange], None]
    requests: list[Request] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _listener: socket.socket | None = None

    def __enter__(self) -> HostileServer:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def url(self) -> str:
        """Its address."""
        assert self._listener is not None
        return "http://{}:{}".format(*self._listener.getsockname())

    def asked(self, api: str) -> list[Request]:
        """Return the requests for one call."""
        return [request for request in self.requests if request.api == api]

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            request = _read_request(connection)
            if request is None:
                return
            self.requests.append(request)
            connection.settimeout(0.2)
            self.behave(Exchange(connection, request, self._over))


@contextlib.contextmanager
def serving(behave: Callable[[Exchange], None]) -> Iterator[HostileServer]:
    """Serve for the duration of a block."""
    with HostileServer(behave) as server:
        yield server


def by_call(answers: Mapping[str, Callable[[Exchange], None]], otherwise: Any = None) -> Callable[[Exchange], None]:
    """Return the behaviour of a server that answers each call in its own way."""

    def behave(exchange: Exchange) -> None:
        answers.get(exchange.request.api, otherwise or answer(b"{}", status="404 Not Found"))(exchange)

    return behave


def _read_request(connection: socket.socket) -> Request | None:
    """Return a request; ``None`` if the client has left before it was complete."""
    received = b""
    while b"\r\n\r\n" not in received and len(received) < _HEAD_LIMIT and (piece := connection.recv(65536)):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (piece := connection.recv(missing)):
        body, missing = body + piece, missing - len(piece)
    return Request(head, body) if b"\r\n\r\n" in received and missing <= 0 else None

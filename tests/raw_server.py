"""A server that misbehaves below HTTP; a module has it by ``pytest_plugins = ("tests.raw_server",)``."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


@dataclass
class RawServer:
    """A TCP server whose behaviour is a function of the connection; ``requests`` keeps what was received."""

    address: tuple[str, int]
    requests: list[bytes] = field(default_factory=list)
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://{self.address[0]}:{self.address[1]}"


@pytest.fixture
def raw_server() -> Iterator[Callable[..., RawServer]]:
    """Start a server: ``raw_server(behave)``, where ``behave`` gets each connection after its request was read.

    With ``tls=`` the connections are encrypted.
    """
    with contextlib.ExitStack() as stack:

        def start(behave: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> RawServer:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = RawServer(listener.getsockname(), scheme="https" if tls else "http")

            def serve() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    if tls is not None:
                        connection = tls.wrap_socket(connection, server_side=True)
                    with connection, contextlib.suppress(OSError):
                        server.requests.append(_read_request(connection))
                        behave(connection)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return server

        yield start


def _read_request(connection: socket.socket) -> bytes:
    """Return a whole request: a connection that is closed before all of it was read is reset, and the answer lost."""
    received = b""
    while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (piece := connection.recv(missing)):
        received, missing = received + piece, missing - len(piece)
    return received

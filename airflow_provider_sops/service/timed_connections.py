"""Connections for requests that limit the time of the whole answer, not only of each read.

``urllib3`` sets the socket's timeout to what is left of the total when it starts to wait for the answer, and then
allows that time for every single read: a server that sends a byte now and then never times out. Here each read gets
only what is left at that moment, in headers and body, over plain HTTP, TLS and proxies.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket

    from requests import PreparedRequest, Response
    from urllib3 import PoolManager


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline.

    :param raw: the socket's own reader.
    :param seconds: the time left, from now.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time limit for the whole answer has passed")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        seconds = sock.gettimeout()
        if seconds is not None:
            self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, seconds))


class _Timed(http.client.HTTPConnection):
    response_class = _TimedResponse

    def send(self, data: Any) -> None:
        """Reset the timeout of a reused connection; its last answer left little of it."""
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        super().send(data)


class _TimedHttpConnection(_Timed, HTTPConnection):
    pass


class _TimedHttpsConnection(_Timed, HTTPSConnection):
    pass


class _TimedHttpPool(HTTPConnectionPool):
    ConnectionCls = _TimedHttpConnection


class _TimedHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHttpsConnection


class TimedAdapter(HTTPAdapter):
    """An adapter for requests that uses these connections, except through a SOCKS proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _use_timed_pools(self.poolmanager)

    def send(
        self, request: PreparedRequest, stream: bool = False, timeout: Any = None, *args: Any, **kwargs: Any
    ) -> Response:
        """Send a request; the second of two timeouts covers everything from connecting to the last byte."""
        if isinstance(timeout, tuple):
            connect_seconds, total_seconds = timeout
            timeout = Timeout(connect=connect_seconds, total=total_seconds)
        return super().send(request, stream, timeout, *args, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            _use_timed_pools(manager)
        return manager


def _use_timed_pools(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _TimedHttpPool, "https": _TimedHttpsPool}

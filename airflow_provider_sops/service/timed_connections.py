"""Connections of requests that bound the time of a whole answer, not only that of each silence in it.

``urllib3`` gives a socket the time that is left of a request's total when it begins to wait for the answer, and then
allows that time for every single read: a server that sends a byte now and then is never done. Here each read gets what
is left of it at that moment, in the headers as in the body, over plain HTTP, TLS and proxies alike.
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
    :param seconds: the time from now on.
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
            raise TimeoutError("the time for the whole answer is over")
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
        """Give a connection that is used again its time back; its last answer has left it little."""
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
    """The adapter of requests, over such connections. A SOCKS proxy of the environment has connections of its own."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _use_timed_pools(self.poolmanager)

    def send(
        self, request: PreparedRequest, stream: bool = False, timeout: Any = None, *args: Any, **kwargs: Any
    ) -> Response:
        """Send a request; of a pair of timeouts the second one is for the whole answer, connecting included."""
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

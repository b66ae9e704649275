"""Send one request with requests and explain what went wrong. Independent of the service.

Redirects are not followed, cookies are not kept, credentials from a ``.netrc`` are not sent. The DNS lookup takes as
long as the resolver takes; everything after it counts towards the total time.
"""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import io
import time
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3 import exceptions as urllib3_errors
from urllib3.connection import HTTPConnection, HTTPSConnection

from airflow_provider_sops.service.failures import (
    connection_error,
    is_tls_handshake_failure,
    not_http,
    unusable_answer,
)
from airflow_provider_sops.service.http import ACCEPTED_ENCODING, BodyCollector, BodyError, HttpResponse
from airflow_provider_sops.service.query_filter import keep_queries_out_of_logs

if TYPE_CHECKING:
    import socket

    from requests import PreparedRequest, Response
    from urllib3 import PoolManager

    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.service.http import HttpRequest
    from airflow_provider_sops.service.settings import Limits, TransportSettings


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
    #: Python prints whole requests, credentials among them, if somebody sets this for all connections.
    debuglevel = 0

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


_PIECE_BYTES = 64 * 1024


def new_session() -> requests.Session:
    """Return a session whose connections respect the total time of ``send``."""
    session = requests.Session()
    # A server could fill the session with cookies; they are never sent anyway.
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
    adapter = TimedAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def send(session: requests.Session, request: HttpRequest, settings: TransportSettings, limits: Limits) -> HttpResponse:
    """Send a request once.

    :param session: from ``new_session``.
    :raises ServiceError: one of ``settings.errors``: no usable answer came within the limits, or the address, the proxy
        or the CA file is invalid.
    """
    keep_queries_out_of_logs()
    try:
        # Prepared without the session: no cookies, and no credentials from a .netrc.
        headers = {"Accept-Encoding": ACCEPTED_ENCODING, **request.headers}
        prepared = requests.Request(request.method, request.url, headers=headers, data=request.body).prepare()
        environment = session.merge_environment_settings(request.url, settings.proxies, True, settings.verify, None)
        timeout = (limits.connect_seconds, limits.total_seconds)
        received = session.send(prepared, timeout=timeout, allow_redirects=False, **environment)
        with contextlib.closing(received):
            return HttpResponse(received.status_code, received.headers, _read_body(received, limits))
    except BodyError as error:
        raise unusable_answer(settings.errors, request, error, received.status_code) from None
    except (requests.exceptions.RequestException, urllib3_errors.HTTPError) as error:
        raise _failure(request, error, settings, limits) from None
    except OSError:
        raise settings.errors.invalid_parameter(
            "extra 'verify' must be a file or folder of CA certificates", api=request.api
        ) from None
    except Exception as error:  # noqa: BLE001 - the libraries stumble over some answers, for example a negative length
        failed = settings.errors.connection_failed
        raise connection_error(failed, request, error, request_sent=True, reason=not_http(error)) from None


def _read_body(received: requests.Response, limits: Limits) -> bytearray:
    encoding = received.headers.get("Content-Encoding")
    with contextlib.closing(BodyCollector(encoding, limits.largest_answer_bytes)) as body:
        while piece := received.raw.read(_PIECE_BYTES, decode_content=False):
            body.add(piece)
        return body.content()


def _failure(request: HttpRequest, error: Exception, settings: TransportSettings, limits: Limits) -> ServiceError:
    """Return the error for what requests raised. Its own text and traceback may show the URL with its secrets."""
    known = requests.exceptions
    failed = settings.errors.connection_failed
    if isinstance(error, (known.InvalidURL, known.InvalidHeader, known.InvalidProxyURL)):
        return settings.errors.invalid_parameter(
            f"{request.shown_url}: the address or the proxy is malformed", api=request.api
        )
    if isinstance(error, known.ConnectTimeout):
        reason = f"no connection within {limits.connect_seconds:g} s"
        return connection_error(failed, request, error, request_sent=False, reason=reason)
    if isinstance(error, known.Timeout) and is_tls_handshake_failure(error):
        reason = f"no TLS connection within {limits.connect_seconds:g} s"
        return connection_error(failed, request, error, request_sent=False, reason=reason)
    if isinstance(error, (known.ReadTimeout, urllib3_errors.ReadTimeoutError)):
        reason = f"no complete answer within {limits.total_seconds:g} s"
        return connection_error(failed, request, error, request_sent=True, reason=reason)
    if isinstance(error, known.ProxyError):
        return connection_error(failed, request, error, request_sent=False, reason="the proxy cannot be used")
    return connection_error(failed, request, error, request_sent=not _never_sent(error))


def _never_sent(error: Exception) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        return is_tls_handshake_failure(error)
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, urllib3_errors.NewConnectionError)

"""Send one request with aiohttp and explain what went wrong. Independent of the service.

Redirects are not followed and cookies are not kept. Never imported by a DAG file: importing aiohttp is slow.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

import aiohttp
import requests
from yarl import URL

from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.service.failures import (
    connection_error,
    is_tls_handshake_failure,
    not_http,
    unusable_answer,
)
from airflow_provider_sops.service.http import ACCEPTED_ENCODING, BodyCollector, BodyError, HttpResponse
from airflow_provider_sops.service.query_filter import keep_queries_out_of_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.service.http import HttpRequest
    from airflow_provider_sops.service.settings import Limits, TransportSettings

_PIECE_BYTES = 64 * 1024
#: Reading a larger answer takes so long that the event loop must not wait for it.
_BIG_BYTES = 512 * 1024
#: Of larger ones an event loop has one at a time, whichever server sends it.
_HUGE_BYTES = 2 * 1024**2

T = TypeVar("T")

#: One thread for all big answers of the process, one after another.
_reader = ThreadPoolExecutor(1, thread_name_prefix="big-answers")


class AsyncTransport:
    """One HTTP session of aiohttp. An asynchronous context manager.

    :param settings: how to reach the service.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None
        self._one_big_answer = asyncio.Lock()

    async def __aenter__(self) -> AsyncTransport:
        keep_queries_out_of_logs()
        # Reads certificates, and perhaps system settings, from disk.
        self._proxy, tls = await asyncio.to_thread(_read_environment, self._settings)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            # BodyCollector decompresses within the limit.
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, request: HttpRequest, limits: Limits, read: Callable[[HttpResponse], T]) -> T:
        """Send a request once and read the answer; raises as the blocking ``send`` does.

        A big answer takes several times its size in memory, and long to read: only one at a time is received from a
        server, and it is read in a thread.

        :param read: reads the answer; what it raises is passed on.
        """
        async with contextlib.AsyncExitStack() as turn:
            response = await self._receive(request, limits, turn)
            if len(response.body) <= _BIG_BYTES:
                return read(response)
            reading = asyncio.get_running_loop().run_in_executor(_reader, _read_big, read, response)
            del response
            return await reading

    async def _receive(self, request: HttpRequest, limits: Limits, turn: contextlib.AsyncExitStack) -> HttpResponse:
        """Return the answer.

        :param turn: holds this request's turn to have a big answer.
        """
        if self._session is None:
            raise RuntimeError("AsyncTransport is a context manager: use it with `async with`")
        turns = [(_BIG_BYTES, self._one_big_answer), (_HUGE_BYTES, _one_huge_answer())]
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers={"Accept-Encoding": ACCEPTED_ENCODING, **request.headers},
                data=request.body,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(total=limits.total_seconds, sock_connect=limits.connect_seconds),
            ) as received:
                encoding = received.headers.get("Content-Encoding")
                with contextlib.closing(BodyCollector(encoding, limits.largest_answer_bytes)) as body:
                    async for piece in received.content.iter_chunked(_PIECE_BYTES):
                        body.add(piece)
                        while turns and body.size > turns[0][0]:
                            await turn.enter_async_context(turns.pop(0)[1])
                    return HttpResponse(received.status, received.headers, body.content())
        except BodyError as error:
            raise unusable_answer(self._settings.errors, request, error, received.status) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failure(request, error, limits) from None
        except Exception as error:  # noqa: BLE001 - as in the blocking transport
            failed = self._settings.errors.connection_failed
            raise connection_error(failed, request, error, request_sent=True, reason=not_http(error)) from None

    def _failure(self, request: HttpRequest, error: Exception, limits: Limits) -> ServiceError:
        """Return the error for what aiohttp raised. Its own text may show the URL with its secrets."""
        failed = self._settings.errors.connection_failed
        if isinstance(error, aiohttp.InvalidURL):
            return self._settings.errors.invalid_parameter(
                f"{request.shown_url}: the address or the proxy is malformed", api=request.api
            )
        if isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
            return connection_error(failed, request, error, request_sent=False, reason="the proxy cannot be used")
        if isinstance(error, aiohttp.ClientConnectorError):
            return connection_error(failed, request, error, request_sent=False)
        if isinstance(error, _CONNECT_TIMEOUT):
            reason = f"no connection within {limits.connect_seconds:g} s"
            return connection_error(failed, request, error, request_sent=False, reason=reason)
        if isinstance(error, TimeoutError):
            reason = f"no complete answer within {limits.total_seconds:g} s"
            return connection_error(failed, request, error, request_sent=True, reason=reason)
        return connection_error(failed, request, error, request_sent=not is_tls_handshake_failure(error))


#: aiohttp before 3.10 does not distinguish this timeout from the other.
_CONNECT_TIMEOUT: tuple[type[Exception], ...] = tuple(filter(None, [getattr(aiohttp, "ConnectionTimeoutError", None)]))


_huge_answers: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def _one_huge_answer() -> asyncio.Lock:
    return _huge_answers.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def _read_big(read: Callable[[HttpResponse], T], response: HttpResponse) -> T:
    """Read an answer without the garbage collector, which would stop all threads again and again.

    An error is raised without its traceback, which would keep the whole answer for as long as somebody keeps the error.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return read(response)
    except ServiceError as error:
        raise error.with_traceback(None) from None
    finally:
        del response
        if was_enabled:
            gc.enable()


def _read_environment(settings: TransportSettings) -> tuple[str | None, ssl.SSLContext | bool]:
    """Return the proxy and TLS settings of the connection, completed from the environment as requests does it."""
    with requests.Session() as session:
        found = session.merge_environment_settings(settings.root, settings.proxies, False, settings.verify, None)
    proxy = requests.utils.select_proxy(settings.root, found["proxies"])
    verify = found["verify"]
    if verify is False:
        return proxy, False
    place = requests.utils.DEFAULT_CA_BUNDLE_PATH if verify is True else str(verify)
    try:
        folder = Path(place).is_dir()
        return proxy, ssl.create_default_context(cafile=None if folder else place, capath=place if folder else None)
    except OSError:
        raise settings.errors.invalid_parameter(
            f"extra 'verify' must be a file or folder of CA certificates: {place}"
        ) from None

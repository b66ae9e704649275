"""Send one request with aiohttp and explain what went wrong. Independent of the service.

Redirects are not followed and cookies are not kept. Never imported by a DAG file: importing aiohttp is slow.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import requests
from yarl import URL

from airflow_provider_sops.service.failures import connection_error, is_tls_handshake_failure, unusable_answer
from airflow_provider_sops.service.http import ACCEPTED_ENCODING, BodyCollector, BodyError, HttpResponse
from airflow_provider_sops.service.query_filter import keep_queries_out_of_logs

if TYPE_CHECKING:
    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.service.http import HttpRequest
    from airflow_provider_sops.service.settings import Limits, TransportSettings

_PIECE_BYTES = 64 * 1024


class AsyncTransport:
    """One HTTP session of aiohttp. An asynchronous context manager.

    :param settings: how to reach the service.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None

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

    async def send(self, request: HttpRequest, limits: Limits) -> HttpResponse:
        """Send a request once; raises as the blocking ``send`` does."""
        if self._session is None:
            raise RuntimeError("AsyncTransport is a context manager: use it with `async with`")
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
                body = BodyCollector(received.headers.get("Content-Encoding"), limits.largest_answer_bytes)
                async for piece in received.content.iter_chunked(_PIECE_BYTES):
                    body.add(piece)
        except BodyError as error:
            raise unusable_answer(self._settings.errors, request, error, received.status) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failure(request, error, limits) from None
        return HttpResponse(received.status, received.headers, body.content())

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

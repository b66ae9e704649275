"""Sending one request with aiohttp, and saying what went wrong on the way. Knows no service.

Redirects are not followed and cookies are not kept. Never imported by a DAG file: aiohttp takes long to import.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import requests
from yarl import URL

from airflow_provider_sops.hooks.failures import connection_error, is_tls_handshake_failure
from airflow_provider_sops.hooks.query_filter import keep_queries_out_of_logs
from airflow_provider_sops.sops.answer import HttpResponse
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.transport import TransportSettings
    from airflow_provider_sops.sops.gateway import HttpRequest


class AsyncTransport:
    """One HTTP session of aiohttp. An asynchronous context manager.

    :param settings: what is to be observed on the way.
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
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=self._settings.connect_seconds,
                sock_read=self._settings.silence_seconds,
            ),
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request once; raises as the blocking ``send`` does."""
        if self._session is None:
            raise RuntimeError("AsyncTransport is a context manager: use it with `async with`")
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                proxy=self._proxy,
            ) as received:
                body = await received.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failure(request, error) from None
        return HttpResponse(received.status, received.headers, body)

    def _failure(self, request: HttpRequest, error: Exception) -> Exception:
        """Return the error for what aiohttp raised. Its own text may show the URL with its secrets."""
        if isinstance(error, aiohttp.InvalidURL):
            return SopsInvalidParameterError(f"{request.shown_url}: the address or the proxy is malformed")
        if isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
            return connection_error(request, error, request_sent=False, reason="the proxy cannot be used")
        if isinstance(error, aiohttp.ClientConnectorError):
            return connection_error(request, error, request_sent=False)
        if isinstance(error, _CONNECT_TIMEOUT):
            reason = f"no connection within {self._settings.connect_seconds:g} s"
            return connection_error(request, error, request_sent=False, reason=reason)
        if isinstance(error, TimeoutError):
            reason = f"no answer within {self._settings.silence_seconds:g} s"
            return connection_error(request, error, request_sent=True, reason=reason)
        return connection_error(request, error, request_sent=not is_tls_handshake_failure(error))


#: aiohttp before 3.10 does not tell this timeout from the other.
_CONNECT_TIMEOUT: tuple[type[Exception], ...] = tuple(filter(None, [getattr(aiohttp, "ConnectionTimeoutError", None)]))


def _read_environment(settings: TransportSettings) -> tuple[str | None, ssl.SSLContext | bool]:
    """Return the proxy and the TLS settings, from the connection and as requests would find them around it."""
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
        raise SopsInvalidParameterError(f"extra 'verify' names no file or folder of CA certificates: {place}") from None

"""Sending one request with requests, and saying what went wrong on the way. Knows no service.

Redirects are not followed, cookies are not kept, credentials out of a ``.netrc`` are not sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from airflow_provider_sops.hooks.failures import connection_error, is_tls_handshake_failure
from airflow_provider_sops.hooks.query_filter import keep_queries_out_of_logs
from airflow_provider_sops.sops.answer import HttpResponse
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from airflow_provider_sops.sops.gateway import HttpRequest


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """What is to be observed on the way.

    :param root: the gateway's address.
    :param verify: whether to verify TLS certificates, or the file or folder of the CA certificates to do it with.
    :param proxy: address of an HTTP proxy; ``None``: what the environment says.
    :param connect_seconds: how long a connection may take to come about.
    :param silence_seconds: how long the server may be silent before its answer counts as lost.
    """

    root: str
    verify: bool | str
    proxy: str | None = field(repr=False)
    connect_seconds: float
    silence_seconds: float

    @property
    def proxies(self) -> dict[str, str]:
        """The proxy by scheme, as requests takes it."""
        return {"http": self.proxy, "https": self.proxy} if self.proxy else {}


def send(session: requests.Session, request: HttpRequest, settings: TransportSettings) -> HttpResponse:
    """Send a request once.

    :raises SopsConnectionError: no usable answer came; whatever the service, the hook gives it its own class.
    :raises SopsInvalidParameterError: the address, the proxy or the CA file is none.
    """
    keep_queries_out_of_logs()
    try:
        # Prepared apart from the session: no cookies, and no credentials out of a .netrc.
        prepared = requests.Request(
            request.method, request.url, headers=dict(request.headers), data=request.body
        ).prepare()
        environment = session.merge_environment_settings(request.url, settings.proxies, False, settings.verify, None)
        timeouts = (settings.connect_seconds, settings.silence_seconds)
        received = session.send(prepared, timeout=timeouts, allow_redirects=False, **environment)
    except requests.exceptions.RequestException as error:
        raise _failure(request, error, settings) from None
    except OSError:
        raise SopsInvalidParameterError("extra 'verify' names no file or folder of CA certificates") from None
    return HttpResponse(received.status_code, received.headers, received.content)


def _failure(request: HttpRequest, error: Exception, settings: TransportSettings) -> Exception:
    """Return the error for what requests raised. Its own text and traceback may show the URL with its secrets."""
    known = requests.exceptions
    if isinstance(error, (known.InvalidURL, known.InvalidHeader, known.InvalidProxyURL)):
        return SopsInvalidParameterError(f"{request.shown_url}: the address or the proxy is malformed")
    if isinstance(error, known.ConnectTimeout):
        reason = f"no connection within {settings.connect_seconds:g} s"
        return connection_error(request, error, request_sent=False, reason=reason)
    if isinstance(error, known.ReadTimeout):
        reason = f"no answer within {settings.silence_seconds:g} s"
        return connection_error(request, error, request_sent=True, reason=reason)
    if isinstance(error, known.ProxyError):
        return connection_error(request, error, request_sent=False, reason="the proxy cannot be used")
    return connection_error(request, error, request_sent=not _never_sent(error))


def _never_sent(error: Exception) -> bool:
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, requests.exceptions.SSLError):
        return is_tls_handshake_failure(error)
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)

"""Send one request with requests and explain what went wrong. Independent of the service.

Redirects are not followed, cookies are not kept, credentials from a ``.netrc`` are not sent. The DNS lookup takes as
long as the resolver takes; everything after it counts towards the total time.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import requests
from urllib3 import exceptions as urllib3_errors

from airflow_provider_sops.service.body import ACCEPTED_ENCODING, BodyCollector, BodyError
from airflow_provider_sops.service.failures import connection_error, is_tls_handshake_failure, unusable_answer
from airflow_provider_sops.service.http import HttpResponse
from airflow_provider_sops.service.query_filter import keep_queries_out_of_logs
from airflow_provider_sops.service.timed_connections import TimedAdapter

if TYPE_CHECKING:
    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.service.http import HttpRequest
    from airflow_provider_sops.service.settings import Limits, TransportSettings

_PIECE_BYTES = 64 * 1024


def new_session() -> requests.Session:
    """Return a session whose connections respect the total time of ``send``."""
    session = requests.Session()
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


def _read_body(received: requests.Response, limits: Limits) -> bytes:
    body = BodyCollector(received.headers.get("Content-Encoding"), limits.largest_answer_bytes)
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

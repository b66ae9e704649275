"""Describe transport failures in words. The blocking and the asynchronous transport share this.

Neither the exception's own text nor the whole URL is passed on: with ESB the URL holds secrets.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sops.service.errors import ConnectionFailedError, TransportErrors, UnusableAnswerError
    from airflow_provider_sops.service.http import BodyError, HttpRequest

_LOST = "the connection was lost before the answer was complete"
_WORDS_BY_CAUSE: tuple[tuple[type[BaseException], str, str], ...] = (
    (socket.gaierror, "the host name cannot be resolved", "Check the connection's host and this machine's DNS."),
    (
        ssl.SSLCertVerificationError,
        "the TLS certificate was not accepted",
        "Set extra 'verify' to the CA's file, or check the connection's host.",
    ),
    (
        ssl.SSLError,
        "TLS failed",
        "Check that the connection's host serves HTTPS on this port, and the TLS settings of any proxy.",
    ),
    (ConnectionRefusedError, "the connection was refused", "Check the connection's host and port."),
    (
        ConnectionResetError,
        _LOST,
        "The server or a proxy closed it; if it happens again, ask the gateway's operators.",
    ),
    (TimeoutError, "there was no answer in time", "Check the network, or raise extra 'timeout_seconds'."),
)
_ADVICE = "Check the connection's host and proxy, and the network in between."

#: A TLS connection that ended unexpectedly: the server may already have read the request.
_TLS_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def connection_error(
    failed: type[ConnectionFailedError],
    request: HttpRequest,
    error: BaseException,
    *,
    request_sent: bool,
    reason: str | None = None,
) -> ConnectionFailedError:
    """Return the error for a request that got no usable answer.

    :param failed: the service's class for it.
    :param error: what the HTTP library raised.
    :param request_sent: ``False`` if the request certainly never left.
    :param reason: what happened, if the transport knows it better than the exception's causes do.
    """
    causes = tuple(_causes(error))
    found, advice = next(
        (
            (words, what_to_do)
            for cause_type, words, what_to_do in _WORDS_BY_CAUSE
            if any(isinstance(cause, cause_type) for cause in causes)
        ),
        (_LOST if request_sent else "the connection failed", _ADVICE),
    )
    details = [detail for cause in causes if (detail := getattr(cause, "verify_message", None))]
    if details:
        found += f" ({details[0]})"
    hint = _plain_http_hint(request, causes, request_sent=request_sent)
    return failed(
        f"{request.shown_url}: {reason or found}{hint}",
        api=request.api,
        ids=request.ids,
        # A longer timeout for answers does not help if no connection was made.
        advice=advice if request_sent or reason is None else _ADVICE,
        request_sent=request_sent,
    )


def unusable_answer(
    errors: TransportErrors, request: HttpRequest, error: BodyError, http_status: int
) -> UnusableAnswerError:
    """Return the error for an answer whose body cannot be read."""
    return errors.unusable_answer(
        f"{request.shown_url}: {error}",
        api=request.api,
        ids=request.ids,
        http_status=http_status,
        advice="Check any proxy in front of the server, or ask for less at once.",
        answer_cut=error.cut,
    )


def not_http(error: BaseException) -> str:
    """Return the reason of an error that an HTTP library did not expect itself."""
    return f"the answer is not valid HTTP ({type(error).__name__})"


def is_tls_handshake_failure(error: BaseException) -> bool:
    """Whether TLS failed before anything of the request could be sent."""
    causes = tuple(_causes(error))
    if any(_is_handshake_timeout(cause) for cause in causes):
        return True
    return any(isinstance(cause, ssl.SSLError) for cause in causes) and not any(
        isinstance(cause, _TLS_ENDED) for cause in causes
    )


def _is_handshake_timeout(cause: BaseException) -> bool:
    # Python has no class for it; urllib3 calls it a timeout of reading.
    return isinstance(cause, TimeoutError) and "handshake" in str(cause)


def _plain_http_hint(request: HttpRequest, causes: tuple[BaseException, ...], *, request_sent: bool) -> str:
    """Return what to say where a server may speak plain HTTP on a port that was spoken to in TLS.

    A host without a scheme means https, which a server without a name, or on a port of its own, may not speak.
    """
    parts = urlsplit(request.shown_url)
    if parts.scheme != "https" or not (parts.port or _is_unnamed(parts.hostname or "")):
        return ""
    known = (ssl.SSLCertVerificationError, ConnectionRefusedError, socket.gaierror)
    ended = (ssl.SSLError, ConnectionResetError)
    if any(isinstance(cause, known) for cause in causes):
        return ""
    if request_sent and not any(isinstance(cause, ended) for cause in causes):
        return ""
    return f"; https was tried: if the server speaks plain HTTP, begin the connection's host with http://{parts.netloc}"


def _is_unnamed(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything it wraps, however the library wrapped it."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or any(current is other for other in seen):
            continue
        seen.append(current)
        yield current
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]

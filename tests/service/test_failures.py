from __future__ import annotations

import dataclasses
import socket
import ssl
from typing import Any

import pytest

from airflow_provider_sops.service.errors import ConnectionFailedError
from airflow_provider_sops.service.failures import connection_error, is_tls_handshake_failure
from airflow_provider_sops.service.http import HttpRequest

REQUEST = HttpRequest(
    api="get_task_status",
    method="GET",
    url="https://paas.example.com/sops/get_task_status/?bk_app_secret=s3cret",
    headers={},
    body=None,
    repeatable=True,
    ids={"task_id": "25", "bk_biz_id": "2"},
)


class WrappingError(Exception):
    """Wraps another exception as urllib3 does: in an attribute."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__("/get_task_status/?bk_app_secret=s3cret")
        self.reason = reason


def raised_from(cause: BaseException) -> Exception:
    try:
        raise RuntimeError("/get_task_status/?bk_app_secret=s3cret") from cause
    except RuntimeError as error:
        return error


@pytest.mark.parametrize("wrap", [WrappingError, raised_from, Exception, lambda error: error])
@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the host name cannot be resolved"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "the TLS certificate was not accepted"),
        (ssl.SSLError(1, "wrong version number"), "TLS failed"),
        (ConnectionRefusedError(111, "Connection refused"), "the connection was refused"),
        (ConnectionResetError(104, "reset"), "the connection was lost before the answer was complete"),
        (TimeoutError("timed out"), "there was no answer in time"),
        (OSError("anything"), "the connection was lost before the answer was complete"),
    ],
)
def test_the_cause_is_found_however_it_is_wrapped_and_only_the_address_is_shown(
    wrap: Any, cause: BaseException, words: str
) -> None:
    error = connection_error(ConnectionFailedError, REQUEST, wrap(cause), request_sent=True)

    assert str(error).startswith(
        f"get_task_status (task_id 25, bk_biz_id 2): https://paas.example.com/sops/get_task_status/: {words}"
    )
    assert error.advice
    assert "s3cret" not in str(error)


def test_what_the_transport_knows_better_is_said_instead() -> None:
    error = connection_error(
        ConnectionFailedError, REQUEST, TimeoutError(), request_sent=False, reason="no connection within 5 s"
    )

    assert "no connection within 5 s" in str(error)
    assert error.outcome_unknown is False


@pytest.mark.parametrize(
    ("cause", "before_sending"),
    [
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), True),
        (ssl.SSLError(1, "wrong version number"), True),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), False),
        (ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed"), False),
        (ConnectionResetError(104, "reset"), False),
    ],
)
def test_a_tls_connection_that_ends_may_have_carried_the_request(cause: BaseException, before_sending: bool) -> None:
    assert is_tls_handshake_failure(WrappingError(cause)) is before_sending


def test_exceptions_that_wrap_each_other_do_no_harm() -> None:
    error = RuntimeError("a")
    error.__cause__ = error

    assert "the connection failed" in str(connection_error(ConnectionFailedError, REQUEST, error, request_sent=False))


HINT = "; https was tried: if the server speaks plain HTTP, begin the connection's host with http://"


@pytest.mark.parametrize(
    "cause", [ssl.SSLError(1, "wrong version number"), ssl.SSLEOFError(8, "EOF"), ConnectionResetError()]
)
@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://127.0.0.1:8000", "127.0.0.1:8000"),
        ("https://10.0.0.1", "10.0.0.1"),
        ("https://[::1]:8000", "[::1]:8000"),
        ("https://localhost", "localhost"),
        ("https://sops.example.com:8080", "sops.example.com:8080"),
        ("https://sops.example.com", None),
        ("http://127.0.0.1:8000", None),
    ],
)
def test_where_plain_http_is_likely_how_to_write_it_is_said(
    cause: BaseException, address: str, origin: str | None
) -> None:
    request = dataclasses.replace(REQUEST, url=f"{address}/sops/?bk_app_secret=s3cret")

    error = connection_error(ConnectionFailedError, request, cause, request_sent=True)

    assert (f"{HINT}{origin}" in error.reason) if origin else (HINT not in error.reason)
    assert "s3cret" not in str(error)


@pytest.mark.parametrize(
    ("cause", "request_sent"),
    [
        (ConnectionRefusedError(111, "Connection refused"), False),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), False),
        (TimeoutError("timed out"), True),
    ],
)
def test_a_server_that_speaks_tls_or_does_not_answer_is_not_suspected(cause: BaseException, request_sent: bool) -> None:
    request = dataclasses.replace(REQUEST, url="https://127.0.0.1:8000/sops/")

    assert HINT not in connection_error(ConnectionFailedError, request, cause, request_sent=request_sent).reason

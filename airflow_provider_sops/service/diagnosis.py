"""Explain in one sentence why the test of a connection failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.service.errors import ConnectionFailedError, UnusableAnswerError
from airflow_provider_sops.service.text import shown_words

if TYPE_CHECKING:
    from airflow_provider_sops.service.errors import ServiceError


def server_words(error: ServiceError) -> str:
    """Return the server's message as the end of a sentence; empty if there is none."""
    return f'; it says: "{shown_words(error.server_message)}"' if error.server_message else ""


def what_is_wrong(error: ServiceError, service: str, root: str, refused: type[ServiceError]) -> str:
    """Return the error of a first call as one sentence.

    :param service: the service's name.
    :param root: the gateway's address.
    :param refused: the service's error class for rejected credentials.
    """
    words = server_words(error)
    status = f" (HTTP {error.http_status})" if error.http_status not in (None, 200) else ""
    if isinstance(error, refused):
        advice = f" ({error.advice.rstrip('.')})" if error.advice else ""
        return f"Access was denied{status}: {error.reason}{words}{advice}"
    if isinstance(error, UnusableAnswerError) and not error.temporary:
        return f"{root} is not a gateway to {service}{status}: {error.reason}{words}"
    if isinstance(error, ConnectionFailedError) or error.http_status is None:
        return error.reason
    return f"{service} cannot be called{status}: {error.reason}{words}"

"""The two digests of EnOS's API management: one proves an app when it asks for a token, the other signs each call.

Follows the page "Invoking API with Access Token" of EnOS API management. Both are SHA-256 in lower-case hexadecimal
over a plain concatenation in UTF-8.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def token_encryption(*, access_key: str, secret_key: str, timestamp: str) -> str:
    """Return the ``encryption`` of a request for a token.

    :param timestamp: milliseconds since the epoch. EnOS refuses a second request with the same ``encryption``, so
        each request needs a timestamp of its own.
    """
    return hashlib.sha256(f"{access_key}{timestamp}{secret_key}".encode()).hexdigest()


def signature(
    *,
    access_token: str,
    secret_key: str,
    timestamp: str,
    query: Mapping[str, str],
    body: bytes = b"",
) -> str:
    """Return the ``apim-signature`` of a call. Path, host and method are not part of it.

    :param timestamp: milliseconds since the epoch, the text that the header ``apim-timestamp`` carries.
    :param query: every parameter of the query, ``action`` too, as it is *before* it is escaped for the URL. A
        parameter with an empty value counts with its name alone.
    :param body: the very bytes that are sent; empty for a GET.
    """
    # The gateway compares names as Java does: by units of UTF-16.
    names = sorted(query, key=lambda name: name.encode("utf-16-be"))
    parameters = "".join(f"{name}{query[name]}" for name in names)
    signed = f"{access_token}{parameters}".encode() + body + f"{timestamp}{secret_key}".encode()
    return hashlib.sha256(signed).hexdigest()

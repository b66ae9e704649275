"""The two digests of EnOS's API management: one authenticates an app's token request, the other signs each call.

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

    :param timestamp: milliseconds since the epoch. EnOS refuses a second request with the same ``encryption``, so each
        request needs a new timestamp.
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

    :param timestamp: milliseconds since the epoch, as sent in the header ``apim-timestamp``.
    :param query: every query parameter, including ``action``, *before* it is escaped for the URL. A parameter with an
        empty value contributes only its name.
    :param body: the exact bytes sent; empty for a GET.
    """
    # The gateway sorts names as Java does: by UTF-16 code units.
    names = sorted(query, key=lambda name: name.encode("utf-16-be"))
    parameters = "".join(f"{name}{query[name]}" for name in names)
    signed = f"{access_token}{parameters}".encode() + body + f"{timestamp}{secret_key}".encode()
    return hashlib.sha256(signed).hexdigest()

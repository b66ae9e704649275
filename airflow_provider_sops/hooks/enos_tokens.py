"""The access tokens of this process: one for each app and gateway, whatever the number of hooks and triggers.

A token is replaced ten minutes before it expires. One that the gateway refuses earlier is replaced at once: by what the
token service has now, and if that is the very token that was refused, by a refreshed one.
"""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_sops.enos.errors import EnosError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.enos.connection import EnosConnection
    from airflow_provider_sops.enos.tokens import AccessToken


class TokenKey(NamedTuple):
    """What a token belongs to. The secret key is there as a digest: a changed one makes another token."""

    root: str
    access_key: str
    secret_digest: str

    @classmethod
    def of(cls, connection: EnosConnection) -> TokenKey:
        """Return the key of a connection's token."""
        credentials = connection.credentials
        digest = hashlib.sha256(credentials.secret_key.encode()).hexdigest()
        return cls(connection.address.root, credentials.access_key, digest)


_tokens: dict[TokenKey, AccessToken] = {}
_obtaining = threading.Lock()
_counting = threading.Lock()
_last_timestamp = 0


def now() -> float:
    """Return the time by which tokens are kept, in seconds."""
    return time.monotonic()


def fresh_timestamp() -> str:
    """Return the present in milliseconds since the epoch, never twice the same: EnOS refuses that for a token."""
    global _last_timestamp
    with _counting:
        _last_timestamp = max(time.time_ns() // 1_000_000, _last_timestamp + 1)
        return str(_last_timestamp)


def kept_token(key: TokenKey, refused: AccessToken | None = None) -> AccessToken | None:
    """Return the token that is at hand, unless it is the refused one or due to be replaced."""
    token = _tokens.get(key)
    if token is None or not token.is_fresh(now()):
        return None
    return None if refused is not None and token.value == refused.value else token


def token_to_refresh(key: TokenKey, refused: AccessToken | None) -> AccessToken | None:
    """Return the token at hand that is due to be replaced; ``None`` if there is none or it was refused."""
    return None if refused is not None else _tokens.get(key)


def keep_token(key: TokenKey, token: AccessToken) -> None:
    """Keep a token for every hook and trigger of this process."""
    _tokens[key] = token


def forget_tokens() -> None:
    """Forget every token."""
    _tokens.clear()


def obtain(
    key: TokenKey, ask: Callable[[AccessToken | None], AccessToken], refused: AccessToken | None = None
) -> AccessToken:
    """Return a usable token, asking for one where there is none; at the same time one thread alone asks.

    :param ask: asks the token service for a token, or for one in place of the given one.
    :param refused: a token that the gateway has just refused.
    :raises EnosError: the token service gave none.
    """
    with _obtaining:
        token = kept_token(key, refused)
        if token is None:
            token = _ask(ask, token_to_refresh(key, refused), refused)
            keep_token(key, token)
        return token


def _ask(
    ask: Callable[[AccessToken | None], AccessToken], to_refresh: AccessToken | None, refused: AccessToken | None
) -> AccessToken:
    if to_refresh is not None:
        try:
            return ask(to_refresh)
        except EnosError:
            # It may have expired meanwhile; what there is to say, the next request says.
            return ask(None)
    token = ask(None)
    return ask(token) if refused is not None and token.value == refused.value else token

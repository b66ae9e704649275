"""The access tokens of this process: one per app and gateway, shared by all hooks and triggers.

A token is replaced ten minutes before it expires. One that the gateway rejects earlier is replaced at once: by the
token service's current token or, if that is the rejected one, by a refreshed one.
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
    """What a token belongs to. It includes a digest of the secret key: a new key needs a new token."""

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
#: More than as many requests in one millisecond bring about, and less than EnOS objects to.
_MOST_AHEAD_MILLISECONDS = 5_000


def now() -> float:
    """Return the time on the clock used for tokens, in seconds."""
    return time.monotonic()


def fresh_timestamp() -> str:
    """Return the time in milliseconds since the epoch, never the same twice in a row: EnOS rejects repeats.

    After the wall clock was set back it is the new time, since EnOS rejects a time in the future as well.
    """
    global _last_timestamp
    with _counting:
        clock = time.time_ns() // 1_000_000
        ahead = _last_timestamp + 1 - clock
        _last_timestamp = clock + ahead if 0 < ahead < _MOST_AHEAD_MILLISECONDS else clock
        return str(_last_timestamp)


def kept_token(key: TokenKey, refused: AccessToken | None = None) -> AccessToken | None:
    """Return the stored token unless it was rejected or is due for replacement."""
    token = _tokens.get(key)
    if token is None or not token.is_fresh(now()):
        return None
    return None if refused is not None and token.value == refused.value else token


def token_to_refresh(key: TokenKey, refused: AccessToken | None) -> AccessToken | None:
    """Return the stored token that is due for replacement; ``None`` if there is none or it was rejected."""
    return None if refused is not None else _tokens.get(key)


def keep_token(key: TokenKey, token: AccessToken) -> None:
    """Store a token for every hook and trigger of this process."""
    _tokens[key] = token


def forget_tokens() -> None:
    """Forget every token."""
    _tokens.clear()


def obtain(
    key: TokenKey, ask: Callable[[AccessToken | None], AccessToken], refused: AccessToken | None = None
) -> AccessToken:
    """Return a usable token, requesting one if necessary; only one thread requests at a time.

    :param ask: requests a token from the token service, or a replacement for the given one.
    :param refused: a token that the gateway has just rejected.
    :raises EnosError: the token service returned none.
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
            # It may have expired meanwhile; the next request will show that.
            return ask(None)
    token = ask(None)
    return ask(token) if refused is not None and token.value == refused.value else token

"""The caller: an app with its secret, and a user."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.config import Config


class UnknownAppError(Exception):
    """Unknown app or wrong secret; the text is the API gateway's reason."""


class UnknownUserError(Exception):
    """Missing or unverified user; the text is the API gateway's reason."""


def check_app(config: Config, credentials: Mapping[str, Any]) -> None:
    """Check ``bk_app_code`` and ``bk_app_secret``.

    :raises UnknownAppError: they are not the server's app.
    """
    code, secret = credentials.get("bk_app_code"), credentials.get("bk_app_secret")
    if not code:
        raise UnknownAppError("app code cannot be empty")
    if not secret:
        raise UnknownAppError("please provide bk_app_secret or bk_signature to verify app")
    if code != config.app_code:
        raise UnknownAppError("app not found")
    if not hmac.compare_digest(str(secret).encode(errors="surrogatepass"), config.app_secret.encode()):
        raise UnknownAppError("bk_app_code or bk_app_secret is incorrect")


def find_user(config: Config, credentials: Mapping[str, Any]) -> str:
    """Find the user by ``access_token`` or ``bk_token``, or by a bare ``bk_username`` if that is trusted.

    :raises UnknownUserError: there is none.
    """
    for name in ("access_token", "bk_token"):
        username = config.user_tokens.get(str(credentials.get(name) or ""))
        if username:
            return username
    username = str(credentials.get("bk_username") or "")
    if not username:
        reason = "please provide a valid user identity, such as bk_username, bk_token, access_token"
        raise UnknownUserError(f"user authentication failed, {reason}")
    if config.user_tokens:
        raise UnknownUserError("user authentication failed, the user indicated by bk_username is not verified")
    return username

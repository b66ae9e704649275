"""The result of the connection form's "Test" button: one sentence that names the problem, if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sops.service.errors import code_number, server_words, what_is_wrong
from airflow_provider_sops.service.reading import read_list
from airflow_provider_sops.sops.answer import BAD_CREDENTIALS_CODE
from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsError,
    SopsGatewayError,
    SopsNotFoundError,
)

if TYPE_CHECKING:
    from airflow_provider_sops.service.answer import Answer
    from airflow_provider_sops.sops.connection import SopsConnection


class Caller(Protocol):
    """The part of ``SopsHook`` used here."""

    @property
    def connection(self) -> SopsConnection:
        """How to reach SOPS, and as whom."""

    def call_once(self, api: str, **parameters: Any) -> Answer:
        """Call SOPS without retries."""

    def call_once_as_app(self, api: str, **parameters: Any) -> object | None:
        """Call SOPS without retries and without a verified user; ``None`` if that is not possible."""


def diagnose(hook: Caller) -> tuple[bool, str]:
    """Call SOPS up to three times, read-only and without retries.

    With a ``bk_biz_id``, listing one template checks gateway, app, user and business. Without one, listing the projects
    checks everything but the business. If the gateway rejects the app or the user, a call without a verified user tells
    which of them.

    :return: whether it worked, and one sentence.
    """
    try:
        connection = hook.connection
        first_call(hook, connection, limit=1, offset=0)
    except SopsError as error:
        return False, _what_is_wrong(error, hook)
    app = connection.credentials.bk_app_code or "the access token's app"
    if connection.bk_biz_id is None:
        return True, f"SOPS answers {app}; no bk_biz_id is set, so every operator must set it."
    return True, f"SOPS answers {app} for {_business(connection)}."


def first_call(hook: Caller, connection: SopsConnection, **page: int) -> list[Any]:
    """Make a call that every app and user may make, and return the business's templates; none without a business.

    :param page: ``limit`` and ``offset`` of the list of templates; default: all.
    :raises SopsError: SOPS cannot be called.
    """
    if connection.bk_biz_id is not None:
        return read_list(hook.call_once("get_template_list", **page).data)
    try:
        hook.call_once("get_user_project_list")
    except SopsGatewayError as error:
        if not error.api_missing:
            raise
        hook.call_once("get_common_template_list")
    return []


def _what_is_wrong(error: SopsError, hook: Caller) -> str:
    if isinstance(error, SopsNotFoundError):
        return f"SOPS has no {_business(hook.connection)}{server_words(error)}"
    if isinstance(error, SopsAuthError) and code_number(error.code) == BAD_CREDENTIALS_CODE:
        as_app = _answer_to_app(hook)
        if as_app is not None:
            return (
                "The gateway accepts the app, but not its bk_username, which no token verifies: set bk_token or "
                f"access_token, or set identity to app{server_words(error)}{as_app}"
            )
        return (
            "The gateway rejected the app or the user: wrong bk_app_code or bk_app_secret, no user, an expired "
            "token, or an app that may not name a bk_username without a token (then set bk_token or access_token, or "
            f"set identity to app){server_words(error)}"
        )
    # Without an answer the connection itself may be malformed.
    root = "" if error.http_status is None else hook.connection.gateway.root
    return what_is_wrong(error, "SOPS", root, SopsAuthError)


def _answer_to_app(hook: Caller) -> str | None:
    """Return what the gateway answers to the app alone, as the end of a sentence; empty if it lets the app in.

    One code covers a rejected app and a rejected user, so a call that needs no verified user tells them apart.

    :return: ``None`` if the app is rejected too, or if nobody knows.
    """
    credentials = hook.connection.credentials
    if credentials.has_token or not credentials.bk_username:
        return None
    try:
        return None if hook.call_once_as_app("get_user_project_list") is None else ""
    except SopsAuthError as error:
        # Everything else is checked after the app.
        if code_number(error.code) in (None, BAD_CREDENTIALS_CODE):
            return None
        return f". With identity app: {error.reason} ({(error.advice or '').rstrip('.')})"
    except SopsGatewayError:
        return None
    except SopsError as error:
        return "" if error.http_status == 200 else None


def _business(connection: SopsConnection) -> str:
    kind = "business" if connection.scope == "cmdb_biz" else "project"
    tenant = f", tenant {connection.credentials.tenant_id}" if connection.credentials.tenant_id else ""
    return f"{kind} {connection.bk_biz_id} (scope {connection.scope}{tenant})"

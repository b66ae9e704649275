"""The result of the "Test" button for EnOS: one sentence that names the problem, if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sops.enos.errors import EnosAuthError, EnosError
from airflow_provider_sops.service.errors import what_is_wrong

if TYPE_CHECKING:
    from airflow_provider_sops.enos.connection import EnosConnection


class Caller(Protocol):
    """The part of ``EnosHook`` used here."""

    @property
    def connection(self) -> EnosConnection:
        """How to reach EnOS, and as whom."""

    def call_once(self, api: str, **parameters: Any) -> object:
        """Call EnOS without retries."""


def diagnose(hook: Caller) -> tuple[bool, str]:
    """Request a token and call EnOS once, read-only and without retries.

    With a user and an organisation, listing the user's flows checks app, user and organisation. Without them, reading
    the server's clock checks the app.

    :return: whether it worked, and one sentence.
    """
    try:
        credentials = hook.connection.credentials
        known = credentials.user_id and credentials.org_id
        hook.call_once("get_my_flow" if known else "get_current_time")
    except EnosError as error:
        # Without an answer the connection itself may be malformed.
        root = "" if error.http_status is None else hook.connection.address.root
        return False, what_is_wrong(error, "EnOS", root, EnosAuthError)
    if not known:
        return True, (
            f"EnOS answers {credentials.access_key}; user_id or org_id is not set, so every operator must set both."
        )
    return True, f"EnOS answers {credentials.access_key} for user {credentials.user_id} of {credentials.org_id}."

"""What the connection form's "Test" button says of EnOS: one sentence, with what is wrong if something is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sops.enos.errors import EnosAuthError, EnosError
from airflow_provider_sops.service.diagnosis import what_is_wrong

if TYPE_CHECKING:
    from airflow_provider_sops.enos.connection import EnosConnection


class Caller(Protocol):
    """The part of ``EnosHook`` that is used here."""

    @property
    def connection(self) -> EnosConnection:
        """How to reach EnOS, and as whom."""

    def call_once(self, api: str, **parameters: Any) -> object:
        """Call EnOS without sending the request again."""


def diagnose(hook: Caller) -> tuple[bool, str]:
    """Ask for a token and call EnOS once, reading only and never again after a failure.

    With a user and an organisation, the list of the user's flows tells whether app, user and organisation are right.
    Without them, the server's clock tells about the app.

    :return: whether it worked, and one sentence.
    """
    try:
        credentials = hook.connection.credentials
        known = credentials.user_id and credentials.org_id
        hook.call_once("get_my_flow" if known else "get_current_time")
    except EnosError as error:
        # Without an answer the connection itself may be what is wrong.
        root = "" if error.http_status is None else hook.connection.address.root
        return False, what_is_wrong(error, "EnOS", root, EnosAuthError)
    if not known:
        return True, (
            f"EnOS answers {credentials.access_key}; user_id or org_id is not set, so every operator has to name both."
        )
    return True, f"EnOS answers {credentials.access_key} for user {credentials.user_id} of {credentials.org_id}."

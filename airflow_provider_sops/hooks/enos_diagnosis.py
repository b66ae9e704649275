"""What the connection form's "Test" button says of EnOS: one sentence, with what is wrong if something is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sops.enos.errors import EnosAuthError, EnosConnectionError, EnosError, EnosGatewayError
from airflow_provider_sops.service.text import shown_words

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
        return False, _what_is_wrong(error, hook)
    if not known:
        return True, (
            f"EnOS answers {credentials.access_key}; user_id or org_id is not set, so every operator has to name both."
        )
    return True, f"EnOS answers {credentials.access_key} for user {credentials.user_id} of {credentials.org_id}."


def _what_is_wrong(error: EnosError, hook: Caller) -> str:
    words = f'; it says: "{shown_words(error.server_message)}"' if error.server_message else ""
    status = f" (HTTP {error.http_status})" if error.http_status not in (None, 200) else ""
    if isinstance(error, EnosAuthError):
        advice = f" ({error.advice.rstrip('.')})" if error.advice else ""
        return f"Access is refused{status}: {error.reason}{words}{advice}"
    if isinstance(error, EnosGatewayError) and not error.temporary:
        return f"{hook.connection.address.root} is not a gateway to EnOS{status}: {error.reason}{words}"
    if isinstance(error, EnosConnectionError) or error.http_status is None:
        return error.reason
    return f"EnOS cannot be called{status}: {error.reason}{words}"

"""The hook for EnOS's batch processing: one method per call of its API, over one pooled HTTP session."""

from __future__ import annotations

import functools
import logging
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import requests
import tenacity
from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_sops.enos.calls import FlowCalls, InstanceCalls, SurroundingsCalls
from airflow_provider_sops.enos.connection import EnosConnection, read_enos_connection
from airflow_provider_sops.enos.endpoints import endpoint
from airflow_provider_sops.enos.errors import EnosConnectionError, EnosInvalidParameterError, EnosTokenRefusedError
from airflow_provider_sops.enos.tokens import GET_TOKEN
from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.hooks.enos_diagnosis import diagnose
from airflow_provider_sops.hooks.enos_retrying import retry_rules
from airflow_provider_sops.service.transport import send
from airflow_provider_sops.sops.errors import SopsConnectionError, SopsInvalidParameterError

if TYPE_CHECKING:
    from airflow_provider_sops.enos.answer import Answer
    from airflow_provider_sops.enos.gateway import ApiVersion
    from airflow_provider_sops.enos.tokens import AccessToken
    from airflow_provider_sops.service.transport import TransportSettings
    from airflow_provider_sops.sops.answer import HttpResponse
    from airflow_provider_sops.sops.gateway import HttpRequest

log = logging.getLogger(__name__)

#: Connecting and waiting for the answer of ``call_at_once``: whoever kills a worker's process waits for 5 seconds.
_HURRIED_CONNECT_SECONDS, _HURRIED_SILENCE_SECONDS = 1.0, 1.5


class EnosHook(InstanceCalls, FlowCalls, SurroundingsCalls, BaseHook):
    """Call the batch processing service of EnOS through its API gateway.

    Every call of the service is a method here; ``call`` does any of them by name. Each request is signed; the access
    token is kept for the whole process, replaced before it expires, and replaced at once when the gateway refuses it.
    Calls that may be repeated are sent again when their answer was lost (module ``enos_retrying``); redirects are not
    followed; certificates are verified. Nothing is read or sent before the first call, so making a hook costs nothing.
    Not for several threads at once.

    Also a context manager, which closes the session.

    :param enos_conn_id: the Airflow connection, of type ``enos``.
    :param user_id: the user to act for, instead of the connection's.
    :param org_id: the user's organisation, instead of the connection's.
    """

    conn_name_attr = "enos_conn_id"
    default_conn_name = "enos_default"
    conn_type = "enos"
    hook_name = "EnOS"

    def __init__(
        self,
        enos_conn_id: str = default_conn_name,
        *,
        user_id: str | None = None,
        org_id: str | None = None,
    ) -> None:
        super().__init__()
        self.enos_conn_id = enos_conn_id
        self.user_id = user_id
        self.org_id = org_id
        self._session: requests.Session | None = None

    @cached_property
    def connection(self) -> EnosConnection:
        """The Airflow connection, read once; its secrets are masked in logs from then on.

        :raises EnosInvalidParameterError: the connection is malformed.
        """
        connection = read_enos_connection(
            self.get_connection(self.enos_conn_id), user_id=self.user_id, org_id=self.org_id
        )
        for secret in connection.secrets:
            mask_secret(secret)
        warn_about(connection)
        return connection

    @property
    def api_version(self) -> ApiVersion:
        """The version of the API that is called."""
        return self.connection.address.version

    def get_conn(self) -> requests.Session:
        """Return the session, which keeps connections open between calls."""
        if self._session is None:
            self._session = requests.Session()
        return self._session

    def close(self) -> None:
        """Close the session; the next call opens another."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> EnosHook:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def call(self, api: str, **parameters: Any) -> Answer:
        """Call EnOS.

        :param api: the call's name in ``ENDPOINTS``.
        :param parameters: what the call takes, by EnOS's names. ``None`` is left out. ``action``, ``userId`` and
            ``orgId`` are added.
        :return: the answer, whose ``data`` is as EnOS gave it.
        :raises EnosInvalidParameterError: there is no such call, or a parameter is wrong; nothing was sent.
        :raises EnosError: the call did not succeed.
        """
        return tenacity.Retrying(**retry_rules(endpoint(api), log))(self.call_once, api, **parameters)

    def call_once(self, api: str, **parameters: Any) -> Answer:
        """Call EnOS without sending the request again, but for one time with another token if it is refused."""
        token = self._token()
        try:
            return self._call(api, parameters, token)
        except EnosTokenRefusedError as error:
            log.info("Asking for another access token: %s", error)
            return self._call(api, parameters, self._token(refused=token))

    def call_at_once(self, api: str, **parameters: Any) -> Answer:
        """Call EnOS within about five seconds, in one attempt over a new session.

        For a process that is being killed: the session in use may be in the middle of a call, and so may be whoever
        asks for a token.
        """
        settings = replace(
            self.connection.transport,
            connect_seconds=_HURRIED_CONNECT_SECONDS,
            silence_seconds=_HURRIED_SILENCE_SECONDS,
        )
        with requests.Session() as session:
            token = enos_tokens.kept_token(enos_tokens.TokenKey.of(self.connection))
            if token is None:
                token = self._ask_for_token(None, session=session, settings=settings)
            return self._call(api, parameters, token, session=session, settings=settings)

    def test_connection(self) -> tuple[bool, str]:
        """Return whether EnOS can be called, and in one sentence what is wrong if not."""
        return diagnose(self)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection form's fields for Airflow before 3.2; later ones read the provider info."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import StringField

        return {
            name: StringField(
                form_field["label"],
                widget=BS3TextFieldWidget(),
                description=form_field["description"],
                default=form_field["schema"].get("default"),
            )
            for name, form_field in _connection_type()["conn-fields"].items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form's own fields are shown, for Airflow before 3.2."""
        behaviour = _connection_type()["ui-field-behaviour"]
        return {
            "hidden_fields": behaviour["hidden-fields"],
            "relabeling": behaviour["relabeling"],
            "placeholders": behaviour["placeholders"],
        }

    def _token(self, refused: AccessToken | None = None) -> AccessToken:
        def ask(to_replace: AccessToken | None) -> AccessToken:
            return tenacity.Retrying(**retry_rules(GET_TOKEN, log))(self._ask_for_token, to_replace)

        return enos_tokens.obtain(enos_tokens.TokenKey.of(self.connection), ask, refused)

    def _ask_for_token(
        self,
        to_replace: AccessToken | None,
        *,
        session: requests.Session | None = None,
        settings: TransportSettings | None = None,
    ) -> AccessToken:
        asked_at = enos_tokens.now()
        request = self.connection.token_request(timestamp=enos_tokens.fresh_timestamp(), to_replace=to_replace)
        token = self.connection.read_token(request, self._send(request, session, settings), asked_at=asked_at)
        mask_secret(token.value)
        return token

    def _call(
        self,
        api: str,
        parameters: dict[str, Any],
        token: AccessToken,
        *,
        session: requests.Session | None = None,
        settings: TransportSettings | None = None,
    ) -> Answer:
        timestamp = enos_tokens.fresh_timestamp()
        request = self.connection.request(api, parameters, token=token, timestamp=timestamp)
        return self.connection.read(request, self._send(request, session, settings), token=token)

    def _send(
        self, request: HttpRequest, session: requests.Session | None, settings: TransportSettings | None
    ) -> HttpResponse:
        try:
            response = send(session or self.get_conn(), request, settings or self.connection.transport)
        except (SopsConnectionError, SopsInvalidParameterError) as error:
            raise enos_error(error, request) from None
        log.debug("%s %s %s: HTTP %s", request.api, request.method, request.shown_url, response.status)
        return response


def enos_error(
    error: SopsConnectionError | SopsInvalidParameterError, request: HttpRequest
) -> EnosConnectionError | EnosInvalidParameterError:
    """Return the error of a transport, which knows no service, as one of EnOS's."""
    if isinstance(error, SopsConnectionError):
        return EnosConnectionError(
            error.reason,
            api=request.api,
            ids=request.ids,
            advice=error.advice,
            request_sent=error.request_sent,
        )
    return EnosInvalidParameterError(error.reason, api=request.api)


def warn_about(connection: EnosConnection) -> None:
    """Log what is questionable about a connection, once in a process."""
    if connection.sends_token_in_plain_text:
        _warn_once(
            "%s is no https:// address: the access token crosses the network in plain text.", connection.address.root
        )
    if connection.unused_extra:
        _warn_once(
            "The extra of the EnOS connection holds keys that mean nothing: %s.", ", ".join(connection.unused_extra)
        )


@functools.cache
def _warn_once(message: str, *values: str) -> None:
    log.warning(message, *values)


def _connection_type() -> dict[str, Any]:
    types = get_provider_info()["connection-types"]
    found: dict[str, Any] = next(entry for entry in types if entry["connection-type"] == EnosHook.conn_type)
    return found

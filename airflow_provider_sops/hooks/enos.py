"""The hook for EnOS's batch processing: one method per call of its API, over one pooled HTTP session."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos import calls
from airflow_provider_sops.enos.connection import EnosConnection, read_enos_connection
from airflow_provider_sops.enos.endpoints import endpoint
from airflow_provider_sops.enos.errors import EnosAuthError, EnosTokenRefusedError
from airflow_provider_sops.enos.tokens import token_endpoint
from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.hooks.connection_form import field_behaviour, form_widgets
from airflow_provider_sops.hooks.enos_diagnosis import diagnose
from airflow_provider_sops.hooks.session_hook import SessionHook, warn_about
from airflow_provider_sops.metrics import ENOS, TimedRequest
from airflow_provider_sops.service.calls import blocking, blocking_steps
from airflow_provider_sops.service.transport import new_session, send
from airflow_provider_sops.version_compat import mask_secret

if TYPE_CHECKING:
    import requests

    from airflow_provider_sops.enos.gateway import ApiVersion
    from airflow_provider_sops.enos.tokens import AccessToken
    from airflow_provider_sops.service.answer import Answer
    from airflow_provider_sops.service.calls import Call, T
    from airflow_provider_sops.service.http import HttpRequest, HttpResponse
    from airflow_provider_sops.service.settings import Limits

log = logging.getLogger(__name__)

#: For ``call_at_once``, which may need a token first: a worker's process has 5 seconds before it is killed.
_TOTAL_SECONDS_AT_ONCE, _CONNECT_SECONDS_AT_ONCE = 2.5, 1.0


class EnosHook(SessionHook):
    """Call the batch processing service of EnOS through its API gateway.

    The calls of ``enos.calls`` are methods here; ``call`` makes any call of the service by name. Each request is
    signed;
    the access token is shared by the whole process, replaced before it expires, and replaced at once if the gateway
    rejects it. Repeatable calls are retried if their answer was lost (module ``service.retrying``);
    redirects are not followed; certificates are verified. Nothing is read or sent before the first call, so creating a
    hook is free. Not thread-safe.

    Also a context manager, which closes the session.

    :param enos_conn_id: the Airflow connection, of type ``enos``.
    :param user_id: the user to act for; default: the connection's.
    :param org_id: the user's organisation; default: the connection's.
    """

    conn_name_attr = "enos_conn_id"
    default_conn_name = "enos_default"
    conn_type = "enos"
    hook_name = "EnOS"
    service = "EnOS"
    credentials_refused = EnosAuthError

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
        warn_about("EnOS", "access token", connection.transport, connection.unused_extra)
        return connection

    @property
    def api_version(self) -> ApiVersion:
        """The API's version."""
        return self.connection.address.version

    def call(self, api: str, **parameters: Any) -> Answer:
        """Call EnOS.

        :param api: the call's name in ``ENDPOINTS``.
        :param parameters: the call's parameters, by EnOS's names. ``None`` is left out. ``action``, ``userId`` and
            ``orgId`` are added.
        :return: the answer; ``data`` is unchanged.
        :raises EnosInvalidParameterError: there is no such call, or a parameter is invalid; nothing was sent.
        :raises EnosError: the call failed.
        """
        return self._again(api, lambda: self.call_once(api, **parameters), repeatable=endpoint(api).repeatable)

    def do(self, call: Call[T]) -> T:
        """Make a call of ``enos.calls`` as ``call`` does, and return its result."""
        # An answer that cannot be read is a missing one.
        return self._again(
            call.api,
            lambda: call.result(self.call_once(call.api, **call.parameters)),
            repeatable=endpoint(call.api).repeatable,
        )

    def call_once(self, api: str, **parameters: Any) -> Answer:
        """Call EnOS without retries, except once with a new token if the token was rejected."""
        token = self._token()
        try:
            return self._call(api, parameters, token)
        except EnosTokenRefusedError as error:
            log.info("Requesting a new access token: %s", error)
            return self._call(api, parameters, self._token(refused=token))

    def call_at_once(self, api: str, **parameters: Any) -> Answer:
        """Call EnOS within about five seconds, in one attempt over a new session.

        For a process that is being killed: the session in use may be in the middle of a call, and another thread may be
        requesting a token.
        """
        limits = self.connection.limits.within(_TOTAL_SECONDS_AT_ONCE, _CONNECT_SECONDS_AT_ONCE)
        with new_session() as session:
            token = enos_tokens.kept_token(enos_tokens.TokenKey.of(self.connection))
            if token is None:
                token = self._ask_for_token(None, session=session, limits=limits)
            return self._call(api, parameters, token, session=session, limits=limits)

    def test_connection(self) -> tuple[bool, str]:
        """Return whether EnOS can be called, and one sentence that explains the result."""
        return diagnose(self)

    # Both in each hook: Airflow 2.11 does not look for them in the classes that a hook inherits from.
    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection form's fields for Airflow before 3.2; later versions read the provider info."""
        return form_widgets(cls.conn_type)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the standard form fields are shown, for Airflow before 3.2."""
        return field_behaviour(cls.conn_type)

    get_task_instance = blocking(calls.get_task_instance)
    get_task_instance_log = blocking(calls.get_task_instance_log)
    get_flow_instance = blocking(calls.get_flow_instance)
    find_flow_instances = blocking_steps(calls.find_flow_instances)
    cancel_flow_instance = blocking(calls.cancel_flow_instance)

    trigger_flow = blocking(calls.trigger_flow)
    trigger_flow_from_task = blocking(calls.trigger_flow_from_task)
    update_and_trigger_flow = blocking(calls.update_and_trigger_flow)

    def _token(self, refused: AccessToken | None = None) -> AccessToken:
        def ask(to_replace: AccessToken | None) -> AccessToken:
            call = token_endpoint(to_replace)
            return self._again(call.name, lambda: self._ask_for_token(to_replace), repeatable=call.repeatable)

        return enos_tokens.obtain(enos_tokens.TokenKey.of(self.connection), ask, refused)

    def _ask_for_token(
        self,
        to_replace: AccessToken | None,
        *,
        session: requests.Session | None = None,
        limits: Limits | None = None,
    ) -> AccessToken:
        asked_at = enos_tokens.now()
        request = self.connection.token_request(timestamp=enos_tokens.fresh_timestamp(), to_replace=to_replace)
        with self._timed(request):
            token = self.connection.read_token(request, self._send(request, session, limits), asked_at=asked_at)
        mask_secret(token.value)
        return token

    def _call(
        self,
        api: str,
        parameters: dict[str, Any],
        token: AccessToken,
        *,
        session: requests.Session | None = None,
        limits: Limits | None = None,
    ) -> Answer:
        timestamp = enos_tokens.fresh_timestamp()
        request = self.connection.request(api, parameters, token=token, timestamp=timestamp)
        with self._timed(request):
            return self.connection.read(request, self._send(request, session, limits), token=token)

    def _timed(self, request: HttpRequest) -> TimedRequest:
        return TimedRequest(ENOS, request.api, self.connection.transport.root)

    def _send(self, request: HttpRequest, session: requests.Session | None, limits: Limits | None) -> HttpResponse:
        connection = self.connection
        limits = limits or self._limited(connection.limits)
        response = send(session or self.get_conn(), request, connection.transport, limits)
        log.debug("%s %s %s: HTTP %s", request.api, request.method, request.shown_url, response.status)
        return response

"""The hook for SOPS: one method per call of its API, over one pooled HTTP session."""

from __future__ import annotations

import functools
import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

import requests
import tenacity
from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.hooks.connection import CONNECT_TIMEOUT_SECONDS, SopsConnection, read_connection
from airflow_provider_sops.hooks.diagnosis import diagnose
from airflow_provider_sops.hooks.failures import connection_error, is_tls_handshake_failure
from airflow_provider_sops.hooks.retrying import retry_rules
from airflow_provider_sops.hooks.sops_calls import (
    NodeCalls,
    PluginCalls,
    ProjectCalls,
    ScheduleCalls,
    TaskCalls,
    TemplateCalls,
)
from airflow_provider_sops.sops.answer import HttpResponse
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from airflow_provider_sops.sops.answer import Answer
    from airflow_provider_sops.sops.gateway import HttpRequest

log = logging.getLogger(__name__)

#: Connecting and waiting for the answer of ``call_at_once``: whoever kills a worker's process waits for 5
#: seconds.
_HURRIED_TIMEOUTS = (1.0, 2.0)


class SopsHook(TaskCalls, NodeCalls, TemplateCalls, ScheduleCalls, ProjectCalls, PluginCalls, BaseHook):
    """Call BlueKing SOPS through its API gateway or through ESB.

    Every call of SOPS's API is a method here; ``call`` does any of them by name. Calls that may be repeated
    are sent again when their answer was lost (module ``retrying``); redirects are not followed; certificates
    are verified. Nothing is read or sent before the first call, so making a hook costs nothing. Not for
    several threads at once.

    Also a context manager, which closes the session.

    :param sops_conn_id: the Airflow connection, of type ``sops``.
    :param bk_biz_id: the business, instead of the connection's.
    :param scope: ``cmdb_biz`` if ``bk_biz_id`` is a CMDB business, ``project`` if it is a SOPS project;
        instead of the connection's.
    """

    conn_name_attr = "sops_conn_id"
    default_conn_name = "sops_default"
    conn_type = "sops"
    hook_name = "BlueKing SOPS"

    def __init__(
        self,
        sops_conn_id: str = default_conn_name,
        *,
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
    ) -> None:
        super().__init__()
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope
        self._session: requests.Session | None = None

    @cached_property
    def connection(self) -> SopsConnection:
        """The Airflow connection, read once; its secrets are masked in logs from then on.

        :raises SopsInvalidParameterError: the connection is malformed.
        """
        connection = read_connection(self.get_connection(self.sops_conn_id), bk_biz_id=self.bk_biz_id, scope=self.scope)
        for secret in connection.secrets:
            mask_secret(secret)
        warn_about(connection)
        return connection

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

    def __enter__(self) -> SopsHook:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def call(self, api: str, *, fresh: bool = False, **parameters: Any) -> Answer:
        """Call SOPS.

        :param api: the call's name in ``ENDPOINTS``.
        :param fresh: bypass SOPS's caches.
        :param parameters: what the call takes, by SOPS's names, the ids of its path among it. ``None`` is
            left out. ``bk_biz_id`` and ``scope`` default to the hook's.
        :return: the answer, whose ``data`` is as SOPS gave it.
        :raises SopsInvalidParameterError: there is no such call, or an id is missing or wrong; nothing was
            sent.
        :raises SopsError: the call did not succeed.
        """
        request = self.connection.request(api, parameters, fresh=fresh)
        return tenacity.Retrying(**retry_rules(request, log))(self._send, request)

    def call_once(self, api: str, **parameters: Any) -> Answer:
        """Call SOPS without ever sending the request again."""
        return self._send(self.connection.request(api, parameters))

    def call_at_once(self, api: str, *, fresh: bool = False, **parameters: Any) -> Answer:
        """Call SOPS within about three seconds, in one attempt over a new session.

        For a process that is being killed: the session in use may be in the middle of a call.
        """
        request = self.connection.request(api, parameters, fresh=fresh)
        with requests.Session() as session:
            return self._send(request, session=session, timeouts=_HURRIED_TIMEOUTS)

    def revoke_at_once(self, task_id: int | str) -> None:
        """Revoke a task as ``call_at_once`` does it.

        :raises SopsError: the task may still run.
        """
        self.call_at_once("operate_task", task_id=task_id, action="revoke")

    def test_connection(self) -> tuple[bool, str]:
        """Return whether SOPS can be called, and in one sentence what is wrong if not."""
        return diagnose(self)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection form's fields for Airflow before 3.2; later ones read the provider info."""
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from wtforms import PasswordField, StringField

        widgets: dict[str, Any] = {}
        for name, form_field in _connection_type()["conn-fields"].items():
            schema = form_field["schema"]
            secret = schema.get("format") == "password"
            default = schema.get("default")
            widgets[name] = (PasswordField if secret else StringField)(
                form_field["label"],
                widget=BS3PasswordFieldWidget() if secret else BS3TextFieldWidget(),
                description=form_field["description"],
                default=None if default is None else str(default),
            )
        return widgets

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form's own fields are shown, for Airflow before 3.2."""
        behaviour = _connection_type()["ui-field-behaviour"]
        return {
            "hidden_fields": behaviour["hidden-fields"],
            "relabeling": behaviour["relabeling"],
            "placeholders": behaviour["placeholders"],
        }

    def _send(
        self,
        request: HttpRequest,
        *,
        session: requests.Session | None = None,
        timeouts: tuple[float, float] | None = None,
    ) -> Answer:
        """Send a request once and read what comes back."""
        connection = self.connection
        session = session or self.get_conn()
        timeouts = timeouts or (CONNECT_TIMEOUT_SECONDS, connection.timeout_seconds)
        proxies = {"http": connection.proxy, "https": connection.proxy} if connection.proxy else {}
        try:
            # Prepared apart from the session: no cookies, and no credentials out of a .netrc.
            prepared = requests.Request(
                request.method, request.url, headers=dict(request.headers), data=request.body
            ).prepare()
            settings = session.merge_environment_settings(request.url, proxies, False, connection.verify, None)
            received = session.send(prepared, timeout=timeouts, allow_redirects=False, **settings)
        except requests.exceptions.RequestException as error:
            raise _failure(request, error, timeouts) from None
        except OSError:
            raise SopsInvalidParameterError(
                f"connection {self.sops_conn_id!r}: extra 'verify' names no file or folder of CA certificates"
            ) from None
        log.debug("%s %s: HTTP %s", request.method, request.shown_url, received.status_code)
        response = HttpResponse(received.status_code, received.headers, received.content)
        return connection.read(request, response)


def _failure(request: HttpRequest, error: Exception, timeouts: tuple[float, float]) -> Exception:
    """Return the error for what requests raised. Its own text and traceback may show the URL with its secrets."""
    known = requests.exceptions
    if isinstance(error, (known.InvalidURL, known.InvalidHeader, known.InvalidProxyURL)):
        return SopsInvalidParameterError(f"{request.shown_url}: the address or the proxy is malformed")
    if isinstance(error, known.ConnectTimeout):
        reason = f"no connection within {timeouts[0]:g} s"
        return connection_error(request, error, request_sent=False, reason=reason)
    if isinstance(error, known.ReadTimeout):
        reason = f"no answer within {timeouts[1]:g} s"
        return connection_error(request, error, request_sent=True, reason=reason)
    if isinstance(error, known.ProxyError):
        return connection_error(request, error, request_sent=False, reason="the proxy cannot be used")
    return connection_error(request, error, request_sent=not _never_sent(error))


def _never_sent(error: Exception) -> bool:
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, requests.exceptions.SSLError):
        return is_tls_handshake_failure(error)
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def _connection_type() -> dict[str, Any]:
    types = get_provider_info()["connection-types"]
    found: dict[str, Any] = next(entry for entry in types if entry["connection-type"] == SopsHook.conn_type)
    return found


def warn_about(connection: SopsConnection) -> None:
    """Log what is questionable about a connection, once in a process."""
    if connection.sends_secrets_in_plain_text:
        _warn_once(
            "%s is no https:// address: the app secret crosses the network in plain text.", connection.gateway.root
        )
    if connection.unused_extra:
        _warn_once(
            "The extra of the SOPS connection holds keys that mean nothing: %s.", ", ".join(connection.unused_extra)
        )


@functools.cache
def _warn_once(message: str, *values: str) -> None:
    log.warning(message, *values)

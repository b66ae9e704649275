"""The hook for SOPS: one method per call of its API, over one pooled HTTP session."""

from __future__ import annotations

import functools
import logging
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import requests
import tenacity
from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.hooks.diagnosis import diagnose
from airflow_provider_sops.service.retrying import retry_rules
from airflow_provider_sops.service.transport import send
from airflow_provider_sops.sops.calls import (
    NodeCalls,
    PluginCalls,
    ProjectCalls,
    ScheduleCalls,
    TaskCalls,
    TemplateCalls,
)
from airflow_provider_sops.sops.connection import SopsConnection, read_connection

if TYPE_CHECKING:
    from airflow_provider_sops.service.transport import TransportSettings
    from airflow_provider_sops.sops.answer import Answer
    from airflow_provider_sops.sops.gateway import HttpRequest

log = logging.getLogger(__name__)

#: Connecting and waiting for the answer of ``call_at_once``: whoever kills a worker's process waits for 5
#: seconds.
_HURRIED_CONNECT_SECONDS, _HURRIED_SILENCE_SECONDS = 1.0, 2.0


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
        settings = replace(
            self.connection.transport,
            connect_seconds=_HURRIED_CONNECT_SECONDS,
            silence_seconds=_HURRIED_SILENCE_SECONDS,
        )
        with requests.Session() as session:
            return self._send(request, session=session, settings=settings)

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
        settings: TransportSettings | None = None,
    ) -> Answer:
        """Send a request once and read what comes back."""
        response = send(session or self.get_conn(), request, settings or self.connection.transport)
        log.debug("%s %s: HTTP %s", request.method, request.shown_url, response.status)
        return self.connection.read(request, response)


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

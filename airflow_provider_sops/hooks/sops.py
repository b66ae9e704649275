"""The hook for SOPS: one method per call of its API, over one pooled HTTP session."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.hooks.configuration import max_answer_mb
from airflow_provider_sops.hooks.connection_form import field_behaviour, form_widgets
from airflow_provider_sops.hooks.diagnosis import diagnose
from airflow_provider_sops.hooks.session_hook import SessionHook, warn_about
from airflow_provider_sops.metrics import SOPS, TimedRequest
from airflow_provider_sops.service.calls import blocking, blocking_steps
from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.service.tracing import traced
from airflow_provider_sops.service.transport import new_session, send
from airflow_provider_sops.sops.calls import creation, nodes, projects, schedules, tasks, templates
from airflow_provider_sops.sops.connection import SopsConnection, read_connection
from airflow_provider_sops.sops.errors import SopsAuthError, SopsError
from airflow_provider_sops.version_compat import mask_secret

if TYPE_CHECKING:
    import requests

    from airflow_provider_sops.service.calls import Call, T
    from airflow_provider_sops.service.http import HttpRequest
    from airflow_provider_sops.service.settings import Limits
    from airflow_provider_sops.sops.answer import Answer
    from airflow_provider_sops.sops.models import TaskDetail, Template
    from airflow_provider_sops.sops.task_secrets import TaskSecrets

log = logging.getLogger(__name__)

#: For ``call_at_once``: a worker's process has 5 seconds before it is killed.
_TOTAL_SECONDS_AT_ONCE, _CONNECT_SECONDS_AT_ONCE = 3.0, 1.0


class SopsHook(SessionHook):
    """Call BlueKing SOPS through its API gateway or through ESB.

    Every call of SOPS's API is a method here, described in ``sops.calls``; ``call`` makes any of them by name.
    Repeatable
    calls are retried if their answer was lost (module ``service.retrying``); redirects are not
    followed; certificates are verified. Nothing is read or sent before the first call, so creating a hook is free. Not
    thread-safe.

    Also a context manager, which closes the session.

    :param sops_conn_id: the Airflow connection, of type ``sops``.
    :param bk_biz_id: the business; default: the connection's.
    :param scope: ``cmdb_biz`` if ``bk_biz_id`` is a CMDB business, ``project`` if it is a SOPS project; default: the
        connection's.
    """

    conn_name_attr = "sops_conn_id"
    default_conn_name = "sops_default"
    conn_type = "sops"
    hook_name = "BlueKing SOPS"
    service = "SOPS"
    credentials_refused = SopsAuthError

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

    @cached_property
    def connection(self) -> SopsConnection:
        """The Airflow connection, read once; its secrets are masked in logs from then on.

        :raises SopsInvalidParameterError: the connection is malformed.
        """
        connection = read_connection(
            self.get_connection(self.sops_conn_id),
            bk_biz_id=self.bk_biz_id,
            scope=self.scope,
            max_answer_mb=max_answer_mb(),
        )
        for secret in connection.secrets:
            mask_secret(secret)
        warn_about("SOPS", "app secret", connection.transport, connection.unused_extra)
        return connection

    @property
    def user(self) -> str | None:
        """The user that calls are made for; ``None`` if the connection has a token instead."""
        return self.connection.credentials.user

    def call(self, api: str, *, fresh: bool = False, **parameters: Any) -> Answer:
        """Call SOPS.

        :param api: the call's name in ``ENDPOINTS``.
        :param fresh: bypass SOPS's caches.
        :param parameters: the call's parameters, by SOPS's names, including the ids in its path. ``None`` is left out.
            ``bk_biz_id`` and ``scope`` default to the hook's.
        :return: the answer; ``data`` is unchanged.
        :raises SopsInvalidParameterError: there is no such call, or an id is missing or invalid; nothing was sent.
        :raises SopsError: the call failed.
        """
        request = self.connection.request(api, parameters, fresh=fresh)
        return self._again(request.api, lambda: self._send(request), repeatable=request.repeatable)

    def do(self, call: Call[T]) -> T:
        """Make a call of ``sops.calls`` as ``call`` does, and return its result."""
        request = self.connection.request(call.api, call.parameters, fresh=call.fresh)
        # An answer that cannot be read is a missing one.
        return self._again(call.api, lambda: call.result(self._send(request)), repeatable=request.repeatable)

    def call_once(self, api: str, **parameters: Any) -> Answer:
        """Call SOPS without retries."""
        return self._send(self.connection.request(api, parameters))

    def call_once_as_app(self, api: str, **parameters: Any) -> Answer | None:
        """Call SOPS without retries and without a verified user, whatever the connection's identity.

        :return: ``None`` if the connection has no other identity; nothing was sent.
        """
        connection = self.connection.as_app
        return None if connection is None else self._send(connection.request(api, parameters))

    def call_at_once(self, api: str, *, fresh: bool = False, **parameters: Any) -> Answer:
        """Call SOPS within about three seconds, in one attempt over a new session.

        For a process that is being killed: the session in use may be in the middle of a call.
        """
        request = self.connection.request(api, parameters, fresh=fresh)
        with new_session() as session:
            limits = self.connection.limits.within(_TOTAL_SECONDS_AT_ONCE, _CONNECT_SECONDS_AT_ONCE)
            return self._send(request, session=session, limits=limits)

    def do_at_once(self, call: Call[T]) -> T:
        """Make a call of ``sops.calls`` as ``call_at_once`` does, and return its result."""
        return call.result(self.call_at_once(call.api, fresh=call.fresh, **call.parameters))

    def revoke_at_once(self, task_id: int | str) -> None:
        """Revoke a task with ``call_at_once``.

        :raises SopsError: the task may still be running.
        """
        self.call_at_once("operate_task", task_id=task_id, action="revoke")

    def test_connection(self) -> tuple[bool, str]:
        """Return whether SOPS can be called, and one sentence that explains the result."""
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

    def know_passwords(self, task_id: int, secrets: TaskSecrets) -> None:
        """Hide in errors about a task also the passwords of the tasks around it; sends nothing."""
        self.connection.know_passwords(task_id, secrets)

    create_task = blocking(creation.create_task)
    create_and_start_task = blocking(creation.create_and_start_task)
    fast_create_task = blocking(creation.fast_create_task)
    start_task = blocking(tasks.start_task)
    operate_task = blocking(tasks.operate_task)
    claim_functionalization_task = blocking(creation.claim_functionalization_task)
    get_task_status = blocking(tasks.get_task_status)
    get_tasks_status = blocking_steps(tasks.get_tasks_status)
    get_task_detail = blocking(tasks.get_task_detail)
    get_task_list = blocking(tasks.get_task_list)
    get_task_effective_time = blocking(tasks.get_task_effective_time)
    get_task_operate_record = blocking_steps(tasks.get_task_operate_record)
    get_functionalization_task_list = blocking(creation.get_functionalization_task_list)

    operate_node = blocking(nodes.operate_node)
    node_callback = blocking(nodes.node_callback)
    get_task_node_detail = blocking(nodes.get_task_node_detail)
    get_task_node_data = blocking(nodes.get_task_node_data)
    get_task_node_log = blocking(nodes.get_task_node_log)

    get_template_list = blocking(templates.get_template_list)
    get_template_info = blocking(templates.get_template_info)
    get_common_template_list = blocking(templates.get_common_template_list)
    get_common_template_info = blocking(templates.get_common_template_info)
    get_template_schemes = blocking(templates.get_template_schemes)
    preview_task_tree = blocking(templates.preview_task_tree)
    import_project_template = blocking(templates.import_project_template)
    modify_template_notify = blocking(templates.modify_template_notify)
    modify_template_executor_proxy = blocking(templates.modify_template_executor_proxy)

    create_periodic_task = blocking(schedules.create_periodic_task)
    get_periodic_task_list = blocking(schedules.get_periodic_task_list)
    get_periodic_task_info = blocking(schedules.get_periodic_task_info)
    set_periodic_task_enabled = blocking(schedules.set_periodic_task_enabled)
    modify_cron_for_periodic_task = blocking(schedules.modify_cron_for_periodic_task)
    modify_constants_for_periodic_task = blocking(schedules.modify_constants_for_periodic_task)
    create_clocked_task = blocking(schedules.create_clocked_task)
    get_clocked_task_list = blocking(schedules.get_clocked_task_list)

    get_user_project_list = blocking(projects.get_user_project_list)
    get_user_project_detail = blocking(projects.get_user_project_detail)
    register_project = blocking(projects.register_project)
    modify_project_executor_proxy = blocking(projects.modify_project_executor_proxy)
    get_mini_app_list = blocking(projects.get_mini_app_list)

    get_plugin_list = blocking(projects.get_plugin_list)
    dispatch_plugin_query = blocking(projects.dispatch_plugin_query)

    def _send(
        self, request: HttpRequest, *, session: requests.Session | None = None, limits: Limits | None = None
    ) -> Answer:
        """Send a request once and read the answer; to an ESB that may be an older one, once more in its form."""
        connection, response = self.connection, None
        sent_within = limits or self._limited(connection.limits)
        try:
            with TimedRequest(SOPS, request.api, connection.transport.root):
                response = send(session or self.get_conn(), traced(request), connection.transport, sent_within)
                log.debug("%s %s: HTTP %s", request.method, request.shown_url, response.status)
                return connection.read(request, response)
        except SopsError as error:
            again, refusal = connection.for_older_esb(request, error), error
        if again is not None:
            return self._send(again, session=session, limits=limits)
        source = self._source_of_passwords(request, refusal) if session is None else None
        # Outside the block above: an error keeps the one that is being handled, and its words.
        raise connection.refusal(request, response, refusal, source)

    def _source_of_passwords(self, request: HttpRequest, error: SopsError) -> TaskDetail | Template | None:
        """Read what tells the passwords that an error may quote, if that is needed and possible."""
        call = self.connection.source_of_passwords(request, error)
        if call is None:
            return None
        try:
            return call.result(self.call_once(call.api, **call.parameters))
        except ServiceError:
            log.debug("Which passwords an error of %s may quote is not known.", request.api)
            return None

"""An Airflow connection of type ``sops``, checked and typed; works without Airflow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.connection_fields import TRANSPORT_KEYS, ConnectionFields, text_of
from airflow_provider_sops.service.secrets import Secrets
from airflow_provider_sops.service.settings import DEFAULT_ANSWER_MEBIBYTES, in_every_form
from airflow_provider_sops.sops import esb_credentials, known_passwords, refusal_secrets
from airflow_provider_sops.sops.answer import read_response
from airflow_provider_sops.sops.endpoints import endpoint
from airflow_provider_sops.sops.errors import TRANSPORT_ERRORS, SopsError
from airflow_provider_sops.sops.gateway import (
    APP_IDENTITY,
    DEFAULT_SCOPE,
    DEFAULT_STAGE,
    IDENTITIES,
    SCOPES,
    USER_IDENTITY,
    ApiGateway,
    Credentials,
    Esb,
    Gateway,
    build_request,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.calls import Call
    from airflow_provider_sops.service.connection_fields import AirflowConnection
    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.service.http import HttpRequest, HttpResponse
    from airflow_provider_sops.service.settings import Limits, TransportSettings
    from airflow_provider_sops.sops.answer import Answer
    from airflow_provider_sops.sops.models import TaskDetail, Template
    from airflow_provider_sops.sops.task_secrets import TaskSecrets

#: The known keys of the extra; others are ignored.
EXTRA_KEYS = (
    "gateway",
    "stage",
    "identity",
    "tenant_id",
    "bk_username",
    "bk_token",
    "access_token",
    "bk_biz_id",
    "scope",
    *TRANSPORT_KEYS,
)


@dataclass(frozen=True, slots=True)
class SopsConnection:
    """How to reach one SOPS, and as whom.

    :param bk_biz_id: the default business; ``None``: every call must name one.
    :param scope: what ``bk_biz_id`` is, ``cmdb_biz`` or ``project``.
    :param transport: how to reach the service.
    :param limits: the limits of one request.
    :param unused_extra: unknown keys of the extra, perhaps misspelt.
    """

    gateway: Gateway
    credentials: Credentials
    transport: TransportSettings
    limits: Limits
    bk_biz_id: str | None = None
    scope: str = DEFAULT_SCOPE
    unused_extra: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown, also as URL-encoded by ESB."""
        return in_every_form((*self.credentials.secrets, *self.transport.secrets))

    @property
    def as_app(self) -> SopsConnection | None:
        """The same connection without a verified user; ``None`` if it is one already, or has no such resources."""
        if not isinstance(self.gateway, ApiGateway) or self.gateway.identity == APP_IDENTITY:
            return None
        return replace(self, gateway=replace(self.gateway, identity=APP_IDENTITY))

    def request(self, api: str, parameters: Mapping[str, Any], *, fresh: bool = False) -> HttpRequest:
        """Return the request for a call; the connection's business and scope are the defaults.

        :raises SopsInvalidParameterError: see ``endpoint`` and ``build_request``.
        """
        row = endpoint(api)
        given = dict(parameters)
        scope = self.scope
        if row.scoped:
            scope = given.pop("scope", None) or scope
            if given.get("bk_biz_id") is None:
                given["bk_biz_id"] = self.bk_biz_id
        request = build_request(self.gateway, self.credentials, row, given, scope=scope, fresh=fresh)
        if isinstance(self.gateway, Esb):
            return esb_credentials.as_this_esb_takes_it(self.gateway.root, request, self.credentials.as_parameters())
        return request

    def read(self, request: HttpRequest, response: HttpResponse) -> Answer:
        """Return the answer to a request of this connection, and remember the passwords in it.

        Raises as ``read_response`` does. A flow's passwords are not hidden in such an error yet: see ``refusal``.
        """
        answer = self._read(request, response, Secrets())
        if isinstance(self.gateway, Esb):
            esb_credentials.note_success(self.gateway.root, request, self.credentials.as_parameters())
        known_passwords.learn(self._place, request, answer.data)

        def unusable(reason: str) -> ServiceError:
            error = answer.unusable(reason)
            return self.refusal(request, None, error) if isinstance(error, SopsError) else error

        return replace(answer, unusable=unusable)

    def source_of_passwords(self, request: HttpRequest, error: SopsError) -> Call[TaskDetail] | Call[Template] | None:
        """Return the call whose answer ``refusal`` needs for an error, if there is one."""
        return refusal_secrets.source_of_passwords(self._place, request, error)

    def refusal(
        self,
        request: HttpRequest,
        response: HttpResponse | None,
        error: SopsError,
        source: TaskDetail | Template | None = None,
    ) -> SopsError:
        """Return the error of a request without passwords of the flow that it is about. Slow for a large flow.

        :param response: what came back, if anything.
        :param source: the answer to the call of ``source_of_passwords``, if it was made.
        """

        def read_again(secrets: Secrets) -> SopsError | None:
            if response is None:
                return None
            try:
                self._read(request, response, secrets)
            except SopsError as same:
                return same.with_traceback(None)
            return None

        return refusal_secrets.without_passwords(self._place, request, error, source, read_again)

    def know_passwords(self, task_id: int, secrets: TaskSecrets) -> None:
        """Remember passwords that a task does not tell itself: those of the tasks around it.

        :param secrets: of the task and those around it.
        """
        subject = known_passwords.Subject(self._place, known_passwords.TASK, str(task_id))
        known_passwords.memory.add(subject, secrets.known_texts, are_all=secrets.are_all_known)

    @property
    def _place(self) -> str:
        """The address of the gateway to the SOPS whose ids these are."""
        stage = self.gateway.stage if isinstance(self.gateway, ApiGateway) else ""
        return f"{self.gateway.root} {stage}"

    def _read(self, request: HttpRequest, response: HttpResponse, secrets: Secrets) -> Answer:
        hidden = Secrets((*self.credentials.secrets, *self.transport.secrets)) | secrets
        return read_response(endpoint(request.api), response, ids=request.ids, conceal=hidden.hide_in)

    def for_older_esb(self, request: HttpRequest, error: SopsError) -> HttpRequest | None:
        """Return the request to send instead of one that has failed; ``None``: the error stands."""
        if not isinstance(self.gateway, Esb):
            return None
        return esb_credentials.once_more(self.gateway.root, request, self.credentials.as_parameters(), error)


def read_connection(
    connection: AirflowConnection,
    *,
    bk_biz_id: int | str | None = None,
    scope: str | None = None,
    max_answer_mb: float = DEFAULT_ANSWER_MEBIBYTES,
) -> SopsConnection:
    """Read an Airflow connection.

    Host is the gateway's address, ``https://`` if it has no scheme; port is used if the host has none. Login is
    ``bk_app_code``, password ``bk_app_secret``. The extra may hold what ``EXTRA_KEYS`` lists.

    :param bk_biz_id: overrides the connection's.
    :param scope: overrides the connection's.
    :param max_answer_mb: how large an answer may be if the extra does not say, in MiB.
    :raises SopsInvalidParameterError: the connection is malformed; the text names the field or key, never a secret.
    """
    fields = ConnectionFields.of(connection, TRANSPORT_ERRORS)
    kind = fields.choice("gateway", ("apigw", "esb"), default="apigw")
    identity = fields.choice("identity", IDENTITIES, default=USER_IDENTITY)
    if kind == "esb" and identity == APP_IDENTITY:
        raise fields.malformed("extra 'identity' is 'app', which ESB does not have; set 'gateway' to 'apigw'")
    transport = fields.transport()
    access_token = fields.text("access_token")
    if not access_token:
        fields.required("login", "bk_app_code")
        fields.required("password", "bk_app_secret")
    stage = fields.text("stage") or DEFAULT_STAGE
    return SopsConnection(
        gateway=Esb(transport.root) if kind == "esb" else ApiGateway(transport.root, stage=stage, identity=identity),
        credentials=Credentials(
            text_of(connection.login),
            text_of(connection.password),
            bk_username=fields.text("bk_username"),
            bk_token=fields.text("bk_token"),
            access_token=access_token,
            tenant_id=fields.header_text("tenant_id"),
        ),
        transport=transport,
        bk_biz_id=text_of(bk_biz_id) or fields.whole_number("bk_biz_id"),
        scope=scope or fields.choice("scope", SCOPES, default=DEFAULT_SCOPE),
        limits=fields.limits(max_answer_mb),
        unused_extra=fields.unused(EXTRA_KEYS),
    )

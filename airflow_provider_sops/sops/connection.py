"""An Airflow connection of type ``sops``, checked and typed. Needs no Airflow: any object of that shape will do."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

from airflow_provider_sops.service.connection_fields import ConnectionFields, MalformedConnectionError, text_of
from airflow_provider_sops.service.transport import TransportSettings
from airflow_provider_sops.sops.answer import read_response
from airflow_provider_sops.sops.endpoints import endpoint
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.gateway import (
    DEFAULT_SCOPE,
    DEFAULT_STAGE,
    SCOPES,
    ApiGateway,
    Credentials,
    Esb,
    Gateway,
    build_request,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.answer import Answer, HttpResponse
    from airflow_provider_sops.sops.gateway import HttpRequest

#: The keys of the extra that mean something; all others are left alone.
EXTRA_KEYS = (
    "gateway",
    "stage",
    "bk_username",
    "bk_token",
    "access_token",
    "bk_biz_id",
    "scope",
    "verify",
    "proxy",
    "timeout_seconds",
)

CONNECT_TIMEOUT_SECONDS = 5.0
#: How long a server may be silent before its answer counts as lost.
DEFAULT_TIMEOUT_SECONDS = 30.0


class AirflowConnection(Protocol):
    """The part of Airflow's ``Connection`` that is read here."""

    conn_id: Any
    host: Any
    port: Any
    schema: Any
    login: Any
    password: Any
    extra: Any


@dataclass(frozen=True, slots=True)
class SopsConnection:
    """How to reach one SOPS, and as whom.

    :param bk_biz_id: the business for calls that name none; ``None``: every call must name one.
    :param scope: what ``bk_biz_id`` is, ``cmdb_biz`` or ``project``.
    :param verify: whether to verify TLS certificates, or the file or folder of the CA certificates to do it
        with.
    :param proxy: address of an HTTP proxy; ``None``: what the environment says (``HTTPS_PROXY`` and the
        like).
    :param timeout_seconds: how long the server may be silent before its answer counts as lost.
    :param unused_extra: keys in the extra that mean nothing, perhaps misspelt.
    """

    gateway: Gateway
    credentials: Credentials
    bk_biz_id: str | None = None
    scope: str = DEFAULT_SCOPE
    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    unused_extra: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must not be shown anywhere, also in the form that a URL holds them in.

        ESB takes them in the URL, which HTTP libraries log at level DEBUG.
        """
        password = urlsplit(self.proxy).password if self.proxy else None
        plain = (*self.credentials.secrets, *((password,) if password else ()))
        return tuple(dict.fromkeys((*plain, *(quote(secret, safe="") for secret in plain))))

    @property
    def sends_secrets_in_plain_text(self) -> bool:
        """Whether the way to the gateway is unencrypted and leaves this machine."""
        parts = urlsplit(self.gateway.root)
        if parts.scheme != "http" or parts.hostname == "localhost":
            return False
        try:
            return not ipaddress.ip_address(parts.hostname or "").is_loopback
        except ValueError:
            return True

    @property
    def transport(self) -> TransportSettings:
        """What is to be observed on the way."""
        return TransportSettings(
            root=self.gateway.root,
            verify=self.verify,
            proxy=self.proxy,
            connect_seconds=CONNECT_TIMEOUT_SECONDS,
            silence_seconds=self.timeout_seconds,
        )

    def request(self, api: str, parameters: Mapping[str, Any], *, fresh: bool = False) -> HttpRequest:
        """Return the request for a call; the connection's business and scope stand in where none are named.

        :raises SopsInvalidParameterError: see ``endpoint`` and ``build_request``.
        """
        row = endpoint(api)
        given = dict(parameters)
        scope = self.scope
        if row.scoped:
            scope = given.pop("scope", None) or scope
            if given.get("bk_biz_id") is None:
                given["bk_biz_id"] = self.bk_biz_id
        return build_request(self.gateway, self.credentials, row, given, scope=scope, fresh=fresh)

    def read(self, request: HttpRequest, response: HttpResponse) -> Answer:
        """Return the answer to a request of this connection; raises as ``read_response`` does."""
        return read_response(endpoint(request.api), response, ids=request.ids, conceal=self.credentials.conceal)


def read_connection(
    connection: AirflowConnection, *, bk_biz_id: int | str | None = None, scope: str | None = None
) -> SopsConnection:
    """Read an Airflow connection.

    Host is the gateway's address, with ``https://`` unless it says otherwise; port is used where the host has
    none. Login is ``bk_app_code``, password ``bk_app_secret``. The extra may hold what ``EXTRA_KEYS`` lists.

    :param bk_biz_id: instead of the connection's.
    :param scope: instead of the connection's.
    :raises SopsInvalidParameterError: the text names the field or key, and never a secret.
    """
    try:
        return _read(ConnectionFields.of(connection), bk_biz_id=bk_biz_id, scope=scope)
    except MalformedConnectionError as error:
        raise SopsInvalidParameterError(str(error)) from None


def _read(fields: ConnectionFields, *, bk_biz_id: int | str | None, scope: str | None) -> SopsConnection:
    kind = fields.choice("gateway", ("apigw", "esb"), default="apigw")
    root = fields.root()
    access_token = fields.text("access_token")
    app_code, app_secret = text_of(fields.connection.login), text_of(fields.connection.password)
    if not access_token:
        fields.required("login", "bk_app_code")
        fields.required("password", "bk_app_secret")
    return SopsConnection(
        gateway=Esb(root) if kind == "esb" else ApiGateway(root, stage=fields.text("stage") or DEFAULT_STAGE),
        credentials=Credentials(
            app_code,
            app_secret,
            bk_username=fields.text("bk_username"),
            bk_token=fields.text("bk_token"),
            access_token=access_token,
        ),
        bk_biz_id=text_of(bk_biz_id) or fields.whole_number("bk_biz_id"),
        scope=scope or fields.choice("scope", SCOPES, default=DEFAULT_SCOPE),
        verify=fields.switch_or_path("verify"),
        proxy=fields.url("proxy"),
        timeout_seconds=fields.seconds("timeout_seconds", default=DEFAULT_TIMEOUT_SECONDS),
        unused_extra=tuple(sorted(set(fields.extra) - set(EXTRA_KEYS))),
    )

"""An Airflow connection of type ``sops``, checked and typed. Needs no Airflow: any object of that shape will do."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

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

_WORDS_FOR_TRUE = ("true", "1", "yes", "on")
_WORDS_FOR_FALSE = ("false", "0", "no", "off")


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
    extra = _Extra(_text(connection.conn_id), _read_extra(connection))
    kind = extra.choice("gateway", ("apigw", "esb"), default="apigw")
    root = _read_root(connection)
    access_token = extra.text("access_token")
    app_code, app_secret = _text(connection.login), _text(connection.password)
    if not access_token:
        for value, place in ((app_code, "login (bk_app_code)"), (app_secret, "password (bk_app_secret)")):
            if not value:
                raise _malformed(_text(connection.conn_id), f"{place} is empty")
    return SopsConnection(
        gateway=Esb(root) if kind == "esb" else ApiGateway(root, stage=extra.text("stage") or DEFAULT_STAGE),
        credentials=Credentials(
            app_code,
            app_secret,
            bk_username=extra.text("bk_username"),
            bk_token=extra.text("bk_token"),
            access_token=access_token,
        ),
        bk_biz_id=_text(bk_biz_id) or extra.id("bk_biz_id"),
        scope=scope or extra.choice("scope", SCOPES, default=DEFAULT_SCOPE),
        verify=extra.switch_or_path("verify"),
        proxy=extra.url("proxy"),
        timeout_seconds=extra.seconds("timeout_seconds", default=DEFAULT_TIMEOUT_SECONDS),
        unused_extra=tuple(sorted(set(extra.values) - set(EXTRA_KEYS))),
    )


@dataclass(frozen=True, slots=True)
class _Extra:
    """The connection's extra. Forms send texts and empty texts, JSON sends any type: both are read alike."""

    conn_id: str
    values: Mapping[str, Any] = field(repr=False)

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return (value or "").strip() or None
        raise _malformed(self.conn_id, f"extra {key!r} is no text")

    def choice(self, key: str, choices: tuple[str, ...], *, default: str) -> str:
        value = self.text(key) or default
        if value in choices:
            return value
        raise _malformed(self.conn_id, f"extra {key!r} is {value!r}, not one of {', '.join(choices)}")

    def id(self, key: str) -> str | None:
        value = _text(self.values.get(key))
        if not value or (value.isascii() and value.isdigit() and int(value) > 0):
            return value or None
        raise _malformed(self.conn_id, f"extra {key!r} is {value!r}, not a positive whole number")

    def switch_or_path(self, key: str) -> bool | str:
        value = self.values.get(key)
        if isinstance(value, bool):
            return value
        text = _text(value)
        if not text or text.lower() in _WORDS_FOR_TRUE:
            return True
        return False if text.lower() in _WORDS_FOR_FALSE else text

    def url(self, key: str) -> str | None:
        value = self.text(key)
        if value is None:
            return None
        parts = _split_url(value)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise _malformed(self.conn_id, f"extra {key!r} is no http:// or https:// address")
        return value

    def seconds(self, key: str, *, default: float) -> float:
        value = self.values.get(key)
        if value is None or value == "":
            return default
        try:
            number = float(value) if not isinstance(value, bool) else 0.0
        except (TypeError, ValueError):
            number = 0.0
        if 0 < number < float("inf"):
            return number
        raise _malformed(self.conn_id, f"extra {key!r} is {value!r}, not a number of seconds above 0")


def _read_extra(connection: AirflowConnection) -> Mapping[str, Any]:
    text = connection.extra
    if not text:
        return {}
    try:
        extra = json.loads(text)
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise _malformed(_text(connection.conn_id), "extra is no JSON object")
    return extra


def _read_root(connection: AirflowConnection) -> str:
    conn_id, host = _text(connection.conn_id), _text(connection.host)
    if not host:
        raise _malformed(conn_id, "host is empty; it is the gateway's address")
    if "://" not in host:
        host = f"{'http' if _text(connection.schema).lower() == 'http' else 'https'}://{host}"
    parts = _split_url(host.rstrip("/"))
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise _malformed(conn_id, "host is no http:// or https:// address")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise _malformed(conn_id, "host holds a query, a fragment or a user; it is only the gateway's address")
    if connection.port and parts.port is None:
        parts = parts._replace(netloc=f"{parts.netloc}:{connection.port}")
    return str(parts.geturl())


def _split_url(url: str) -> Any:
    """Return the parts of an address; ``None`` where it is none, such as one with a port that is no number."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:
        return None
    return parts


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _malformed(conn_id: str, reason: str) -> SopsInvalidParameterError:
    return SopsInvalidParameterError(f"connection {conn_id!r}: {reason}")

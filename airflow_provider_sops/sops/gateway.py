"""Build the HTTP request for a call from its parameters and the app's credentials.

SOPS is reached through one of two gateways, which have the same calls under the same names:

- the **API gateway** of BlueKing: ``{root}/{stage}/create_task/{template_id}/{bk_biz_id}/``, with credentials in the
  header ``X-Bkapi-Authorization``. Apps without a verified user call ``{root}/{stage}/system/create_task/...``;
- **ESB**, the older one: ``{root}/api/c/compapi/v2/sops/create_task/``, where ids are ordinary parameters: in the
  query of a GET, in the body of a POST. Credentials are in the same header, and in the body of a POST for older ESBs.
  Some of these take them from the query of a GET alone (``sops.esb_credentials``). Secrets are then part of the URL,
  so the URL of an ``HttpRequest`` is not in its ``repr`` and must not appear in errors; ``shown_url`` is safe to show.

On a platform with several tenants, every request names the tenant in the header ``X-Bk-Tenant-Id``.

Nothing here sends anything. ``read_response`` (module ``answer``) reads the answer.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import quote, urlencode

from airflow_provider_sops import __version__
from airflow_provider_sops.service.http import HttpRequest, write_json
from airflow_provider_sops.service.secrets import Secrets
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.endpoints import Endpoint

DEFAULT_STAGE = "prod"
#: ``bk_biz_id`` is the id of a CMDB business.
DEFAULT_SCOPE = "cmdb_biz"
#: The other scope, ``project``: ``bk_biz_id`` is SOPS's own project id. SOPS treats any other word as this.
SCOPES = (DEFAULT_SCOPE, "project")

#: As whom the API gateway is called: a user, by the plain resources.
USER_IDENTITY = "user"
#: The app alone, by the resources below ``system/``; ``bk_username`` is then a name that nobody verifies.
APP_IDENTITY = "app"
IDENTITIES = (USER_IDENTITY, APP_IDENTITY)

_USER_AGENT = f"airflow-provider-sops/{__version__}"
#: SOPS ignores this parameter, but it is part of its cache key.
_CACHE_BYPASS = "_nc"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A BlueKing app and the user it acts for.

    :param bk_username: the user, for apps that may act for any user.
    :param bk_token: the user's login token instead.
    :param access_token: the user's access token instead.
    :param tenant_id: the tenant in which they act, on a platform with several.
    """

    bk_app_code: str
    bk_app_secret: str = field(repr=False)
    bk_username: str | None = None
    bk_token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    tenant_id: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown."""
        return tuple(filter(None, (self.bk_app_secret, self.bk_token, self.access_token)))

    @property
    def user(self) -> str | None:
        """The user under whom SOPS keeps what is created; ``None``: only the gateway knows whose the token is."""
        return None if self.bk_token or self.access_token else self.bk_username

    def as_parameters(self) -> dict[str, str]:
        """Return the fields that are set, by BlueKing's names."""
        values = {
            "bk_app_code": self.bk_app_code,
            "bk_app_secret": self.bk_app_secret,
            "bk_username": self.bk_username,
            "bk_token": self.bk_token,
            "access_token": self.access_token,
        }
        return {name: value for name, value in values.items() if value}

    @property
    def has_token(self) -> bool:
        """Whether a token proves who the user is; without one, ``bk_username`` is a bare name."""
        return bool(self.bk_token or self.access_token)

    @property
    def tenant_headers(self) -> dict[str, str]:
        """The header that names the tenant, if there is one."""
        return {"X-Bk-Tenant-Id": self.tenant_id} if self.tenant_id else {}

    def conceal(self, text: str) -> str:
        """Return ``text`` with every secret, however escaped, replaced by ``***``."""
        return Secrets(self.secrets).hide_in(text)


class Gateway(Protocol):
    """A gateway to SOPS: the address of a call, and where its ids and the credentials go."""

    kind: ClassVar[str]

    @property
    def root(self) -> str:
        """The gateway's address, without a trailing slash."""

    def url(self, endpoint: Endpoint, ids: Mapping[str, str]) -> str:
        """Return the call's address without a query.

        :raises SopsInvalidParameterError: the gateway does not have the call for this identity.
        """

    def headers(self, credentials: Credentials) -> dict[str, str]:
        """Return the headers that carry the credentials."""

    def parameters(self, credentials: Credentials, ids: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters to add to the call's own."""

    def body_parameters(self, credentials: Credentials) -> dict[str, str]:
        """Return the parameters to add to those of a POST."""


@dataclass(frozen=True, slots=True)
class ApiGateway:
    """BlueKing's API gateway.

    :param root: address of SOPS's gateway, for example ``https://bkapi.example.com/api/bk-sops``.
    :param stage: the gateway's stage.
    :param identity: as whom it is called, one of ``IDENTITIES``.
    """

    root: str
    stage: str = DEFAULT_STAGE
    identity: str = USER_IDENTITY
    kind: ClassVar[str] = "apigw"

    def url(self, endpoint: Endpoint, ids: Mapping[str, str]) -> str:
        """Return ``{root}/{stage}/{path}``, the ids in the path.

        :raises SopsInvalidParameterError: the call is for users alone, and the identity is the app's.
        """
        path = endpoint.app_path if self.identity == APP_IDENTITY else endpoint.path
        if path is None:
            raise SopsInvalidParameterError(
                "SOPS has this call for users alone, and the connection's identity is 'app'; nothing was sent",
                api=endpoint.name,
                ids=ids,
                advice="Use a connection with identity 'user' and the bk_token or access_token of a user.",
            )
        return f"{self.root}/{quote(self.stage, safe='')}/{path.format_map(ids)}"

    def headers(self, credentials: Credentials) -> dict[str, str]:
        """Return the header ``X-Bkapi-Authorization``, whose value is JSON in ASCII."""
        return _authorization(credentials)

    def parameters(self, credentials: Credentials, ids: Mapping[str, str]) -> dict[str, str]:
        """Return nothing: ids are in the path, credentials in a header."""
        return {}

    def body_parameters(self, credentials: Credentials) -> dict[str, str]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class Esb:
    """BlueKing's ESB.

    :param root: address of the platform, for example ``https://paas.example.com``.
    """

    root: str
    kind: ClassVar[str] = "esb"

    def url(self, endpoint: Endpoint, ids: Mapping[str, str]) -> str:
        """Return ``{root}/api/c/compapi/v2/sops/{name}/``; the ids are parameters."""
        return f"{self.root}/api/c/compapi/v2/sops/{endpoint.name}/"

    def headers(self, credentials: Credentials) -> dict[str, str]:
        """Return the header ``X-Bkapi-Authorization``, which older ESBs ignore."""
        return _authorization(credentials)

    def parameters(self, credentials: Credentials, ids: Mapping[str, str]) -> dict[str, str]:
        """Return the ids."""
        return dict(ids)

    def body_parameters(self, credentials: Credentials) -> dict[str, str]:
        """Return the credentials, which older ESBs read there."""
        return credentials.as_parameters()


def build_request(
    gateway: Gateway,
    credentials: Credentials,
    endpoint: Endpoint,
    parameters: Mapping[str, Any],
    *,
    scope: str = DEFAULT_SCOPE,
    fresh: bool = False,
) -> HttpRequest:
    """Return the request for a call.

    :param gateway: the gateway to SOPS.
    :param credentials: the app and the user.
    :param endpoint: the call.
    :param parameters: all parameters of the call, including the ids in its path, by SOPS's names. ``None`` is left out.
        In a query, lists and objects are written as JSON, ``True`` as ``true``.
    :param scope: what ``bk_biz_id`` means, one of ``SCOPES``. Sent only if it is not the default.
    :param fresh: bypass SOPS's caches (10 s for a state, 60 s for a detail), which are per server process.
    :raises SopsInvalidParameterError: an id is missing or not a positive number, the scope is unknown, a value cannot
        be written as JSON, or the call is for users alone and the gateway is called as an app.
    """
    if scope not in SCOPES:
        raise SopsInvalidParameterError(
            f"scope is {scope!r}", api=endpoint.name, advice=f"It must be one of: {', '.join(SCOPES)}."
        )
    given = {name: value for name, value in parameters.items() if value is not None}
    ids = {name: _read_id(endpoint, name, given.pop(name, None)) for name in endpoint.path_parameters}
    given.update(gateway.parameters(credentials, ids))
    if endpoint.scoped and scope != DEFAULT_SCOPE:
        given["scope"] = scope
    if fresh:
        given[_CACHE_BYPASS] = uuid.uuid4().hex

    url = gateway.url(endpoint, ids)
    headers = {
        "Accept": "application/json",
        "User-Agent": _USER_AGENT,
        **gateway.headers(credentials),
        **credentials.tenant_headers,
    }
    body = None
    if endpoint.method == "POST":
        headers["Content-Type"] = "application/json"
        body = _write_json(endpoint, {**given, **gateway.body_parameters(credentials)})
    elif given:
        query = {name: _write_query_value(endpoint, value) for name, value in given.items()}
        url += "?" + urlencode(query, quote_via=quote)
    return HttpRequest(endpoint.name, endpoint.method, url, headers, body, endpoint.repeatable, ids)


def _authorization(credentials: Credentials) -> dict[str, str]:
    return {"X-Bkapi-Authorization": json.dumps(credentials.as_parameters())}


def _read_id(endpoint: Endpoint, name: str, value: Any) -> str:
    """Return an id for use in a path. SOPS redirects to a web page if an id is not a number."""
    if value is None or value == "":
        advice = "Set bk_biz_id in the connection's extra, or pass it." if name == "bk_biz_id" else None
        raise SopsInvalidParameterError(f"{name} is missing", api=endpoint.name, advice=advice)
    text = value.strip() if isinstance(value, str) else str(value)
    if isinstance(value, (int, str)) and text.isascii() and text.isdigit() and int(text) > 0:
        return text
    raise SopsInvalidParameterError(
        f"{name} is {value!r}", api=endpoint.name, advice="It must be a positive whole number."
    )


def _write_json(endpoint: Endpoint, value: Any) -> bytes:
    return write_json(value, api=endpoint.name, error=SopsInvalidParameterError)


def _write_query_value(endpoint: Endpoint, value: Any) -> str:
    text = _write_json(endpoint, value).decode()
    return value if isinstance(value, str) else text

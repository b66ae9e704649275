"""An Airflow connection of type ``enos``, checked and typed; works without Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.answer import read_response
from airflow_provider_sops.enos.endpoints import endpoint
from airflow_provider_sops.enos.errors import TRANSPORT_ERRORS
from airflow_provider_sops.enos.gateway import API_VERSIONS, Address, ApiVersion, Credentials, build_request
from airflow_provider_sops.enos.tokens import GET_TOKEN, REFRESH_TOKEN, AccessToken, read_token, token_request
from airflow_provider_sops.service.connection_fields import TRANSPORT_KEYS, ConnectionFields, text_of
from airflow_provider_sops.service.settings import in_every_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.answer import Answer
    from airflow_provider_sops.service.connection_fields import AirflowConnection
    from airflow_provider_sops.service.http import HttpRequest, HttpResponse
    from airflow_provider_sops.service.settings import Limits, TransportSettings

#: The known keys of the extra; others are ignored.
EXTRA_KEYS = ("user_id", "org_id", "api_version", *TRANSPORT_KEYS)


@dataclass(frozen=True, slots=True)
class EnosConnection:
    """How to reach one EnOS, and as whom.

    :param transport: how to reach the service.
    :param limits: the limits of one request.
    :param unused_extra: unknown keys of the extra, perhaps misspelt.
    """

    address: Address
    credentials: Credentials
    transport: TransportSettings
    limits: Limits
    unused_extra: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown, also URL-encoded."""
        return in_every_form((self.credentials.secret_key, *self.transport.secrets))

    def request(self, api: str, parameters: Mapping[str, Any], *, token: AccessToken, timestamp: str) -> HttpRequest:
        """Return the signed request for a call; raises as ``endpoint`` and ``build_request`` do."""
        return build_request(
            self.address,
            self.credentials,
            endpoint(api),
            parameters,
            access_token=token.value,
            timestamp=timestamp,
        )

    def read(self, request: HttpRequest, response: HttpResponse, *, token: AccessToken) -> Answer:
        """Return the answer to a request of this connection; raises as ``read_response`` does."""

        def conceal(text: str) -> str:
            return self.credentials.conceal(text, token.value)

        return read_response(endpoint(request.api), response, ids=request.ids, conceal=conceal)

    def token_request(self, *, timestamp: str, to_replace: AccessToken | None) -> HttpRequest:
        """Return the request for a token."""
        return token_request(self.address.root, self.credentials, timestamp=timestamp, to_replace=to_replace)

    def read_token(self, request: HttpRequest, response: HttpResponse, *, asked_at: float) -> AccessToken:
        """Return the token in an answer; raises as ``read_response`` does."""
        row = GET_TOKEN if request.api == GET_TOKEN.name else REFRESH_TOKEN
        answer = read_response(row, response, ids=request.ids, conceal=self.credentials.conceal)
        return read_token(answer.data, asked_at=asked_at)


def read_enos_connection(
    connection: AirflowConnection, *, user_id: str | None = None, org_id: str | None = None
) -> EnosConnection:
    """Read an Airflow connection.

    Host is the API gateway's address, ``https://`` if it has no scheme; port is used if the host has none. Login is the
    AccessKey, password the SecretKey. The extra may hold what ``EXTRA_KEYS`` lists.

    :param user_id: overrides the connection's.
    :param org_id: overrides the connection's.
    :raises EnosInvalidParameterError: the connection is malformed; the text names the field or key, never a secret.
    """
    fields = ConnectionFields.of(connection, TRANSPORT_ERRORS)
    version = fields.choice("api_version", API_VERSIONS, default="v2.1")
    transport = fields.transport()
    return EnosConnection(
        address=Address(transport.root, _read_version(version)),
        credentials=Credentials(
            fields.required("login", "AccessKey"),
            fields.required("password", "SecretKey"),
            user_id=text_of(user_id) or fields.text("user_id"),
            org_id=text_of(org_id) or fields.text("org_id"),
        ),
        transport=transport,
        limits=fields.limits(),
        unused_extra=fields.unused(EXTRA_KEYS),
    )


def _read_version(text: str) -> ApiVersion:
    return next(version for version in API_VERSIONS if version == text)

"""Build the signed HTTP request for a call from its parameters, the app's credentials and a token.

Nothing here sends anything. ``read_response`` (module ``answer``) reads the answer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

from airflow_provider_sops import __version__
from airflow_provider_sops.enos.errors import EnosInvalidParameterError
from airflow_provider_sops.enos.paging import Page
from airflow_provider_sops.service.http import HttpRequest, write_json
from airflow_provider_sops.service.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.enos.endpoints import Endpoint


def token_encryption(*, access_key: str, secret_key: str, timestamp: str) -> str:
    """Return the ``encryption`` of a request for a token.

    :param timestamp: milliseconds since the epoch. EnOS refuses a second request with the same ``encryption``, so each
        request needs a new timestamp.
    """
    return hashlib.sha256(f"{access_key}{timestamp}{secret_key}".encode()).hexdigest()


def signature(
    *,
    access_token: str,
    secret_key: str,
    timestamp: str,
    query: Mapping[str, str],
    body: bytes = b"",
) -> str:
    """Return the ``apim-signature`` of a call. Path, host and method are not part of it.

    :param timestamp: milliseconds since the epoch, as sent in the header ``apim-timestamp``.
    :param query: every query parameter, including ``action``, *before* it is escaped for the URL. A parameter with an
        empty value contributes only its name.
    :param body: the exact bytes sent; empty for a GET.
    """
    # The gateway sorts names as Java does: by UTF-16 code units.
    names = sorted(query, key=lambda name: name.encode("utf-16-be"))
    parameters = "".join(f"{name}{query[name]}" for name in names)
    signed = f"{access_token}{parameters}".encode() + body + f"{timestamp}{secret_key}".encode()
    return hashlib.sha256(signed).hexdigest()


ApiVersion = Literal["v2.1", "v2.0"]
API_VERSIONS: tuple[ApiVersion, ...] = ("v2.1", "v2.0")
#: Until version 2.1.2 of EnOS the service had another name.
_SERVICES: Mapping[ApiVersion, str] = {"v2.1": "batch-processing-service", "v2.0": "dataflow-batch-service"}
#: The number of a list's first page.
_FIRST_PAGE: Mapping[ApiVersion, int] = {"v2.1": 1, "v2.0": 0}

USER_AGENT = f"airflow-provider-sops/{__version__}"
#: Parameters that errors and logs show as the call's ids.
_ID_PARAMETERS = ("taskInstId", "flowInstId", "flowId", "taskId", "dirId", "id")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An app registered with EnOS, and the user it acts for.

    :param access_key: the app's AccessKey.
    :param secret_key: the app's SecretKey. It is never sent.
    :param user_id: the user, for every call except those about the time.
    :param org_id: the user's organisation.
    """

    access_key: str
    secret_key: str = field(repr=False)
    user_id: str | None = None
    org_id: str | None = None

    def conceal(self, text: str, access_token: str = "") -> str:
        """Return ``text`` with the secret key and the token replaced by ``***``."""
        return Secrets((self.secret_key, access_token)).hide_in(text)


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a batch processing service.

    :param root: address of the API gateway without a trailing slash, for example ``https://apim-cn5.enos-iot.com``.
    :param version: of the API.
    """

    root: str
    version: ApiVersion = "v2.1"

    def url(self, endpoint: Endpoint) -> str:
        """Return a call's address without the query."""
        return f"{self.root}/{_SERVICES[self.version]}/{self.version}/{endpoint.resource}"


def build_request(
    address: Address,
    credentials: Credentials,
    endpoint: Endpoint,
    parameters: Mapping[str, Any],
    *,
    access_token: str,
    timestamp: str,
) -> HttpRequest:
    """Return the signed request for a call.

    :param parameters: all parameters of the call except ``action``, ``userId`` and ``orgId``, by EnOS's names: sent in
        the query of a GET or the body of a POST. ``None`` is left out; a ``Page`` is written as the API's version
        counts pages.
    :param access_token: from the token service.
    :param timestamp: now, in milliseconds since the epoch; every request needs a fresh one.
    :raises EnosInvalidParameterError: the user or organisation is missing, the API's version lacks the call, or a
        value cannot be written as JSON.
    """
    if endpoint.since_v21 and address.version == "v2.0":
        raise EnosInvalidParameterError(
            "v2.0 of the API lacks this call", api=endpoint.name, advice="Set the connection's extra 'api_version'."
        )
    given = {name: _plain(value, address.version) for name, value in parameters.items() if value is not None}
    ids = {name: str(given[name]) for name in _ID_PARAMETERS if name in given}
    query = {"action": endpoint.action}
    if endpoint.for_user:
        query |= _user_parameters(endpoint, credentials)
    body = None
    if endpoint.method == "POST":
        body = write_json(given, api=endpoint.name, error=EnosInvalidParameterError)
    else:
        query |= {name: _query_text(endpoint, value) for name, value in given.items()}
    headers = {
        "Accept": "application/json",
        "User-Agent": USER_AGENT,
        "apim-accesstoken": access_token,
        "apim-timestamp": timestamp,
        "apim-signature": signature(
            access_token=access_token,
            secret_key=credentials.secret_key,
            timestamp=timestamp,
            query=query,
            body=body or b"",
        ),
    }
    if body is not None:
        headers["Content-Type"] = "application/json"
    url = f"{address.url(endpoint)}?{urlencode(query, quote_via=quote, safe='')}"
    return HttpRequest(endpoint.name, endpoint.method, url, headers, body, endpoint.repeatable, ids)


def _plain(value: Any, version: ApiVersion) -> Any:
    return value.to_parameter(_FIRST_PAGE[version]) if isinstance(value, Page) else value


def _user_parameters(endpoint: Endpoint, credentials: Credentials) -> dict[str, str]:
    found = {"userId": credentials.user_id, "orgId": credentials.org_id}
    keys = {"userId": "user_id", "orgId": "org_id"}
    for name, value in found.items():
        if not value:
            raise EnosInvalidParameterError(
                f"{name} is missing",
                api=endpoint.name,
                advice=f"Set {keys[name]} in the connection's extra, or pass it.",
            )
    return {name: str(value) for name, value in found.items()}


def _json_text(endpoint: Endpoint, value: Any) -> str:
    return write_json(value, api=endpoint.name, error=EnosInvalidParameterError).decode()


def _query_text(endpoint: Endpoint, value: Any) -> str:
    text = value if isinstance(value, str) else _json_text(endpoint, value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise EnosInvalidParameterError(f"a parameter cannot be encoded as text: {error}", api=endpoint.name) from error
    return text

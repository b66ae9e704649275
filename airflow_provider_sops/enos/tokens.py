"""Access tokens: request one, and decide when to request the next.

Follows the pages on ``apim-token-service`` of EnOS API management. ``get`` returns the same token until it expires;
``refresh`` returns a new one earlier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_sops.enos.endpoints import Endpoint
from airflow_provider_sops.enos.errors import EnosGatewayError, EnosInvalidParameterError
from airflow_provider_sops.enos.gateway import USER_AGENT, token_encryption
from airflow_provider_sops.service.http import HttpRequest, write_json
from airflow_provider_sops.service.reading import read_int, read_mapping

if TYPE_CHECKING:
    from airflow_provider_sops.enos.gateway import Credentials

#: How long before it expires a token is replaced.
_EARLY_SECONDS = 600.0

#: The two calls of the token service. They need no token; each request needs a new timestamp.
GET_TOKEN: Final = Endpoint("get_token", "POST", "token", "get", True, "Get an access token.", for_user=False)
#: Not sent again if its answer was lost: it may have replaced the token that it names. ``GET_TOKEN`` tells the new one.
REFRESH_TOKEN: Final = Endpoint("refresh_token", "POST", "token", "refresh", False, "Get a new token.", for_user=False)


def token_endpoint(to_replace: AccessToken | None) -> Endpoint:
    """Return the call that brings a token, in the place of another one if that is given."""
    return GET_TOKEN if to_replace is None else REFRESH_TOKEN


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and when to replace it.

    :param replace_at: on the same clock as ``asked_at`` of ``read_token``.
    """

    value: str = field(repr=False)
    replace_at: float

    def is_fresh(self, now: float) -> bool:
        """Whether the token does not need to be replaced yet."""
        return now < self.replace_at


def token_request(
    root: str, credentials: Credentials, *, timestamp: str, to_replace: AccessToken | None = None
) -> HttpRequest:
    """Return the request for a token.

    :param root: address of the API gateway.
    :param timestamp: now, in milliseconds since the epoch; EnOS refuses a repeated one.
    :param to_replace: a valid token to replace before it expires.
    """
    endpoint = token_endpoint(to_replace)
    content: dict[str, Any] = {
        "appKey": credentials.access_key,
        "encryption": token_encryption(
            access_key=credentials.access_key, secret_key=credentials.secret_key, timestamp=timestamp
        ),
        "timestamp": int(timestamp),
    }
    if to_replace is not None:
        content["accessToken"] = to_replace.value
    headers = {"Accept": "application/json", "User-Agent": USER_AGENT, "Content-Type": "application/json"}
    return HttpRequest(
        endpoint.name,
        "POST",
        f"{root}/apim-token-service/v2.0/{endpoint.resource}/{endpoint.action}",
        headers,
        write_json(content, api=endpoint.name, error=EnosInvalidParameterError),
        endpoint.repeatable,
        {"appKey": credentials.access_key},
    )


def read_token(data: Any, *, asked_at: float) -> AccessToken:
    """Return the token in an answer's ``data``.

    It is due for replacement ten minutes before it expires, or after half of its remaining life if that is later.

    :param asked_at: when the request was sent, in seconds on any clock.
    :raises EnosGatewayError: the answer has no token.
    """
    content = read_mapping(data)
    value = content.get("accessToken")
    if not isinstance(value, str) or not value:
        raise EnosGatewayError(
            "the token service answered without a token",
            api=GET_TOKEN.name,
            http_status=200,
            advice="Check that the connection's host is an EnOS API gateway.",
        )
    lifetime = max(0, read_int(content.get("expire")))
    return AccessToken(value, asked_at + max(lifetime - _EARLY_SECONDS, lifetime / 2))

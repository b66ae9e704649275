"""Where an ESB takes the credentials of a GET from: a header or, with an older ESB, the query.

The ESB of today (``blueking-apigateway``, ``esb/channel/base.py``) reads the header ``X-Bkapi-Authorization``, and the
parameters only where there is none. The one before it (``legacy-bk-paas``) reads the parameters alone, those of a GET
from its query, which proxies and servers log. A POST instead is no way out: ESB has each call of SOPS under one method,
and reads under GET alone (``confapis/sops/sops.yaml``).

So a GET names the app and the user in the header. If ESB then refuses them, it is sent once more with them in the
query. What has worked is remembered for the process, so a current ESB never gets them in a query, and an older one
costs one more request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from airflow_provider_sops.service.errors import code_number
from airflow_provider_sops.sops.errors import SopsAuthError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.http import HttpRequest
    from airflow_provider_sops.sops.errors import SopsError

#: ESB's code for refused credentials among others.
_ANY_FAILURE = 1306000

#: By the address of the ESB: whether it takes the header.
_takes_header: dict[str, bool] = {}


def as_this_esb_takes_it(root: str, request: HttpRequest, credentials: Mapping[str, str]) -> HttpRequest:
    """Return a request in the form that the ESB is known to take; as it is, if nothing is known.

    :param root: the ESB's address.
    :param credentials: by their names.
    """
    return request if _takes_header.get(root, True) else _in_query(request, credentials)


def once_more(root: str, request: HttpRequest, credentials: Mapping[str, str], error: SopsError) -> HttpRequest | None:
    """Return the form for an older ESB of a request that has failed; ``None`` if that cannot be the reason."""
    may_be_older = isinstance(error, SopsAuthError) or code_number(error.code) == _ANY_FAILURE
    if not may_be_older or request.method != "GET" or root in _takes_header or _has_in_query(request, credentials):
        return None
    return _in_query(request, credentials)


def note_success(root: str, request: HttpRequest, credentials: Mapping[str, str]) -> None:
    """Remember in which form a request has succeeded."""
    if request.method == "GET":
        _takes_header[root] = not _has_in_query(request, credentials)


def _in_query(request: HttpRequest, credentials: Mapping[str, str]) -> HttpRequest:
    if request.method != "GET" or _has_in_query(request, credentials):
        return request
    query = urlencode(credentials, quote_via=quote)
    return replace(request, url=f"{request.url}{'&' if '?' in request.url else '?'}{query}")


def _has_in_query(request: HttpRequest, credentials: Mapping[str, str]) -> bool:
    return not credentials.keys().isdisjoint(parse_qs(urlsplit(request.url).query))

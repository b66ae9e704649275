"""Who may see and use the page.

On loopback it is open to every user of the machine, since a browser does not know the app's secret. It asks for the
secret if the server can be reached from elsewhere or runs scripts. In both cases a page of another site can neither
read it nor act through it:

- A form is accepted only from a page of this server, by the ``Origin`` that browsers send with every POST.
- An open page is served only under a loopback name or a bare address, so that another site cannot reach it through a
  DNS name that points to this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from local_sops.config import Config

DEFAULT_USER = "admin"
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def refusal(config: Config, request: Request) -> Response | None:
    """Return why a request is rejected; None if it is allowed."""
    if _asks_for_secret(config):
        given = request.authorization.password if request.authorization else None
        if not hmac.compare_digest((given or "").encode(), config.app_secret.encode()):
            challenge = {"WWW-Authenticate": 'Basic realm="local_sops: any name, and the app secret", charset="UTF-8"'}
            return Response("The app secret is the password, with any user name.", status=401, headers=challenge)
    elif not _is_bare_host(request.host):
        return Response(f"Open this page as http://127.0.0.1, not as {request.host}.", status=403)
    if request.method == "POST" and request.headers.get("Origin") != request.host_url.rstrip("/"):
        return Response("This form did not come from a page of this server.", status=403)
    return None


def user_of(request: Request) -> str:
    """Return the page's user."""
    return (request.authorization.username if request.authorization else None) or DEFAULT_USER


def _asks_for_secret(config: Config) -> bool:
    return config.allow_scripts or not config.is_loopback


def _is_bare_host(host: str) -> bool:
    """Whether the ``Host`` of a request is an address, or names this machine on every machine."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True

"""A flow with a password of its template's own, a service to which it sends it, and where the password could show."""

from __future__ import annotations

import contextlib
import html
import json
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sops.hooks.sops import SopsHook

#: The template of local_sops, and the same with a subprocess that runs as a task of its own.
TEMPLATE, INDEPENDENT_TEMPLATE = "password_everywhere", "password_independent"


class _EchoHandler(BaseHTTPRequestHandler):
    """Answers with what it was sent; to a path that begins with ``/fail`` with HTTP 500."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        echo = {"path": self.path, "token": self.headers.get("X-Token"), "body": sent}
        answer = json.dumps(echo).encode()
        self.send_response(500 if self.path.startswith("/fail") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Write nothing."""


@contextlib.contextmanager
def echo_service() -> Iterator[str]:
    """Serve echoes on loopback; the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _EchoHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class PasswordFlow:
    """The template, and the service whose address its tasks are given.

    :param secret: the password that stands in the template.
    :param is_given: whether it stands there no longer and tasks are given it.
    :param address_key: of the constant for the address.
    """

    template_id: int
    address: str
    secret: str
    is_given: bool = False
    address_key: str = "${address}"

    @classmethod
    def read(cls, hook: SopsHook, templates: dict[str, int], address: str, *, template: str = TEMPLATE) -> PasswordFlow:
        """Read the template's password."""
        tree = hook.get_template_info(templates[template]).pipeline_tree
        constants = tree["constants"]
        # An inner task knows the variables around it, so the two must not have the same name.
        key = "${service}" if "${service}" in constants else "${address}"
        return cls(templates[template], address, constants["${password}"]["value"], address_key=key)

    def constants(self, end: str) -> dict[str, str]:
        """Return what a task is given; the password only if it is not the template's.

        :param end: ``echo`` for one that goes well, ``fail`` for one whose last node fails.
        """
        given = {"${password}": self.secret} if self.is_given else {}
        return {self.address_key: self.address, "${end}": end, **given}

    def with_password(self, secret: str) -> PasswordFlow:
        """Return the same flow with another password than its template has, which its tasks are given."""
        return replace(self, secret=secret, is_given=True)

    def start(self, hook: SopsHook, end: str) -> int:
        """Start a task and return its id."""
        sops_task_id = hook.create_task(self.template_id, "with a password", constants=self.constants(end)).task_id
        hook.start_task(sops_task_id)
        return sops_task_id

    def check_hidden(self, *shown: object) -> None:
        """Check that the password is in none of the texts, in whatever way it may be escaped there."""
        secret = self.secret
        forms = {
            secret,
            quote(secret),
            quote(secret, safe=""),
            quote_plus(secret),
            quote(secret, safe="/&'\""),
            html.escape(secret),
            json.dumps(secret)[1:-1],
            json.dumps(json.dumps(secret))[3:-3],
            repr(secret)[1:-1],
            json.dumps(repr(secret))[2:-2],
        }
        for text in map(str, shown):
            for form in forms:
                assert form not in text, text[max(0, text.find(form) - 300) : text.find(form) + 100]

"""local_sops as a server of an earlier version answers, and an address at which a node fails before it succeeds."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What get_task_status does not answer yet, by the first version of which that holds.
MISSING_FIELDS: Mapping[str, tuple[str, ...]] = {
    "3.29": ("auto_retry_status",),
    "3.24": ("auto_retry_status", "failed_node_info"),
}
_FAILING = "/failing/"
_HOP_HEADERS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})


class OlderSops:
    """A proxy on loopback that leaves out what a server of ``age`` does not say. A context manager.

    :param upstream: address of local_sops.
    :param age: a key of ``MISSING_FIELDS``.
    """

    def __init__(self, upstream: str, age: str) -> None:
        calls: Counter[str] = Counter()

        class Handler(_Handler):
            sops, missing, failing_calls = upstream, MISSING_FIELDS[age], calls

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Its address, which serves as the gateway's root."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def failing_url(self, name: str, failures: int) -> str:
        """Return an address that answers with an error so many times, and then well."""
        return f"{self.url}{_FAILING}{name}/{failures}"

    def __enter__(self) -> OlderSops:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    sops: ClassVar[str]
    missing: ClassVar[tuple[str, ...]]
    failing_calls: ClassVar[Counter[str]]

    def do_GET(self) -> None:
        if self.path.startswith(_FAILING):
            self.failing_calls[self.path] += 1
            failures = int(self.path.rpartition("/")[2])
            self._answer(200 if self.failing_calls[self.path] > failures else 500, b"{}")
            return
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def _forward(self) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_HEADERS}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = requests.request(
            self.command, f"{self.sops}{self.path}", headers=headers, data=body, timeout=30, allow_redirects=False
        )
        content = answer.content
        if "/get_task_status/" in self.path:
            told = answer.json()
            for field in self.missing:
                (told.get("data") or {}).pop(field, None)
            content = json.dumps(told).encode()
        self._answer(answer.status_code, content)

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

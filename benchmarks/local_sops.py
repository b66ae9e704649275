"""local_sops for measurements: real flows, and when they really began and ended."""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from benchmarks.databases import epoch_seconds, read_rows
from benchmarks.waiting.deferred_tasks import ROOT
from demo.child_process import ChildProcess
from demo.local_sops import LocalSops

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_COMMAND = ROOT / ".venvs/local-sops/bin/local-sops"
_READY_LINE = re.compile(r"^local_sops listening on (http://[0-9.]+:[0-9]+)", re.MULTILINE)
_READY_SECONDS = 60
#: The template whose flow runs for six seconds.
PARALLEL = 2


@dataclass(frozen=True)
class Lifetime:
    """When a task began and ended, in seconds since the epoch, to the microsecond; the API says whole seconds."""

    began: float
    ended: float


@contextlib.contextmanager
def local_sops(folder: Path, environment: Mapping[str, str], *options: str) -> Iterator[LocalSops]:
    """Run local_sops as long as the block runs.

    :param folder: gets its data and its log.
    :raises ChildFailedError: it did not come up.
    """
    app_code, app_secret = "airflow", secrets.token_urlsafe(24)
    command = [str(_COMMAND), "--port", "0", "--data", str(folder / "data"), "--app-code", app_code, *options]
    process = ChildProcess(
        "local_sops",
        command,
        log_path=folder / "local_sops.log",
        environment={**environment, "LOCAL_SOPS_APP_SECRET": app_secret},
    )
    with process:
        ready = process.wait_for_line(_READY_LINE, _READY_SECONDS)
        yield LocalSops(ready[1], app_code, app_secret, 2, process)


@contextlib.contextmanager
def ends_by_http_status(folder: Path) -> Iterator[str]:
    """Tell at ``/ended/ID`` by the HTTP status whether a task has ended, 404 or 200; that is what HttpSensor can read.

    :param folder: that of the local_sops.
    """

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            has_ended = int(self.path.rpartition("/")[2]) in lifetimes(folder)
            self.send_response(HTTPStatus.OK if has_ended else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def lifetimes(folder: Path) -> dict[int, Lifetime]:
    """Read the finished tasks by id from the database of the local_sops that has this folder."""
    query = "SELECT id, start_time, finish_time FROM local_sops_task WHERE finish_time IS NOT NULL"
    rows = read_rows(folder / "data/local_sops.sqlite3", query)
    return {task_id: Lifetime(epoch_seconds(began), epoch_seconds(ended)) for task_id, began, ended in rows}

"""local_sops as a child process, of each age of SOPS, and an address at which a node fails before it succeeds."""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from demo.local_sops import start_local_sops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_sops import LocalSops

#: All ages that local_sops can play (``--server``), oldest first.
AGES = ("2019", "2020", "3.25", "3.28", "3.32", "3.34", "3.35")
#: The age that it plays by default.
DEFAULT_AGE = "3.34"
_ROOT = Path(__file__).resolve().parent.parent


def is_at_least(age: str, other: str) -> bool:
    """Tell whether an age is another one or later."""
    return AGES.index(age) >= AGES.index(other)


def local_sops_command() -> str:
    """Return the path of the program ``local-sops``.

    :raises FileNotFoundError: it is not installed.
    """
    command = os.environ.get("LOCAL_SOPS_COMMAND", str(_ROOT / ".venvs/local-sops/bin/local-sops"))
    if shutil.which(command) is None:
        raise FileNotFoundError(f"{command} is missing: run `make install`, or name it with LOCAL_SOPS_COMMAND.")
    return command


@contextmanager
def run_local_sops(folder: Path, *options: str) -> Iterator[LocalSops]:
    """Run a local_sops for as long as the context lasts.

    :param folder: gets its data and its log.
    :param options: of the command ``local-sops``, as ``--server 3.25``.
    """
    sops = start_local_sops(
        local_sops_command(),
        data_folder=folder / "data",
        log_path=folder / "local_sops.log",
        environment=os.environ,
        options=options,
    )
    try:
        yield sops
        sops.process.check()
    finally:
        sops.process.stop()


class FailingAddress:
    """A server on loopback whose addresses fail some times and then answer well. A context manager."""

    def __init__(self) -> None:
        class Handler(_Handler):
            calls: ClassVar[Counter[str]] = Counter()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def url(self, name: str, failures: int) -> str:
        """Return an address that answers with an error so many times, and then well."""
        return f"http://127.0.0.1:{self._server.server_port}/{name}/{failures}"

    def __enter__(self) -> FailingAddress:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    calls: ClassVar[Counter[str]]

    def do_GET(self) -> None:
        self.calls[self.path] += 1
        failures = int(self.path.rpartition("/")[2])
        self.send_response(200 if self.calls[self.path] > failures else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

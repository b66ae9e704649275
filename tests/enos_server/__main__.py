"""``python -m tests.enos_server``: an EnOS with three flows, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import threading

from tests.enos_server.plays import FAIL, INIT, RUNNING, SUCCESS, Play, TaskPlay
from tests.enos_server.server import EnosServer

_TWO_TASKS = {
    "extract": TaskPlay((RUNNING, SUCCESS)),
    "load": TaskPlay((INIT, INIT, RUNNING, SUCCESS)),
}
_FAILING = {
    "extract": TaskPlay((RUNNING, SUCCESS)),
    "load": TaskPlay((INIT, INIT, FAIL), log="Traceback: no space left on device"),
}


def main() -> None:
    """Serve, and say under which address and as which connection."""
    parser = argparse.ArgumentParser(prog="python -m tests.enos_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--api-version", choices=("v2.1", "v2.0"), default="v2.1")
    arguments = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with EnosServer(version=arguments.api_version, port=arguments.port) as server:
        server.add_flow(1, Play((INIT, RUNNING, RUNNING, SUCCESS), _TWO_TASKS), name="daily report")
        server.add_flow(2, Play((INIT, RUNNING, FAIL), _FAILING), name="broken report")
        server.add_flow(3, Play((INIT, *[RUNNING] * 100_000), {"wait": TaskPlay((RUNNING,))}), name="endless")
        print(f"export AIRFLOW_CONN_ENOS_DEFAULT='{server.connection_json()}'", flush=True)  # noqa: T201
        stopped.wait()


if __name__ == "__main__":
    main()

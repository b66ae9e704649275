"""Run a real SOPS flow from a real Airflow, show its progress and its outputs, and stop everything again.

With ``--keep-running`` both keep running, to follow ``docs/walk-through.md`` in a browser.

Called by ``make demo`` and ``make demo-ui``, which set up the two environments first. All files are written to
``.demo/``, which is emptied at the start.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import requests

from airflow_provider_sops.sops.errors import SopsError
from demo.airflow_api import AirflowApi
from demo.airflow_processes import AirflowProcesses, AirflowSettings, PortTakenError, choose_port
from demo.child_process import ChildFailedError
from demo.local_sops import LocalSops, start_local_sops
from demo.progress import DAG_ID, FollowedRun, RunFailedError
from tests.enos_server import EnosServer, Play, TaskPlay
from tests.enos_server.plays import RUNNING, SUCCESS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".demo"
SOPS_EXAMPLES = ROOT / "local_sops/examples"
LOCAL_SOPS_COMMAND = ROOT / ".venvs/local-sops/bin/local-sops"


class AnotherDemoRunsError(Exception):
    """The demonstration's folder is in use."""


@contextmanager
def own_folder() -> Iterator[None]:
    """Lock and empty the demo's folder for the duration of the block.

    :raises AnotherDemoRunsError: another demo is using it.
    """
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AnotherDemoRunsError(
                "Another demo is running in this checkout: stop it with Ctrl-C first."
            ) from error
        for name in ("airflow", "local_sops"):
            shutil.rmtree(FOLDER / name, ignore_errors=True)
        yield


EXPECTED_ERRORS = (
    AnotherDemoRunsError,
    ChildFailedError,
    PortTakenError,
    RunFailedError,
    SopsError,
    requests.RequestException,
)


def plain_environment() -> dict[str, str]:
    """Return this process's environment without any setting of another Airflow."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}


def follow_run(airflow: AirflowProcesses, sops: LocalSops) -> None:
    """Run the example DAG and print its progress, its node table and the addresses."""
    # Outside a task a hook finds only connections of the environment.
    os.environ.update({**airflow.settings.environment, "AIRFLOW_CONN_SOPS_DEFAULT": sops.connection_json()})
    from airflow_provider_sops.hooks.sops import SopsHook

    settings = airflow.settings
    print_addresses(airflow, sops)
    with api_of(airflow) as api, SopsHook() as hook:
        run = FollowedRun(api, hook, airflow)
        run.follow()
        print(f"\n{run.summary()}\n")
        print(f"Airflow's page of this run: {settings.url}/dags/{DAG_ID}/runs/{run.run_id}")


def api_of(airflow: AirflowProcesses) -> AirflowApi:
    """Log in to the running Airflow."""
    settings = airflow.settings
    return AirflowApi(settings.url, user=settings.user, password=settings.password)


def print_addresses(airflow: AirflowProcesses, sops: LocalSops) -> None:
    """Print both addresses and the login."""
    settings = airflow.settings
    print(f"  Airflow  {settings.url}  (user {settings.user}, password {settings.password})")
    print(f"  SOPS     {sops.url}")
    print(f"  logs     {FOLDER}\n", flush=True)


def keep_running(airflow: AirflowProcesses, sops: LocalSops) -> NoReturn:
    """Wait for Ctrl-C, or for a program to die."""
    print("\nOpen these two in a browser and follow docs/walk-through.md. Ctrl-C stops everything.")
    print_addresses(airflow, sops)
    while True:
        airflow.check()
        sops.process.check()
        time.sleep(1)


def demonstrate(*, airflow_port: int, sops_port: int, keep: bool) -> None:
    """Start both servers, run the flow, and stop them when it is done or, with ``keep``, on Ctrl-C."""
    with own_folder(), ExitStack() as running:
        started = time.monotonic()
        airflow_port = choose_port(airflow_port)
        choose_port(sops_port)
        print("Starting local_sops and Airflow ...", flush=True)
        sops = start_local_sops(
            str(LOCAL_SOPS_COMMAND),
            data_folder=FOLDER / "local_sops/data",
            log_path=FOLDER / "local_sops/local_sops.log",
            environment=plain_environment(),
            port=sops_port,
            options=["--plugins", str(SOPS_EXAMPLES / "plugins"), "--templates", str(SOPS_EXAMPLES / "templates")],
        )
        running.callback(sops.process.stop)
        enos = running.enter_context(EnosServer())
        enos.add_flow(1, Play((RUNNING, SUCCESS), {"extract": TaskPlay((RUNNING, SUCCESS))}), name="daily report")
        settings = AirflowSettings(
            home=FOLDER / "airflow",
            dags_folder=ROOT / "example_dags",
            port=airflow_port,
            more_dags_folders={"walk-through": ROOT / "demo/dags"},
            dags_are_paused=True,
            # One who may look only, and one who may act.
            more_users={"viewer": "viewer", "editor": "user"},
            # A busy scheduler considers a task dead that returns from the triggerer before it has seen it deferred.
            retries=1,
            connections={},
        )
        airflow = running.enter_context(AirflowProcesses(settings, plain_environment()))
        with api_of(airflow) as api:
            for conn_id, server in (("sops_default", sops), ("enos_default", enos)):
                api.add_connection(conn_id, json.loads(server.connection_json()))
        print(f"Both are ready after {time.monotonic() - started:.0f} s.")
        follow_run(airflow, sops)
        if keep:
            keep_running(airflow, sops)
        print("Stopping both; `make demo-ui` leaves them running.", flush=True)


def main() -> int:
    """Run the demo with the command line's options; return the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--keep-running", action="store_true", help="leave Airflow and local_sops running")
    parser.add_argument("--port", type=int, default=0, help="port of Airflow's UI; 0 takes any free one")
    parser.add_argument("--sops-port", type=int, default=0, help="port of local_sops; 0 takes any free one")
    arguments = parser.parse_args()
    # `kill` ends the demo like Ctrl-C: with everything that it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        demonstrate(airflow_port=arguments.port, sops_port=arguments.sops_port, keep=arguments.keep_running)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0 if arguments.keep_running else 130
    except EXPECTED_ERRORS as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

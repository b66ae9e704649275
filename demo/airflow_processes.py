"""A whole Airflow 3 on this machine: SQLite, LocalExecutor, everything on the loopback address."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

import requests

from demo.child_process import ChildFailedError, ChildProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HOST = "127.0.0.1"
# In the folder `config` of its home, where Airflow looks for Python modules.
_HOSTNAME_MODULE = "loopback_hostname"
_LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
_READY_SECONDS = 90
_LOOK_AGAIN_SECONDS = 0.5


class PortTakenError(Exception):
    """Another program listens on the requested port."""


def choose_port(wanted: int) -> int:
    """Return ``wanted`` if nothing listens there, or any free port for 0.

    :raises PortTakenError: the wanted one is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted))
        except OSError as error:
            raise PortTakenError(f"Port {wanted} is taken: stop the other program or choose another port.") from error
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class AirflowSettings:
    """The settings of an Airflow.

    :param home: its AIRFLOW_HOME, which also takes the programs' own logs.
    :param dags_folder: folder of the DAG files.
    :param more_dags_folders: others, by the names of their bundles.
    :param dags_are_paused: whether DAGs start paused; otherwise those with a schedule run at once.
    :param retries: default retries of tasks.
    :param more_users: roles of further users, by name; they have the same password.
    :param executor: Airflow's ``[core] executor``.
    :param parallelism: how many tasks may run at a time.
    :param log_port: port at which this machine is asked for logs; default: any free one.
    :param port: port of the API server, which is the UI too.
    :param connections: connections as JSON, by id; they stay in the environment and are not stored in a database.
    """

    home: Path
    dags_folder: Path
    port: int
    connections: Mapping[str, str] = field(repr=False)
    more_dags_folders: Mapping[str, Path] = field(default_factory=dict)
    dags_are_paused: bool = False
    retries: int = 0
    executor: str = "LocalExecutor"
    parallelism: int = 4
    log_port: int = field(default_factory=lambda: choose_port(0))
    user: str = "admin"
    more_users: Mapping[str, str] = field(default_factory=dict)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9), repr=False)
    jwt_secret: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    session_secret: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    @property
    def url(self) -> str:
        """The address of the UI and the API."""
        return f"http://{_HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a program part of this Airflow."""
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API_AUTH__JWT_SECRET": self.jwt_secret,
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": self.session_secret,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": str(self.dags_are_paused),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": str(self.retries),
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
            # Airflow also asks the machine of a task that has not ended for its log.
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{_HOSTNAME_MODULE}.hostname",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self.log_port),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self.log_port),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": self.executor,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(self.parallelism),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords_path),
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in self.users.items()),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(self._bundles()),
            **{f"AIRFLOW_CONN_{name.upper()}": text for name, text in self.connections.items()},
        }

    def _bundles(self) -> list[dict[str, Any]]:
        folders = {"dags-folder": self.dags_folder, **self.more_dags_folders}
        return [
            {"name": name, "classpath": _LOCAL_BUNDLE, "kwargs": {"path": str(folder)}}
            for name, folder in folders.items()
        ]

    @property
    def users(self) -> dict[str, str]:
        """The roles of all users, by name."""
        return {self.user: "admin", **self.more_users}

    @property
    def passwords_path(self) -> Path:
        """The SimpleAuthManager's file of passwords."""
        return self.home / "passwords.json"


class _NoMoreLogs(BaseHTTPRequestHandler):
    """Answers that there is no more of a log than its file, which Airflow on the same machine has read itself.

    Airflow's own server of logs would listen on every address of the machine.
    """

    def do_GET(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def _answering_for_logs(port: int) -> Iterator[None]:
    with ThreadingHTTPServer((_HOST, port), _NoMoreLogs) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


class AirflowProcesses:
    """API server, scheduler, dag-processor and triggerer as child processes; a context manager.

    Entering migrates the database, starts all four and waits until each reports itself healthy. Leaving stops them.

    :param environment: the environment that the settings' variables join, without any of Airflow's own.
    """

    def __init__(self, settings: AirflowSettings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self._environment = {**environment, **settings.environment}
        self._command = str(Path(sys.executable).with_name("airflow"))
        self._processes = [
            self._process("api-server", "--host", _HOST, "--port", str(settings.port)),
            self._process("scheduler", "--skip-serve-logs"),
            self._process("dag-processor"),
            self._process("triggerer", "--skip-serve-logs"),
        ]
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self._prepare_home()
        with ExitStack() as starting:
            starting.callback(self._ask_all_to_stop)
            starting.enter_context(_answering_for_logs(self.settings.log_port))
            for process in self._processes:
                starting.enter_context(process)
            self._wait_until_healthy()
            self._running = starting.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ask_all_to_stop()
        self._running.close()

    def check(self) -> None:
        """Check that all four are still running.

        :raises ChildFailedError: one has ended.
        """
        for process in self._processes:
            process.check()

    def log_tails(self) -> str:
        """Return the last lines of each program's log."""
        return "\n".join(process.log_tail() for process in self._processes)

    def _process(self, name: str, *arguments: str) -> ChildProcess:
        return ChildProcess(
            f"airflow {name}",
            [self._command, name, *arguments],
            log_path=self.settings.home / f"{name}.log",
            environment=self._environment,
        )

    def _prepare_home(self) -> None:
        config = self.settings.home / "config"
        config.mkdir(parents=True)
        (config / f"{_HOSTNAME_MODULE}.py").write_text(f'def hostname() -> str:\n    return "{_HOST}"\n')
        passwords = dict.fromkeys(self.settings.users, self.settings.password)
        self.settings.passwords_path.write_text(json.dumps(passwords))
        migration = subprocess.run(
            [self._command, "db", "migrate"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if migration.returncode != 0:
            raise ChildFailedError(f"airflow db migrate failed.\n{migration.stdout}{migration.stderr}")

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        waiting_for = "the API server"
        while time.monotonic() < deadline:
            self.check()
            waiting_for = self._first_unhealthy()
            if not waiting_for:
                return
            time.sleep(_LOOK_AGAIN_SECONDS)
        raise ChildFailedError(
            f"Airflow was not ready after {_READY_SECONDS} s; it still waits for {waiting_for}.\n{self.log_tails()}"
        )

    def _first_unhealthy(self) -> str:
        """Return the first part that does not report itself healthy, or an empty text."""
        try:
            with requests.Session() as session:
                session.trust_env = False
                parts = session.get(f"{self.settings.url}/api/v2/monitor/health", timeout=5).json()
        except requests.RequestException:
            return "the API server"
        names = ("metadatabase", "scheduler", "dag_processor", "triggerer")
        return next((name for name in names if parts[name]["status"] != "healthy"), "")

    def _ask_all_to_stop(self) -> None:
        # Each takes some seconds to end, so stop them in parallel.
        for process in self._processes:
            process.ask_to_stop()

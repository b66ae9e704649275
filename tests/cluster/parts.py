"""The parts of a cluster: what each runs, on which host, and with which settings of Airflow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HOST_VARIABLE = "CLUSTER_HOST"


class Kind(StrEnum):
    """What a part does."""

    API_SERVER = "api-server"
    DAG_PROCESSOR = "dag-processor"
    SCHEDULER = "scheduler"
    WORKER = "worker"
    TRIGGERER = "triggerer"


#: How many of each kind a cluster has.
NUMBERS = {Kind.API_SERVER: 1, Kind.DAG_PROCESSOR: 1, Kind.SCHEDULER: 2, Kind.WORKER: 2, Kind.TRIGGERER: 2}
_HOSTS = {kind: 10 * (index + 1) for index, kind in enumerate(NUMBERS)}


@dataclass(frozen=True, order=True)
class Part:
    """One program of a cluster.

    :param number: from 1 on, among its kind.
    """

    kind: Kind
    number: int

    @property
    def host(self) -> str:
        """Its host: an address of loopback that no other part has."""
        return f"127.0.0.{_HOSTS[self.kind] + self.number}"

    @property
    def serves_logs(self) -> bool:
        """Whether Airflow asks its host for the logs of tasks."""
        return self.kind in (Kind.WORKER, Kind.TRIGGERER)

    def arguments(self, *, api_port: int, worker_slots: int, pid_file: Path) -> list[str]:
        """Return the arguments of the command ``airflow``."""
        match self.kind:
            case Kind.API_SERVER:
                return [self.kind, "--host", "127.0.0.1", "--port", str(api_port)]
            case Kind.DAG_PROCESSOR:
                return [self.kind]
            case Kind.SCHEDULER | Kind.TRIGGERER:
                return [self.kind, "--skip-serve-logs"]
            case Kind.WORKER:
                worker = ["celery", "worker", "--skip-serve-logs", "--without-gossip", "--without-mingle"]
                name = ["--celery-hostname", f"{self}@{self.host}"]
                return [*worker, *name, "--concurrency", str(worker_slots), "--pid", str(pid_file)]

    def environment(self, home: Path) -> dict[str, str]:
        """Return the variables that make it a host of its own: its name, and the folder of its logs."""
        return {_HOST_VARIABLE: self.host, "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "hosts" / self.host)}

    def __str__(self) -> str:
        return f"{self.kind}-{self.number}"


PARTS = tuple(Part(kind, number + 1) for kind, count in NUMBERS.items() for number in range(count))


def own_host() -> str:
    """Return the host of the part that calls this; Airflow's ``[core] hostname_callable``."""
    return os.environ[_HOST_VARIABLE]


def cluster_environment(
    *, postgresql: str, redis_port: int, worker_logs_port: int, triggerer_logs_port: int, flows: int
) -> dict[str, str]:
    """Return what a cluster has besides the settings of ``AirflowSettings``.

    Airflow finds out within half a minute that a part is gone, not within five, so that a round is short; the threshold
    for triggerers is Airflow's own.

    :param postgresql: the address of the metadata database.
    :param flows: how many flows the largest DAG runs.
    """
    return {
        "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis_port}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{postgresql}",
        "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{own_host.__module__}.{own_host.__name__}",
        "AIRFLOW__CORE__PARALLELISM": "32",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgresql,
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(triggerer_logs_port),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs_port),
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "CLUSTER_FLOWS": str(flows),
    }

"""The sides of a comparison: how each waits for the same tasks of the same server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Side:
    """A class of triggers.

    :param classpath: where the triggerer finds it.
    :param arguments: its arguments for the server's address, a task's id and the interval in seconds.
    """

    name: str
    classpath: str
    arguments: Callable[[str, int, float], dict[str, Any]]


#: What ``SopsRunTaskOperator`` defers to, with the longest pause that it has by default.
SOPS = Side(
    "SopsTaskTrigger",
    "airflow_provider_sops.triggers.sops.SopsTaskTrigger",
    lambda _url, task_id, interval_seconds: {
        "sops_conn_id": "sops_default",
        "sops_task_id": task_id,
        "policy": {"poll_interval_seconds": interval_seconds, "paced": True},
        "revoke_on_kill": True,
        "human_nodes": {},
    },
)

#: What ``HttpSensor(deferrable=True)`` of apache-airflow-providers-http defers to.
HTTP_SENSOR = Side(
    "HttpSensorTrigger",
    "airflow.providers.http.triggers.http.HttpSensorTrigger",
    lambda _url, task_id, interval_seconds: {"endpoint": f"ended/{task_id}", "poke_interval": interval_seconds},
)

PLAIN_LOOP = Side(
    "aiohttp loop per task",
    "benchmarks.waiting.plain_loop.PlainLoopTrigger",
    lambda url, task_id, interval_seconds: {
        "url": f"{url}/prod/get_task_status/{task_id}/2/",
        "interval_seconds": interval_seconds,
    },
)

SIDES = (SOPS, HTTP_SENSOR, PLAIN_LOOP)

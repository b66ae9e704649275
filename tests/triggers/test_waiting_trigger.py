"""A trigger fires only once the worker that deferred its task has left. In simulated time."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_sops.triggers import waiting_trigger
from airflow_provider_sops.triggers.waiting_trigger import exit_seconds, outliving_the_worker
from tests.triggers.simulated_time import run_in_simulated_time


@pytest.mark.parametrize(("wait_seconds", "fires_after_seconds"), [(0.0, 6.0), (5.0, 6.0), (60.0, 60.0)])
def test_short_waits_last_longer_than_a_worker_takes_to_exit(
    monkeypatch: pytest.MonkeyPatch, wait_seconds: float, fires_after_seconds: float
) -> None:
    monkeypatch.setattr(waiting_trigger, "WORKER_EXIT_SECONDS", 6.0)

    async def wait() -> float:
        began = asyncio.get_running_loop().time()
        async with outliving_the_worker():
            await asyncio.sleep(wait_seconds)
        return asyncio.get_running_loop().time() - began

    assert run_in_simulated_time(wait()) == pytest.approx(fires_after_seconds)


def test_with_celery_a_trigger_fires_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_trigger, "WORKER_EXIT_SECONDS", 6.0)
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")

    async def wait() -> float:
        began = asyncio.get_running_loop().time()
        async with outliving_the_worker():
            pass
        return asyncio.get_running_loop().time() - began

    assert run_in_simulated_time(wait()) == 0


@pytest.mark.parametrize(
    ("executors", "seconds"),
    [
        ("CeleryExecutor", 0),
        ("airflow.providers.celery.executors.celery_executor.CeleryExecutor", 0),
        ("fast:airflow.providers.celery.executors.celery_executor.CeleryExecutor", 0),
        ("CeleryExecutor, CeleryExecutor", 0),
        ("CeleryExecutor;team_a=CeleryExecutor", 0),
        ("LocalExecutor", 6),
        ("KubernetesExecutor", 10),
        ("CeleryKubernetesExecutor", 10),
        ("CeleryExecutor,LocalExecutor", 6),
        ("SequentialExecutor", 6),
        ("CeleryExecutor;team_a=CeleryExecutor,KubernetesExecutor", 10),
        ("our.own.Executor", 10),
        ("", 10),
    ],
)
def test_how_late_the_exit_of_a_worker_may_come_follows_from_the_executor(
    monkeypatch: pytest.MonkeyPatch, executors: str, seconds: float
) -> None:
    monkeypatch.setattr(waiting_trigger, "WORKER_EXIT_SECONDS", 6.0)
    assert exit_seconds(executors) == seconds


def test_an_airflow_that_fails_resumed_tasks_is_given_time_with_celery_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_trigger, "WORKER_EXIT_SECONDS", 6.0)
    monkeypatch.setattr(waiting_trigger, "AIRFLOW_FAILS_RESUMED_TASKS", True)
    assert exit_seconds("CeleryExecutor") == 6

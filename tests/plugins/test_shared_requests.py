"""What looking costs SOPS: one request in three seconds for a task, however many people look at it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.plugins.shared_answers import SharedAnswers
from airflow_provider_sops.sops.models import TaskState
from benchmarks.counting_proxy import CountingProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.local_sops import LocalSops
    from tests.plugins.conftest import As, StartedTask

VIEWERS, SECONDS = 20, 7.0


@pytest.fixture
def proxy(sops_default: LocalSops, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingProxy]:
    """Counts what gets to the SOPS of the connection ``sops_default``."""
    with CountingProxy(sops_default.url) as proxy:
        connection = sops_default.connection_json().replace(sops_default.url, proxy.url)
        monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", connection)
        yield proxy


@pytest.mark.integration
def test_twenty_viewers_cost_as_much_as_one(
    started: Callable[..., StartedTask], as_role: As, proxy: CountingProxy
) -> None:
    task = started("pause", until=TaskState.RUNNING)
    proxy.requests.clear()
    clients = [as_role("viewer") for _ in range(VIEWERS)]
    end = time.monotonic() + SECONDS

    def look(number: int) -> int:
        count = 0
        while time.monotonic() < end:
            assert clients[number].get(task.path("task"), params=task.place).json()["state"] == "RUNNING"
            count += 1
            time.sleep(0.3)
        return count

    with ThreadPoolExecutor(VIEWERS) as pool:
        looks = sum(pool.map(look, range(VIEWERS)))

    assert looks > VIEWERS * 3
    assert proxy.requests["get_task_status"] <= 1 + SECONDS // 3
    assert proxy.requests["get_task_detail"] == 1


@pytest.mark.integration
def test_twenty_viewers_of_the_list_cost_as_much_as_one(
    started: Callable[..., StartedTask], as_role: As, proxy: CountingProxy
) -> None:
    task = started("pause", until=TaskState.RUNNING)
    proxy.requests.clear()
    place = {"run_id": task.place["run_id"]}
    end = time.monotonic() + SECONDS

    def look(_number: int) -> None:
        client = as_role("viewer")
        while time.monotonic() < end:
            assert client.get(task.path("states"), params=place).json()["problem"] == ""
            time.sleep(0.3)

    as_role("viewer").get(task.path("states"), params=place)
    with ThreadPoolExecutor(VIEWERS) as pool:
        list(pool.map(look, range(VIEWERS)))

    assert 1 <= proxy.requests["get_tasks_status"] <= 2 + SECONDS // 3
    assert proxy.requests["get_task_status"] == 0
    assert proxy.requests["get_task_detail"] == 1


@pytest.mark.integration
def test_a_task_that_has_ended_is_asked_about_once(
    started: Callable[..., StartedTask], as_role: As, proxy: CountingProxy
) -> None:
    task = started("quick", until=TaskState.FINISHED)
    proxy.requests.clear()
    client = as_role("viewer")
    for _ in range(3):
        client.get(task.path("task"), params=task.place)
        time.sleep(1.6)

    assert proxy.requests["get_task_status"] == 1


class TestSharedAnswers:
    def test_an_answer_holds_for_its_time(self) -> None:
        answers, asked = SharedAnswers[int](), list[int | None]()

        def ask(before: int | None) -> int:
            asked.append(before)
            return len(asked)

        assert [answers.get("key", ask, lambda _: 60.0) for _ in range(3)] == [1, 1, 1]
        answers.expire("key")
        assert answers.get("key", ask, lambda _: 60.0) == 2
        assert asked == [None, 1]

    def test_who_has_an_older_answer_does_not_wait_for_the_newer(self) -> None:
        answers = SharedAnswers[str]()
        answers.get("key", lambda _: "old", lambda _: 0.0)
        may_end, is_asking = threading.Event(), threading.Event()

        def ask(_: str | None) -> str:
            is_asking.set()
            may_end.wait(10)
            return "new"

        asking = threading.Thread(target=lambda: answers.get("key", ask, lambda _: 60.0))
        asking.start()
        is_asking.wait(10)

        assert answers.get("key", ask, lambda _: 60.0) == "old"
        may_end.set()
        asking.join()
        assert answers.get("key", ask, lambda _: 60.0) == "new"

    def test_nobody_waits_for_ever_for_a_first_answer(self) -> None:
        answers = SharedAnswers[str](patience_seconds=0.05)
        may_end, is_asking = threading.Event(), threading.Event()

        def ask(_: str | None) -> str:
            is_asking.set()
            may_end.wait(10)
            return "new"

        asking = threading.Thread(target=lambda: answers.get("key", ask, lambda _: 60.0))
        asking.start()
        is_asking.wait(10)

        assert answers.get("key", ask, lambda _: 60.0) is None
        may_end.set()
        asking.join()

    def test_what_nobody_looks_at_any_more_is_forgotten(self) -> None:
        answers = SharedAnswers[int](most=2)
        for key in (1, 2, 1, 3):
            answers.get(key, lambda _: 5, lambda _: 60.0)

        assert answers.get(1, lambda _: 0, lambda _: 60.0) == 5
        assert answers.get(2, lambda _: 0, lambda _: 60.0) == 0

"""The server of the benchmarks: what it answers, counts and remembers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import requests

from benchmarks.waiting.counting_sops import CountingSops

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sops() -> Iterator[CountingSops]:
    with CountingSops() as server:
        yield server


def batch(sops: CountingSops, *task_ids: int, **parameters: object) -> dict[int, str]:
    answer = requests.post(f"{sops.url}/prod/get_tasks_status/2/", json={"task_id_list": task_ids, **parameters})
    return {item["id"]: item["status"]["state"] for item in answer.json()["data"]}


def single(sops: CountingSops, task_id: int) -> str:
    return str(requests.get(f"{sops.url}/prod/get_task_status/{task_id}/2/").json()["data"]["state"])


def test_all_calls_tell_the_same_about_a_task(sops: CountingSops) -> None:
    sops.ends[2] = time.time()

    assert batch(sops, 1, 2) == {1: "RUNNING", 2: "FINISHED"}
    assert (single(sops, 1), single(sops, 2)) == ("RUNNING", "FINISHED")
    assert [requests.get(f"{sops.url}/ended/{task_id}").status_code for task_id in (1, 2)] == [404, 200]


def test_each_request_counts_once_however_many_tasks_it_asks_about(sops: CountingSops) -> None:
    batch(sops, *range(1, 51))
    single(sops, 99)

    assert sops.requests == {"get_tasks_status": 1, "get_task_status": 1}
    assert sops.asked == {*range(1, 51), 99}


def test_it_remembers_when_it_first_told_of_an_end(sops: CountingSops) -> None:
    batch(sops, 1)
    assert sops.told == {}

    sops.ends[1] = time.time()
    batch(sops, 1)
    first = sops.told[1]
    batch(sops, 1)

    assert sops.told[1] == first >= sops.ends[1]


def test_it_can_go_away_and_come_back_at_the_same_address(sops: CountingSops) -> None:
    sops.go_away()
    with pytest.raises(requests.ConnectionError):
        single(sops, 1)

    sops.come_back()
    assert single(sops, 1) == "RUNNING"


def test_an_answer_from_the_cache_hides_an_end_unless_the_question_is_new() -> None:
    with CountingSops(caches=True, web_processes=1) as sops:
        assert batch(sops, 1) == {1: "RUNNING"}
        sops.ends[1] = time.time()

        assert batch(sops, 1) == {1: "RUNNING"}
        assert sops.told == {}
        assert batch(sops, 1, unknown_parameter=1) == {1: "FINISHED"}


def age(sops: CountingSops, task_id: int) -> int:
    return int(requests.get(f"{sops.url}/prod/get_task_status/{task_id}/2/").json()["data"]["elapsed_time"])


def test_a_task_is_as_old_as_it_was_made_or_begins_when_it_is_asked_about_first(sops: CountingSops) -> None:
    sops.begun[1] = time.time() - 600
    sops.ends[1] = time.time() - 100

    assert age(sops, 1) in (499, 500)
    assert age(sops, 2) == 0


def test_requests_are_counted_by_second_too(sops: CountingSops) -> None:
    batch(sops, 1, 2)
    single(sops, 1)

    assert sum(sops.at_seconds.values()) == 2

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from sops_client import BUSINESS, SopsClient, is_in, node_is, running_server

from local_sops.api.answer_cache import AnswerCaches
from local_sops.api.call import Call, Code, Refusal, success

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINEAR, LONG = 1, 17


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class View:
    """Answers with how often it was asked, or with what it is given."""

    answers: list[Any] = field(default_factory=list)
    asked: int = 0

    def __call__(self, call: Call) -> dict[str, Any]:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else success({"state": "RUNNING", "asked": self.asked})
        if isinstance(answer, Exception):
            raise answer
        return cast("dict[str, Any]", answer)


def call_of(name: str, username: str = "amy", query: dict[str, str] | None = None, **body: Any) -> Call:
    raw_body = b"{}" if body else b""
    nobody = cast("Any", None)
    return Call(name, username, {"task_id": 1, "bk_biz_id": 2}, query or {}, raw_body, body, nobody, nobody)


@pytest.mark.parametrize(
    ("name", "seconds"), [("get_task_status", 10), ("get_tasks_status", 10), ("get_task_detail", 60)]
)
def test_an_answer_is_given_again_until_its_time_is_over(name: str, seconds: int) -> None:
    clock, view = Clock(), View()
    caches = AnswerCaches(1, clock)
    first = caches.answer(call_of(name), view)
    clock.seconds = seconds - 0.1
    assert caches.answer(call_of(name), view) == first
    clock.seconds = seconds
    assert caches.answer(call_of(name), view) != first


def test_other_calls_are_not_cached() -> None:
    caches, view = AnswerCaches(1), View()
    for name in ("get_task_list", "get_task_node_detail", "get_template_info"):
        assert caches.answer(call_of(name), view) != caches.answer(call_of(name), view)


@pytest.mark.parametrize(
    "other",
    [
        call_of("get_task_status", "ben"),
        call_of("get_task_status", query={"with_ex_data": "1"}),
        call_of("get_task_status", query={"_nc": "fresh"}),
    ],
)
def test_another_user_or_parameter_gets_an_answer_of_its_own(other: Call) -> None:
    caches, view = AnswerCaches(1), View()
    first = caches.answer(call_of("get_task_status"), view)
    assert caches.answer(other, view) != first


def test_the_order_of_parameters_does_not_matter() -> None:
    caches, view = AnswerCaches(1), View()
    first = caches.answer(call_of("get_task_status", query={"a": "1", "b": "2"}), view)
    assert caches.answer(call_of("get_task_status", query={"b": "2", "a": "1"}), view) == first


def test_each_process_answers_from_its_own_cache_so_that_answers_go_back_in_time() -> None:
    clock, view = Clock(), View()
    caches = AnswerCaches(3, clock)
    asked = [caches.answer(call_of("get_task_status"), view)["data"]["asked"] for _ in range(7)]
    assert asked == [1, 2, 3, 1, 2, 3, 1]


def test_no_process_caches_nothing() -> None:
    caches, view = AnswerCaches(0), View()
    assert caches.answer(call_of("get_task_status"), view) != caches.answer(call_of("get_task_status"), view)


@pytest.mark.parametrize(
    "passing",
    [success({"state": "CREATED"}), {"result": False, "data": None}, Refusal("refused", Code.UNKNOWN)],
)
def test_a_state_is_cached_only_once_the_task_has_begun(passing: Any) -> None:
    caches, view = AnswerCaches(1), View([passing])
    caches.answer(call_of("get_task_status"), view)
    assert caches.answer(call_of("get_task_status"), view)["data"]["state"] == "RUNNING"


@pytest.mark.parametrize("name", ["get_tasks_status", "get_task_detail"])
def test_the_other_calls_keep_refusals_too(name: str) -> None:
    caches, view = AnswerCaches(1), View([Refusal("refused", Code.UNKNOWN)])
    assert [caches.answer(call_of(name), view)["result"] for _ in range(2)] == [False, False]
    assert view.asked == 1


def test_what_is_refused_before_the_view_is_not_cached() -> None:
    missing = Refusal("missing", Code.NOT_FOUND, traced=False)
    caches, view = AnswerCaches(1), View([missing])
    with pytest.raises(Refusal):
        caches.answer(call_of("get_task_detail"), view)
    assert caches.answer(call_of("get_task_detail"), view)["result"]


def test_the_oldest_entries_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_sops.api.answer_cache.MAX_ENTRIES", 2)
    caches, view = AnswerCaches(1), View()
    for number in range(3):
        caches.answer(call_of("get_task_status", query={"n": str(number)}), view)
    caches.answer(call_of("get_task_status", query={"n": "2"}), view)
    assert view.asked == 3
    caches.answer(call_of("get_task_status", query={"n": "0"}), view)
    assert view.asked == 4


@pytest.fixture(scope="module")
def caching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SopsClient]:
    data_folder: Path = tmp_path_factory.mktemp("caching")
    with running_server(data_folder, "--cache-like-production", "--web-processes", "2") as server:
        yield server.client


def wait_fresh(sops: SopsClient, task_id: int, until: Any) -> None:
    """Wait with answers from no cache."""
    for number in range(500):
        if until(sops.status(task_id, _nc=number)):
            return
        time.sleep(0.02)
    pytest.fail(f"task {task_id} is {sops.status(task_id, _nc='last')}")


def test_a_client_sees_a_task_go_back_in_time_unless_it_asks_for_a_fresh_answer(caching: SopsClient) -> None:
    task_id = caching.run(LINEAR, constants={"${seconds}": 1})["task_id"]
    wait_fresh(caching, task_id, node_is("wait", "RUNNING"))
    assert caching.status(task_id)["state"] == "RUNNING"
    wait_fresh(caching, task_id, is_in("FINISHED"))
    # The next process has not been asked yet; the one after has kept what it said.
    seen = [caching.status(task_id)["state"] for _ in range(4)]
    assert sorted(seen) == ["FINISHED", "FINISHED", "RUNNING", "RUNNING"]
    assert seen[:2] == seen[2:]


def test_a_batch_keeps_even_created_and_details_keep_missing_outputs(caching: SopsClient) -> None:
    task_id = caching.create(LINEAR, constants={"${seconds}": 0})["task_id"]
    body = {"task_id_list": [task_id]}
    for _ in range(2):
        caching.post(f"get_tasks_status/{BUSINESS}", body)
        assert caching.detail(task_id)["outputs"] == []
    caching.start(task_id)
    wait_fresh(caching, task_id, is_in("FINISHED"))
    for _ in range(2):
        (item,) = caching.post(f"get_tasks_status/{BUSINESS}", body)["data"]
        assert item["status"]["state"] == "CREATED"
        assert caching.detail(task_id)["outputs"] == []
    (item,) = caching.post(f"get_tasks_status/{BUSINESS}", {**body, "_nc": 1})["data"]
    assert item["status"]["state"] == "FINISHED"
    detail = caching.get(f"get_task_detail/{task_id}/{BUSINESS}", _nc=1)["data"]
    assert len(detail["outputs"]) == 3

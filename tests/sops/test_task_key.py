from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import TaskListItem
from airflow_provider_sops.sops.task_key import MAX_NAME_LENGTH, FoundTasks, TaskKey, TaskSearch, elect
from airflow_provider_sops.sops.task_origin import TaskOrigin

INSTANCE: dict[str, Any] = {
    "dag_id": "deploy",
    "run_id": "manual__2026-03-02T00:00:00+00:00",
    "task_id": "web.push",
    "map_index": -1,
    "max_tries": 2,
}
SOPS_LONGEST_NAME = 100


def key(**changes: Any) -> TaskKey:
    return TaskKey.of(**{**INSTANCE, **changes})


def test_the_key_of_a_task_instance_never_changes() -> None:
    assert key().add_to("deploy web") == "deploy web #oy427ce2i47ys-2"


@pytest.mark.parametrize("change", [{"dag_id": "d"}, {"run_id": "r"}, {"task_id": "t"}, {"map_index": 0}])
def test_another_task_instance_has_another_digest(change: dict[str, Any]) -> None:
    assert key(**change).digest != key().digest


def test_what_a_task_instance_starts_beside_its_own_flow_has_another_digest() -> None:
    assert (
        len({key().digest, key(purpose=["a"]).digest, key(purpose=["a", "b"]).digest, key(purpose=["ab"]).digest}) == 4
    )


def test_ids_are_not_run_together() -> None:
    assert key(dag_id="a", run_id="bc").digest != key(dag_id="ab", run_id="c").digest


def test_a_clear_gives_another_generation_of_the_same_digest() -> None:
    cleared = key(max_tries=5)

    assert (cleared.digest, cleared.generation) == (key().digest, 5)


def test_the_keyword_finds_every_generation() -> None:
    assert all(key().keyword in key(max_tries=tries).add_to("deploy") for tries in (0, 2, 11))


@given(st.text(max_size=MAX_NAME_LENGTH).filter(str.strip), st.integers(0, 9999))
def test_the_key_is_read_back_from_any_name_and_the_name_fits_into_sops(name: str, max_tries: int) -> None:
    whole = key(max_tries=max_tries).add_to(name)

    assert TaskKey.in_name(whole) == key(max_tries=max_tries)
    assert whole.startswith(name)
    assert len(whole) <= SOPS_LONGEST_NAME


def test_the_last_key_counts_where_a_name_looks_like_having_two() -> None:
    other = key(task_id="other", max_tries=7)

    assert TaskKey.in_name(key().add_to(other.add_to("deploy"))) == key()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "deploy",
        "deploy #k3vq0z2m5w8ra",
        "deploy #k3vq2z2m5w7ra-",
        "deploy #K3VQ2Z2M5W7RA-1",
        "deploy #k3vq2z2m5w7ra-1 copy",
        "deploy#k3vq2z2m5w7ra-1",
        "deploy #k3vq2z-1",
        "deploy #k3vq2z2m5w7ra-1\n",
        "deploy #k3vq2z2m5w7ra-01",
        "deploy #k3vq2z2m5w7ra-\N{ARABIC-INDIC DIGIT ONE}",
        f"deploy #k3vq2z2m5w7ra-{'1' * 5000}",
    ],
)
def test_a_name_that_was_not_made_here_has_no_key(name: str) -> None:
    assert TaskKey.in_name(name) is None


@pytest.mark.parametrize("name", ["", "   ", "\n"])
def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(SopsInvalidParameterError, match="empty"):
        key().add_to(name)


def test_a_name_of_80_characters_is_the_longest() -> None:
    assert key().add_to("名" * 80).startswith("名" * 80)
    with pytest.raises(SopsInvalidParameterError, match="81 characters; the limit is 80"):
        key().add_to("名" * 81)


KEY = TaskKey("k3vq2z2m5w7ra", 2)
BEFORE_CLEAR = TaskKey(KEY.digest, 1)
OTHER = TaskKey("aaaaaaaaaaaaa", 2)


def task(task_id: int, *, key: TaskKey = KEY, started: bool = False, name: str = "") -> TaskListItem:
    return TaskListItem.read({"id": task_id, "name": name or key.add_to("deploy"), "is_started": started})


def elected_id(*tasks: TaskListItem, over: tuple[int, ...] = ()) -> int | None:
    elected = elect(tasks, over=over)
    return None if elected is None else elected.id


class TestFoundTasks:
    def test_tasks_of_this_generation_and_of_others_are_told_apart(self) -> None:
        found = FoundTasks.of(
            KEY, [task(5), task(4, key=BEFORE_CLEAR), task(6, key=TaskKey(KEY.digest, 12))], TaskOrigin()
        )

        assert [each.id for each in found.current] == [5]
        assert [each.id for each in found.earlier] == [4, 6]

    def test_they_come_oldest_first_although_sops_lists_the_newest_first(self) -> None:
        found = FoundTasks.of(KEY, [task(9), task(7), task(8)], TaskOrigin())

        assert [each.id for each in found.current] == [7, 8, 9]

    def test_what_the_search_found_besides_is_left_out(self) -> None:
        look_alikes = [task(1, key=OTHER), task(2, name=f"about {KEY.keyword}2 of last week"), task(3, name="x")]

        found = FoundTasks.of(KEY, look_alikes, TaskOrigin())

        assert found == FoundTasks()

    def test_those_of_others_and_doubtful_ones_are_kept_apart(self) -> None:
        origin = TaskOrigin(8, users=["admin"])
        made = {"create_method": "api", "creator": "admin", "template_id": "8", "template_source": "project"}
        by_hand, by_bob = {**made, "create_method": "app"}, {**made, "creator": "bob"}
        items = [
            {**fields, "id": task_id, "name": key.add_to("deploy")}
            for task_id, (fields, key) in enumerate(
                itertools.product((made, by_hand, by_bob), (KEY, BEFORE_CLEAR)), start=1
            )
        ]

        found = FoundTasks.of(KEY, map(TaskListItem.read, items), origin)

        ids = {name: [task.id for task in getattr(found, name)] for name in FoundTasks.__dataclass_fields__}
        assert ids == {"current": [1], "earlier": [2], "others": [3, 4], "doubtful": [5], "doubtful_earlier": [6]}


class TestElection:
    def test_without_tasks_nobody_is_elected(self) -> None:
        assert elected_id() is None

    def test_the_lowest_id_wins_among_unstarted_tasks(self) -> None:
        assert elected_id(task(9), task(7), task(8)) == 7

    def test_a_started_task_wins_over_a_lower_id(self) -> None:
        assert elected_id(task(7), task(8), task(9, started=True)) == 9

    def test_the_lowest_id_wins_among_started_tasks(self) -> None:
        assert elected_id(task(9, started=True), task(8, started=True), task(7)) == 8

    def test_a_task_that_is_over_is_out_of_the_question(self) -> None:
        assert elected_id(task(7, started=True), task(8), over=(7,)) == 8
        assert elected_id(task(7), over=(7,)) is None

    def test_all_who_see_the_same_tasks_elect_the_same_one(self) -> None:
        tasks = [task(7), task(8, started=True), task(9, started=True)]

        assert {elected_id(*order) for order in itertools.permutations(tasks)} == {8}


class TestSearch:
    SEARCH = TaskSearch(key(), TaskOrigin(8, "common", is_first_try=True), earlier_too=True)

    def test_survives_the_database(self) -> None:
        assert TaskSearch.from_json(json.loads(json.dumps(self.SEARCH.to_json()))) == self.SEARCH

    @pytest.mark.parametrize("data", [None, {}, {"digest": "abc"}, {"generation": 1}])
    def test_anything_else_in_the_database_is_none(self, data: Any) -> None:
        assert TaskSearch.from_json(data) is None

    def test_asks_for_the_key_in_names(self) -> None:
        call = self.SEARCH.call
        assert (call.api, call.parameters["keyword"]) == ("get_task_list", key().keyword)

    @pytest.mark.parametrize(("earlier_too", "ended"), [(True, [3, 2]), (False, [2])])
    def test_a_try_ends_what_it_may_have_started(self, earlier_too: bool, ended: list[int]) -> None:
        search = replace(self.SEARCH, earlier_too=earlier_too)
        names = {1: key().add_to("deploy"), 2: key().add_to("deploy"), 3: key(max_tries=0).add_to("deploy")}
        items = [
            TaskListItem.read({"id": each, "name": name, "is_started": each != 1, "creator": "admin"})
            for each, name in names.items()
        ]
        assert search.to_end(search.sort(items, "admin")) == ended
        assert search.to_end(search.sort(items, None)) == ended
        assert search.sort(items, "somebody else").current == ()

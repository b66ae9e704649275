from __future__ import annotations

import itertools

from airflow_provider_sops.sops.election import FoundTasks, elect
from airflow_provider_sops.sops.models import TaskListItem
from airflow_provider_sops.sops.task_key import TaskKey

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
        found = FoundTasks.of(KEY, [task(5), task(4, key=BEFORE_CLEAR), task(6, key=TaskKey(KEY.digest, 12))])

        assert [each.id for each in found.current] == [5]
        assert [each.id for each in found.earlier] == [4, 6]

    def test_they_come_oldest_first_although_sops_lists_the_newest_first(self) -> None:
        found = FoundTasks.of(KEY, [task(9), task(7), task(8)])

        assert [each.id for each in found.current] == [7, 8, 9]

    def test_what_the_search_found_besides_is_left_out(self) -> None:
        look_alikes = [task(1, key=OTHER), task(2, name=f"about {KEY.keyword}2 of last week"), task(3, name="x")]

        found = FoundTasks.of(KEY, look_alikes)

        assert (found.current, found.earlier) == ((), ())


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

"""PollSchedule: few requests, evenly spread, nobody late."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sops.polling.schedule import COLLECT_SECONDS, PollSchedule
from airflow_provider_sops.sops.endpoints import BATCH_SIZE

INTERVAL = 10.0


@dataclass
class Course:
    """Runs a schedule on a clock of its own; each look is followed by another one an interval later.

    :param arrivals: when each wait begins, in seconds; its place in the list is its task's id.
    :param ends: when tasks end, by id; the first look after that is the last one.
    :param pauses_wanted: the pauses of those tasks that want another one than ``interval``.
    :param longest: how long any pause may become.
    """

    arrivals: list[float]
    ends: dict[int, float] = field(default_factory=dict)
    interval: float = INTERVAL
    pauses_wanted: dict[int, float] = field(default_factory=dict)
    longest: float | None = None
    schedule: PollSchedule = field(default_factory=PollSchedule)
    requests: list[tuple[float, list[int]]] = field(default_factory=list)
    looks: dict[int, list[float]] = field(default_factory=dict)

    def run(self, seconds: float) -> Course:
        waiting = sorted((moment, task_id) for task_id, moment in enumerate(self.arrivals))
        while True:
            now = min(waiting[0][0] if waiting else math.inf, self.schedule.next_time() or math.inf)
            if now > seconds:
                return self
            if waiting and waiting[0][0] <= now:
                _, task_id = waiting.pop(0)
                self.schedule.join(task_id, self.interval)
                self.schedule.add(task_id, now, 0)
                continue
            taken = self.schedule.take(now)
            self.requests.append((now, taken))
            for task_id in taken:
                self.looks.setdefault(task_id, []).append(now)
                if now < self.ends.get(task_id, math.inf):
                    self.schedule.add(task_id, now, self.pauses_wanted.get(task_id, self.interval), self.longest)
                else:
                    self.schedule.leave(task_id)

    def requests_between(self, begin: float, end: float) -> int:
        return sum(begin <= moment < end for moment, _ in self.requests)

    def pauses(self, task_id: int) -> list[float]:
        looks = self.looks[task_id]
        return [later - earlier for earlier, later in itertools.pairwise(looks)]


@pytest.mark.parametrize(
    ("waits", "requests"), [(1, 1), (49, 1), (50, 1), (51, 2), (60, 2), (100, 2), (990, 20), (1000, 20), (5000, 100)]
)
@pytest.mark.parametrize("arriving_within_seconds", [0, 0.9 * INTERVAL, 5 * INTERVAL])
def test_a_request_for_fifty_waits_per_interval(waits: int, requests: int, arriving_within_seconds: float) -> None:
    course = Course([arriving_within_seconds * n / waits for n in range(waits)]).run(100 * INTERVAL)

    assert course.requests_between(10 * INTERVAL, 100 * INTERVAL) <= requests * 91


@pytest.mark.parametrize("waits", [100, 1000, 5000])
def test_requests_keep_their_distance_even_if_all_waits_begin_at_once(waits: int) -> None:
    course = Course([0.0] * waits).run(10 * INTERVAL)

    moments = [moment for moment, _ in course.requests if moment > 2 * INTERVAL]
    distances = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert min(distances) >= 0.9 * INTERVAL * BATCH_SIZE / waits


@pytest.mark.parametrize("ending_within_seconds", [0.1, INTERVAL, 3 * INTERVAL])
@pytest.mark.parametrize("waits", [60, 1000, 5000])
def test_no_end_is_noticed_late_while_many_tasks_end(waits: int, ending_within_seconds: float) -> None:
    chance = random.Random(waits)
    ends = {task_id: 30 + chance.uniform(0, ending_within_seconds) for task_id in range(waits)}
    course = Course([0.0] * waits, ends).run(100)

    assert max(course.looks[task_id][-1] - end for task_id, end in ends.items()) <= INTERVAL + 0.5
    assert course.schedule.next_time() is None


def test_the_first_look_of_a_lone_wait_comes_at_once() -> None:
    course = Course([3.0]).run(30)

    assert course.looks[0] == pytest.approx([3 + COLLECT_SECONDS, 13 + COLLECT_SECONDS, 23 + COLLECT_SECONDS])


def test_waits_that_begin_together_share_their_first_request() -> None:
    course = Course([3.0, 3.1, 3.4]).run(4)

    assert [sorted(taken) for _, taken in course.requests] == [[0, 1, 2]]


def test_a_newcomer_takes_the_others_along() -> None:
    course = Course([0.0, 4.0]).run(4 * INTERVAL)

    assert course.requests_between(5, 35) == 3


def test_who_left_is_not_asked_about() -> None:
    schedule = PollSchedule()
    for task_id in (1, 2):
        schedule.join(task_id, INTERVAL)
        schedule.add(task_id, 0.0, 0)
    schedule.discard(1)
    schedule.leave(1)

    assert schedule.take(1.0) == [2]
    assert schedule.next_time() is None


def test_a_sooner_look_takes_the_place_of_a_later_one_and_not_the_other_way_round() -> None:
    schedule = PollSchedule()
    schedule.join(1, INTERVAL)
    schedule.add(1, 0.0, 8.0)
    schedule.add(1, 0.0, 3.0)
    schedule.add(1, 0.0, 6.0)

    assert schedule.next_time() == 3.0


def test_several_waits_for_one_task_count_as_one() -> None:
    schedule = PollSchedule()
    for _ in range(200):
        schedule.join(1, INTERVAL)
        schedule.add(1, 0.0, 0)

    assert schedule.pause_seconds == INTERVAL
    assert schedule.take(0.5) == [1]
    assert schedule.next_time() is None


class TestPausesOfTheirOwn:
    """Each task says with each look when the next one is due."""

    def test_a_young_task_among_many_old_ones_is_looked_at_often_and_the_others_are_not(self) -> None:
        course = Course([0.0] * 1000 + [50.0], pauses_wanted={1000: 1.5}).run(110)

        assert max(course.pauses(1000)) <= 1.5
        assert course.requests_between(60, 110) <= 5 * 20 + 50 / 1.5 + 5
        assert min(min(course.pauses(task_id)[-4:]) for task_id in range(1000)) > 5

    def test_a_burst_of_young_tasks_gets_longer_pauses_and_no_more_than_five_requests_a_second(self) -> None:
        course = Course([0.0] * 1000, pauses_wanted=dict.fromkeys(range(1000), 1.5), longest=10.0).run(60)

        assert course.requests_between(20, 60) <= 5 * 40
        assert max(max(course.pauses(task_id)[-4:]) for task_id in range(1000)) <= 4.5

    def test_pauses_that_must_not_become_longer_do_not(self) -> None:
        course = Course([0.0] * 1000, pauses_wanted=dict.fromkeys(range(1000), 1.5)).run(60)

        assert max(max(course.pauses(task_id)[-4:]) for task_id in range(1000)) <= 2.0

    def test_no_pause_becomes_longer_than_its_longest(self) -> None:
        course = Course([0.0] * 5000, pauses_wanted=dict.fromkeys(range(5000), 1.5), longest=6.0).run(60)

        assert max(max(course.pauses(task_id)[-3:]) for task_id in range(5000)) <= 6.5

    def test_a_task_that_left_is_not_counted(self) -> None:
        schedule = PollSchedule()
        for task_id in range(1000):
            schedule.join(task_id, INTERVAL)
            schedule.add(task_id, 0.0, 1.5, 10.0)
        for task_id in range(1, 1000):
            schedule.discard(task_id)
            schedule.leave(task_id)
        schedule.take(10.0)
        schedule.add(0, 10.0, 1.5, 10.0)

        assert schedule.pause_seconds == 1.5
        assert schedule.next_time() == 11.5

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.sampled_from([1.5, 2.0, 3.5, 10.0]), min_size=1, max_size=200))
    def test_no_look_is_late_whatever_the_pauses_are(self, pauses: list[float]) -> None:
        course = Course([0.0] * len(pauses), pauses_wanted=dict(enumerate(pauses))).run(60)

        for task_id, pause in enumerate(pauses):
            assert max(course.pauses(task_id)) <= pause + COLLECT_SECONDS


def test_the_shortest_interval_counts() -> None:
    schedule = PollSchedule()
    schedule.join(1, 60.0)
    schedule.join(2, INTERVAL)
    assert schedule.pause_seconds == INTERVAL
    schedule.leave(2)
    assert schedule.pause_seconds == 60.0


@settings(deadline=None, max_examples=40)
@given(
    waits=st.integers(1, 400),
    arriving_within_seconds=st.floats(0, 60),
    seed=st.integers(0, 1000),
)
def test_nobody_is_asked_about_late_nor_forgotten(waits: int, arriving_within_seconds: float, seed: int) -> None:
    chance = random.Random(seed)
    arrivals = [chance.uniform(0, arriving_within_seconds) for _ in range(waits)]
    course = Course(arrivals).run(200)

    assert all(len(taken) <= BATCH_SIZE for _, taken in course.requests)
    assert all(len(set(taken)) == len(taken) > 0 for _, taken in course.requests)
    for task_id, arrival in enumerate(arrivals):
        assert course.looks[task_id][0] - arrival <= INTERVAL + 1
        assert max(course.pauses(task_id)) <= INTERVAL + 1
        assert course.looks[task_id][-1] >= 200 - INTERVAL - 1

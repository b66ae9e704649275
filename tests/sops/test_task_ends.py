"""What a watcher tells: each end once, and again rather than never."""

from __future__ import annotations

import json
from typing import Any

import pendulum
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_sops.sops.models import TaskListItem
from airflow_provider_sops.sops.task_ends import (
    EXPIRED,
    FAILED,
    FAILING,
    FINISHED,
    REVOKED,
    Selection,
    WatchedTask,
    WatchProgress,
)
from airflow_provider_sops.sops.task_key import TaskKey

GOES_ON = ""
ALL = Selection(states=(FINISHED, FAILED, REVOKED, EXPIRED))
LATER = 61.0
NOON = pendulum.datetime(2026, 3, 1, 12)


def item(task_id: int, **changes: Any) -> TaskListItem:
    return TaskListItem.read({"id": task_id, "name": f"task {task_id}", "template_id": "7", **changes})


def picture(**ends: str) -> dict[int, WatchedTask]:
    """Return what is known of some tasks: ``picture(t1="FINISHED", t2="")``."""
    return {int(name[1:]): WatchedTask(item(int(name[1:])), end) for name, end in ends.items()}


def told(progress: WatchProgress, now: float = 1.0, **ends: str) -> list[tuple[int, str]]:
    return [(task.item.id, task.end) for task in progress.news(picture(**ends), now)]


def restarted(progress: WatchProgress, now: float) -> WatchProgress:
    """Return the progress as it comes back after a crash at this moment; clocks start at zero again."""
    again = WatchProgress.from_json(progress.selection, json.loads(json.dumps(progress.to_json(now))), 0.0)
    assert again is not None
    return again


class TestFirstLook:
    def test_what_has_ended_before_is_no_news(self) -> None:
        ends = {"t1": FINISHED, "t2": FAILED, "t3": REVOKED, "t4": FAILING}
        assert told(WatchProgress.begin(ALL, picture(**ends), 0.0), 1.0, **ends) == []

    def test_what_goes_on_is_followed_to_its_end(self) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=GOES_ON, t2=FAILED), 0.0)
        assert told(progress, t1=FINISHED, t2=FINISHED) == [(1, FINISHED), (2, FINISHED)]

    def test_what_has_ended_lately_is_news_if_asked_for(self) -> None:
        tasks = {
            number: WatchedTask(item(number), FINISHED, NOON.add(minutes=minutes))
            for number, minutes in ((1, -1), (2, 0), (3, 1))
        }
        progress = WatchProgress.begin(ALL, tasks, 0.0, ended_since=NOON)
        assert [task.item.id for task in progress.news(tasks, 1.0)] == [2, 3]


class TestNews:
    @pytest.mark.parametrize("end", [FINISHED, REVOKED, EXPIRED, FAILED])
    def test_an_end_is_told_once(self, end: str) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=GOES_ON), 0.0)
        assert told(progress, 1.0, t1=end) == [(1, end)]
        assert told(progress, 2.0, t1=end) == told(progress, 2 + LATER, t1=end) == []

    def test_a_task_that_ran_between_two_looks_is_told(self) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=FINISHED), 0.0)
        assert told(progress, t1=FINISHED, t2=FINISHED) == [(2, FINISHED)]

    def test_the_first_task_of_a_business_is_told(self) -> None:
        assert told(WatchProgress.begin(ALL, {}, 0.0), t1=FINISHED) == [(1, FINISHED)]

    def test_only_wanted_ends_are_told(self) -> None:
        progress = WatchProgress.begin(Selection(states=(REVOKED,)), picture(), 0.0)
        assert told(progress, t1=FINISHED, t2=REVOKED, t3=FAILED, t4=EXPIRED) == [(2, REVOKED)]

    def test_a_failed_task_that_was_repaired_is_told_as_finished_too(self) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=GOES_ON), 0.0)
        assert told(progress, t1=FAILED) == [(1, FAILED)]
        assert told(progress, 90.0, t1=GOES_ON) == []
        assert told(progress, 95.0, t1=FINISHED) == [(1, FINISHED)]

    def test_a_task_that_fails_again_after_a_retry_is_told_again(self) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=GOES_ON), 0.0)
        looks = [FAILED, GOES_ON, FAILING, FAILED]
        assert [told(progress, t1=end) for end in looks] == [[(1, FAILED)], [], [], [(1, FAILED)]]

    def test_a_failure_that_is_looked_into_again_is_not_told_again(self) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=GOES_ON), 0.0)
        assert [told(progress, t1=end) for end in (FAILED, FAILING, FAILED)] == [[(1, FAILED)], [], []]

    def test_a_task_that_shows_later_than_a_younger_one_is_told(self) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=FINISHED), 0.0)
        assert told(progress, 1.0, t1=FINISHED, t3=FINISHED) == [(3, FINISHED)]
        assert told(progress, 31.0, t1=FINISHED, t2=FINISHED, t3=FINISHED) == [(2, FINISHED)]

    def test_a_deleted_task_is_forgotten(self) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=GOES_ON), 0.0)
        assert told(progress) == []
        assert progress.to_json(LATER)["open"] == []


class TestRestart:
    def test_what_ended_meanwhile_is_told(self) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=GOES_ON, t2=FINISHED), 0.0)
        again = restarted(progress, 1.0)
        assert told(again, t1=FINISHED, t2=FINISHED, t3=FINISHED) == [(1, FINISHED), (3, FINISHED)]

    def test_what_was_told_long_ago_is_not_told_again(self) -> None:
        progress = WatchProgress.begin(ALL, picture(t1=GOES_ON, t2=GOES_ON), 0.0)
        now = {"t1": FINISHED, "t2": FAILED, "t3": REVOKED}
        told(progress, 1.0, **now)
        told(progress, 1 + LATER, **now)
        assert told(restarted(progress, 1 + LATER), 1.0, **now) == []

    def test_what_was_told_just_now_is_told_again(self) -> None:
        """Airflow may not have had the time to store the event."""
        progress = WatchProgress.begin(ALL, picture(t1=GOES_ON, t2=GOES_ON), 0.0)
        now = {"t1": FINISHED, "t2": FAILED, "t3": REVOKED}
        told(progress, 1.0, **now)
        assert told(restarted(progress, 2.0), 1.0, **now) == [(1, FINISHED), (2, FAILED), (3, REVOKED)]

    @pytest.mark.parametrize("kept", [None, "", 7, [], {}, {"newest": None}, {"open": [1]}])
    def test_what_is_no_progress_is_none(self, kept: Any) -> None:
        assert WatchProgress.from_json(ALL, kept, 0.0) is None

    @given(st.data())
    def test_no_end_is_lost_whenever_the_watcher_crashes(self, data: st.DataObject) -> None:
        """Tasks come and end in any order, with crashes in between that undo what was told in the last minute."""
        tasks: dict[int, str] = {}
        progress = WatchProgress.begin(ALL, {}, 0.0)
        now, stored, told_of = 0.0, set[int](), dict[int, float]()
        for _ in range(data.draw(st.integers(1, 12))):
            now += data.draw(st.sampled_from([1.0, 30.0, LATER]))
            for _ in range(data.draw(st.integers(0, 3))):
                tasks[len(tasks) + 1] = GOES_ON
            for task_id in data.draw(st.sets(st.sampled_from(sorted(tasks)))) if tasks else ():
                tasks[task_id] = FINISHED
            ends = {f"t{task_id}": end for task_id, end in tasks.items()}
            for task_id, _end in told(progress, now, **ends):
                told_of[task_id] = now
            stored = {task_id for task_id, at in told_of.items() if now - at >= LATER - 1}
            if data.draw(st.booleans()):
                again = WatchProgress.from_json(ALL, progress.to_json(now), now)
                assert again is not None
                progress, told_of = again, {task_id: at for task_id, at in told_of.items() if task_id in stored}
        final = {task_id for task_id, _end in told(progress, now, **{f"t{key}": end for key, end in tasks.items()})}
        assert final | told_of.keys() == {task_id for task_id, end in tasks.items() if end}


class TestSelection:
    @pytest.mark.parametrize(
        ("selection", "covered"),
        [
            (Selection(), {1, 2, 3}),
            (Selection(template_id=7), {1, 2}),
            (Selection(template_id=7, template_source="common"), {3}),
            (Selection(name_pattern="nightly *"), {1}),
            (Selection(name_pattern="nightly"), set()),
            (Selection(name_pattern="[Nn]ightly*", template_id=7), {1, 2}),
            (Selection(template_id=8), set()),
        ],
    )
    def test_covers_by_template_and_name(self, selection: Selection, covered: set[int]) -> None:
        items = [
            item(1, name="nightly backup", template_source="project"),
            item(2, name="Nightly report"),
            item(3, name="hourly", template_source="common"),
        ]
        assert {task.id for task in items if selection.covers(task)} == covered

    def test_leaves_out_what_operators_have_started(self) -> None:
        key = TaskKey.of(dag_id="d", run_id="r", task_id="t", map_index=-1, max_tries=0)
        assert not Selection().covers(item(1, name=key.add_to("nightly")))

    def test_a_task_that_is_not_watched_is_never_told(self) -> None:
        progress = WatchProgress.begin(Selection(template_id=8), picture(), 0.0)
        assert told(progress, t1=FINISHED) == []


@given(pattern=st.text("ab[]!*?-", max_size=9), name=st.text("ab[]!-", max_size=9))
@example(pattern="[]a]b*", name="]b")
@example(pattern="[!]a]b*", name="bb")
@example(pattern="a[b*", name="a[b")
@settings(max_examples=500)
def test_every_watched_name_contains_the_keyword(pattern: str, name: str) -> None:
    selection = Selection(name_pattern=pattern)
    if selection.covers(item(1, name=name)):
        assert selection.keyword in name


@pytest.mark.parametrize(
    ("pattern", "keyword"),
    [
        (None, ""),
        ("*", ""),
        ("nightly *", "nightly "),
        ("*-load-?", "-load-"),
        ("[ab]c*ddd", "ddd"),
        ("plain", "plain"),
    ],
)
def test_the_keyword_is_the_longest_fixed_part(pattern: str | None, keyword: str) -> None:
    assert Selection(name_pattern=pattern).keyword == keyword

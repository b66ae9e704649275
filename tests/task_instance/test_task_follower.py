"""TaskFollower: what it asks of SOPS, and when it asks for the task's tree again."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest

from airflow_provider_sops import metrics
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsConnectionError
from airflow_provider_sops.sops.models import NodeDetail, TaskDetail, TaskStatus
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.task_instance.task_follower import TaskFollower
from tests.operators.sops.test_revoke_task import FakeTime
from tests.sops.auto_retrying_sops import AutoRetryingSops
from tests.sops.builders import activity, failed_task, node, pipeline_tree, running_task, task_status

DOWN = SopsConnectionError("connection refused", request_sent=False)


@dataclass
class Course:
    """A follower of a task in simulated time.

    :param sops: how the task goes.
    :param runs_seconds: how long it runs before its first failure.
    :param tree_comes_at: from when on the task's tree can be read.
    :param is_read: whether whoever follows the task has read it before.
    """

    sops: AutoRetryingSops
    runs_seconds: float = 0.0
    tree_comes_at: float = 0.0
    is_read: bool = False
    now: float = 0.0
    tree_requests: list[float] = field(default_factory=list)

    def follow(self) -> Outcome:
        """Follow the task to its end."""
        hook = mock.create_autospec(SopsHook, instance=True)
        hook.get_task_status.side_effect = self._status
        hook.get_task_detail.side_effect = self._detail
        log = logging.getLogger(__name__)
        detail = TaskDetail.read({"id": 7, "pipeline_tree": self.sops.tree}) if self.is_read else None
        follower = TaskFollower(hook, 7, WaitPolicy(), log, detail=detail, sleep=self._sleep, clock=lambda: self.now)
        return follower.to_the_end().outcome

    def _status(self, _task_id: int, *, with_auto_retry_status: bool, **_options: Any) -> TaskStatus:
        seconds = self.now - self.runs_seconds
        data = self.sops.status(seconds, with_details=with_auto_retry_status) if seconds >= 0 else running_task()
        return TaskStatus.read(data)

    def _detail(self, _task_id: int, *, fresh: bool = False) -> TaskDetail:
        self.tree_requests.append(self.now)
        if self.now < self.tree_comes_at:
            raise DOWN
        return TaskDetail.read({"id": 7, "pipeline_tree": self.sops.tree})

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("age", ["3.33", "3.24"])
def test_the_tree_is_read_once(age: str) -> None:
    course = Course(AutoRetryingSops(age, failures=2))
    assert course.follow() == Outcome.FINISHED
    assert course.tree_requests == [0.0]


def test_a_tree_that_could_not_be_read_is_asked_for_again_only_when_a_node_has_failed() -> None:
    course = Course(AutoRetryingSops(times=0), runs_seconds=60, tree_comes_at=5)
    assert course.follow() == Outcome.FAILED
    assert course.tree_requests == [0.0, 60.0]


def test_a_failure_is_not_final_for_want_of_the_tree() -> None:
    course = Course(AutoRetryingSops(failures=2), tree_comes_at=1000)
    assert course.follow() == Outcome.FINISHED
    assert len(course.tree_requests) > 2


def test_the_wait_ends_without_the_tree_too() -> None:
    course = Course(AutoRetryingSops(times=0), tree_comes_at=1000)
    assert course.follow() == Outcome.FAILED
    assert course.now < 1000


def test_a_task_that_the_caller_has_read_is_not_read_again() -> None:
    course = Course(AutoRetryingSops(failures=2), is_read=True)
    assert course.follow() == Outcome.FINISHED
    assert course.tree_requests == []


def test_a_wait_goes_on_after_a_call_for_a_person_and_tells_nothing_twice(caplog: pytest.LogCaptureFixture) -> None:
    answers = [*[failed_task()] * 4, *[task_status("FINISHED", {"a": node("FINISHED", "boom", retry=1)})] * 4]
    hook = mock.create_autospec(SopsHook, instance=True)
    hook.get_task_status.side_effect = map(TaskStatus.read, answers)
    hook.get_task_detail.side_effect = DOWN
    time = FakeTime()
    policy = WaitPolicy(on_failed="wait", announce_failures=True)
    follower = TaskFollower(hook, 7, policy, logging.getLogger(__name__), sleep=time.sleep, clock=time.clock)
    with caplog.at_level(logging.INFO):
        ends = [follower.to_the_end().outcome, follower.to_the_end().outcome]
    assert ends == [Outcome.PERSON_NEEDED, Outcome.FINISHED]
    assert [message.split(",")[0] for message in caplog.messages] == [
        'SOPS task 7: node "boom" FAILED',
        'SOPS task 7: node "boom" FINISHED',
    ]


def test_an_answer_that_has_grown_old_while_the_tree_was_read_is_read_again() -> None:
    now = 0.0
    fresh: list[bool] = []

    def status(_task_id: int, **options: Any) -> TaskStatus:
        fresh.append(options["fresh"])
        return TaskStatus.read(running_task() if now < 3 else task_status("FINISHED", {}))

    def detail(_task_id: int, **_options: Any) -> TaskDetail:
        nonlocal now
        now += 5
        raise DOWN

    hook = mock.create_autospec(SopsHook, instance=True)
    hook.get_task_status.side_effect = status
    hook.get_task_detail.side_effect = detail
    result = TaskFollower(hook, 7, WaitPolicy(), logging.getLogger(__name__), clock=lambda: now).once()

    assert result is not None
    assert result.outcome == Outcome.FINISHED
    assert fresh == [False, True]


def test_a_status_that_is_no_failure_needs_no_tree() -> None:
    hook = mock.create_autospec(SopsHook, instance=True)
    hook.get_task_detail.side_effect = DOWN
    hook.get_task_status.return_value = TaskStatus.read(task_status("FINISHED"))
    follower = TaskFollower(hook, 7, WaitPolicy(), logging.getLogger(__name__), sleep=lambda _seconds: None)
    assert follower.to_the_end().outcome == Outcome.FINISHED


def test_what_is_not_over_after_a_while_goes_on_elsewhere_without_telling_anything_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook = mock.create_autospec(SopsHook, instance=True)
    now = [0.0]
    hook.get_task_detail.return_value = TaskDetail.read({"id": 7, "pipeline_tree": {}})
    hook.get_task_status.return_value = TaskStatus.read(task_status("RUNNING", {"a": node("RUNNING", "copy")}))
    times: dict[str, Any] = {"sleep": lambda pause: now.__setitem__(0, now[0] + pause), "clock": lambda: now[0]}
    with caplog.at_level(logging.INFO):
        policy = TaskFollower(hook, 7, WaitPolicy(paced=True), logging.getLogger(), **times).for_a_while(6)
        assert isinstance(policy, WaitPolicy)
        assert TaskFollower(hook, 7, policy, logging.getLogger(), **times).for_a_while(6) == policy
    assert hook.get_task_status.call_count == 10
    assert caplog.text.count('node "copy" RUNNING') == 1


def test_what_is_over_within_a_while_needs_no_policy_to_go_on() -> None:
    hook = mock.create_autospec(SopsHook, instance=True)
    hook.get_task_detail.return_value = TaskDetail.read({"id": 7, "pipeline_tree": {}})
    hook.get_task_status.return_value = TaskStatus.read(task_status("FINISHED"))
    result = TaskFollower(hook, 7, WaitPolicy(), logging.getLogger()).for_a_while(6)
    assert isinstance(result, WaitResult)
    assert result.outcome == Outcome.FINISHED


@pytest.mark.parametrize("is_readable", [True, False])
def test_what_a_node_asks_people_is_read_once_and_told(caplog: pytest.LogCaptureFixture, is_readable: bool) -> None:
    tree = pipeline_tree("start > a > end", nodes={"a": activity("ask", "bk_approve")})
    asks = task_status("RUNNING", {"a": node("RUNNING", "ask")})
    hook = mock.create_autospec(SopsHook, instance=True)
    hook.get_task_detail.return_value = TaskDetail.read({"id": 7, "pipeline_tree": tree})
    hook.get_task_status.side_effect = [TaskStatus.read(each) for each in (asks, asks, task_status("FINISHED"))]
    hook.get_task_node_detail.side_effect = None if is_readable else DOWN
    hook.get_task_node_detail.return_value = NodeDetail.read({"inputs": {"bk_verifier": "ann"}})
    seconds = itertools.count()

    follower = TaskFollower(
        hook, 7, WaitPolicy(), logging.getLogger(__name__), sleep=lambda _: None, clock=lambda: float(next(seconds))
    )

    assert follower.to_the_end().outcome == Outcome.FINISHED
    assert hook.get_task_node_detail.call_count == 1
    assert 'node "ask" waits for a person' in caplog.text
    assert ("who: ann" in caplog.text) is is_readable


def test_metrics_tell_how_late_an_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    monkeypatch.setattr(metrics, "_send", lambda _metric, value: delays.append(value))
    hook = mock.create_autospec(SopsHook, instance=True)
    ended = {"state": "FINISHED", "finish_time": "2026-03-01 02:31:07 +0800"}
    hook.get_task_status.side_effect = [TaskStatus.read(running_task()), TaskStatus.read(ended)]
    hook.get_task_detail.return_value = TaskDetail.read({"id": 7, "pipeline_tree": {}})

    follower = TaskFollower(hook, 7, WaitPolicy(), logging.getLogger(__name__), sleep=lambda _seconds: None)

    assert follower.to_the_end().outcome == Outcome.FINISHED
    assert len(delays) == 1

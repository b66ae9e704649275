"""Whether SOPS is about to retry a failed node by itself, as servers of all ages tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.pipeline_tree.nodes import LONGEST_INTERVAL_SECONDS
from airflow_provider_sops.sops.retried_nodes import (
    MARGIN_SECONDS,
    expects_auto_retry,
    may_be_repaired,
    needs_tree,
    repaired_nodes,
)
from airflow_provider_sops.sops.task_failure import CONFIRMATION_SECONDS
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy
from tests.sops.auto_retrying_sops import AGES, AutoRetryingSops
from tests.sops.builders import activity, node, pipeline_tree, status_of_2019, subprocess, task_status
from tests.sops.simulated_wait import SimulatedNodeWait, SimulatedWait

OLD = AutoRetryingSops(age="3.24")
PENDING_SECONDS = OLD.interval_seconds + MARGIN_SECONDS
WILL_RETRY = "SOPS will retry a failed node by itself; waiting"


def expects(sops: AutoRetryingSops, seconds: float, *, tree: Any = None, seen: dict[str, float] | None = None) -> bool:
    index = TreeIndex(sops.tree if tree is None else tree)
    return expects_auto_retry(TaskStatus.read(sops.status(seconds)), index, seen)


class TestWhatTheServerSays:
    @pytest.mark.parametrize("age", ["3.33", "3.29"])
    def test_counts_whatever_the_tree_says(self, age: str) -> None:
        never = pipeline_tree("start > a > end")
        assert expects(AutoRetryingSops(age=age), 0, tree=never)
        assert not expects(AutoRetryingSops(age=age, made_retries=0), 0)

    @pytest.mark.parametrize("age", ["3.33", "3.29"])
    def test_needs_no_tree(self, age: str) -> None:
        assert not needs_tree(TaskStatus.read(AutoRetryingSops(age=age).status(0)), None)


class TestSilence:
    def test_leaves_it_to_the_tree(self) -> None:
        assert expects(OLD, 0)
        assert not expects(replace(OLD, times=0), 0)
        assert not expects(OLD, 0, tree=pipeline_tree("start > a > end"))

    def test_it_is_expected_for_its_interval_and_a_margin(self) -> None:
        late = replace(OLD, made_retries=0)
        assert expects(late, PENDING_SECONDS - 1)
        assert not expects(late, PENDING_SECONDS)

    def test_each_failure_counts_anew(self) -> None:
        second = OLD.interval_seconds + OLD.running_seconds
        once = replace(OLD, made_retries=1)
        assert expects(once, second + PENDING_SECONDS - 1)
        assert not expects(once, second + PENDING_SECONDS)

    def test_none_is_expected_once_they_are_used_up(self) -> None:
        last = OLD.times * (OLD.interval_seconds + OLD.running_seconds)
        assert not expects(OLD, last)

    def test_retries_by_people_count_too(self) -> None:
        assert not expects(replace(OLD, retries_before=OLD.times), 0)

    def test_the_server_makes_ten_at_most(self) -> None:
        assert expects(replace(OLD, times=50, retries_before=9), 0)
        assert not expects(replace(OLD, times=50, retries_before=10), 0)

    def test_the_server_lets_a_minute_pass_at_most(self) -> None:
        late = replace(OLD, interval_seconds=3600, made_retries=0)
        assert not expects(late, LONGEST_INTERVAL_SECONDS + MARGIN_SECONDS)

    def test_where_no_time_tells_when_the_node_failed_it_counts_how_long_that_was_seen(self) -> None:
        timeless = replace(OLD, made_retries=0, shows_end=False)
        assert expects(timeless, 1000)
        assert expects(timeless, 1000, seen={"a": PENDING_SECONDS - 1})
        assert not expects(timeless, 1000, seen={"a": PENDING_SECONDS})

    def test_a_node_within_a_subprocess_is_found(self) -> None:
        inner = pipeline_tree(
            "s2 > b > e2", nodes={"b": activity("b", auto_retry={"enable": True, "times": 1, "interval": 5})}
        )
        tree = TreeIndex(pipeline_tree("start > s > end", nodes={"s": subprocess("sub", inner)}))
        status = TaskStatus.read(task_status("FAILED", {"s": node("FAILED", "sub", {"b": node("FAILED", "b")})}))

        assert expects_auto_retry(status, tree)
        assert not expects_auto_retry(status, tree, {"b": 5 + MARGIN_SECONDS})

    def test_one_of_several_failed_nodes_is_enough(self) -> None:
        retried = activity("b", auto_retry={"enable": True, "times": 1, "interval": 5})
        tree = TreeIndex(pipeline_tree("start > a > end", "start > b > end", nodes={"b": retried}))
        assert expects_auto_retry(
            TaskStatus.read(task_status("FAILED", {"a": node("FAILED"), "b": node("FAILED")})), tree
        )

    def test_without_the_tree_it_is_expected_for_as_long_as_any_server_takes(self) -> None:
        late = TaskStatus.read(replace(OLD, made_retries=0).status(LONGEST_INTERVAL_SECONDS + MARGIN_SECONDS - 1))
        later = TaskStatus.read(replace(OLD, made_retries=0).status(LONGEST_INTERVAL_SECONDS + MARGIN_SECONDS))
        assert needs_tree(late, None)
        assert needs_tree(late, TreeIndex({}))
        assert expects_auto_retry(late, None)
        assert not expects_auto_retry(later, None)

    def test_a_server_of_2019_has_none_as_its_tree_shows(self) -> None:
        status = TaskStatus.read(status_of_2019("FAILED", {"a": ("FAILED", "")}))
        assert not expects_auto_retry(status, TreeIndex(pipeline_tree("start > a > end")))


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("knows_tree", [True, False])
class TestWaitingForATask:
    def wait(self, sops: AutoRetryingSops, *, knows_tree: bool, **policy: Any) -> SimulatedWait:
        return SimulatedWait(WaitPolicy(**policy), tree=sops.tree if knows_tree else {})

    def test_it_finishes_when_a_retry_succeeds(self, age: str, knows_tree: bool) -> None:
        sops = AutoRetryingSops(age, failures=2)
        wait = self.wait(sops, knows_tree=knows_tree)

        result = wait.run(lambda seconds, look: sops.status(seconds, with_details=look.with_details))

        assert result.outcome == Outcome.FINISHED
        assert any("retry a failed node by itself" in line for line in wait.lines)

    def test_it_fails_soon_after_the_last_retry(self, age: str, knows_tree: bool) -> None:
        sops = AutoRetryingSops(age)
        last = sops.times * (sops.interval_seconds + sops.running_seconds)
        wait = self.wait(sops, knows_tree=knows_tree)

        result = wait.run(lambda seconds, look: sops.status(seconds, with_details=look.with_details))

        longest = CONFIRMATION_SECONDS + 10
        if age == "3.24" and not knows_tree:
            longest += LONGEST_INTERVAL_SECONDS + MARGIN_SECONDS
        assert result.outcome == Outcome.FAILED
        assert last <= wait.seconds <= last + longest

    def test_people_are_called_only_once_no_retry_will_come(self, age: str, knows_tree: bool) -> None:
        sops = AutoRetryingSops(age, failures=2)
        wait = self.wait(sops, knows_tree=knows_tree, on_failed="wait", announce_failures=True)

        result = wait.run(lambda seconds, look: sops.status(seconds, with_details=look.with_details))

        assert result.outcome == Outcome.FINISHED


class TestHowLongATaskIsWaitedFor:
    @pytest.mark.parametrize("shows_end", [True, False])
    def test_a_retry_that_never_comes_is_given_up(self, shows_end: bool) -> None:
        sops = replace(OLD, made_retries=0, shows_end=shows_end)
        wait = SimulatedWait(tree=sops.tree)

        result = wait.run(lambda seconds, look: sops.status(seconds, with_details=look.with_details))

        assert result.outcome == Outcome.FAILED
        assert PENDING_SECONDS <= wait.seconds <= PENDING_SECONDS + CONFIRMATION_SECONDS + 10
        assert wait.lines.count(WILL_RETRY) == 1

    def test_a_failure_that_was_old_when_the_wait_began_is_believed(self) -> None:
        sops = replace(OLD, made_retries=0)
        wait = SimulatedWait(tree=sops.tree)

        wait.run(lambda seconds, look: sops.status(seconds + 1000, with_details=look.with_details))

        assert wait.seconds == CONFIRMATION_SECONDS
        assert WILL_RETRY not in wait.lines

    def test_the_log_tells_that_the_tree_is_missing(self) -> None:
        wait = SimulatedWait(tree={})
        sops = replace(OLD, made_retries=0)

        wait.run(lambda seconds, look: sops.status(seconds, with_details=look.with_details))

        (line,) = (line for line in wait.lines if "tree" in line)
        assert (
            line == "SOPS may retry a failed node by itself; the task's tree, which would tell, cannot be read; waiting"
        )

    def test_a_failure_in_which_no_retry_comes_any_more_is_asked_about_without_details(self) -> None:
        sops = replace(OLD, made_retries=0)
        wait = SimulatedWait(WaitPolicy(on_failed="wait", deadline=1_000_200.0), tree=sops.tree)

        wait.run(lambda seconds, look: sops.status(seconds, with_details=look.with_details))

        asked = [look.with_details for look in wait.looks]
        assert asked[:3] == [False, True, True]
        assert asked[-3:] == [False] * 3


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("node_id", ["a", "later"])
class TestWaitingForANode:
    def wait(self, sops: AutoRetryingSops, node_id: str, *, has_tree: bool = True) -> SimulatedNodeWait:
        return SimulatedNodeWait.of(node_id, tree=sops.tree if has_tree else None)

    def test_it_goes_on_until_a_retry_succeeds(self, age: str, node_id: str) -> None:
        sops = AutoRetryingSops(age, failures=2)
        outcome = self.wait(sops, node_id).run(sops.status)
        # The node behind it never arrives here: the task ends before.
        assert outcome == {"a": "finished", "later": "never runs"}[node_id]

    def test_it_fails_soon_after_the_last_retry(self, age: str, node_id: str) -> None:
        sops = AutoRetryingSops(age)
        last = sops.times * (sops.interval_seconds + sops.running_seconds)
        wait = self.wait(sops, node_id)

        assert wait.run(sops.status) == {"a": "failed", "later": "task over"}[node_id]
        assert last <= wait.seconds <= last + CONFIRMATION_SECONDS + 10

    def test_the_tree_is_read_once_and_only_if_nothing_else_tells(self, age: str, node_id: str) -> None:
        sops = AutoRetryingSops(age)
        wait = self.wait(sops, node_id)
        wait.run(sops.status)
        assert wait.tree_readings == (1 if age == "3.24" else 0)

    def test_without_the_tree_it_does_not_end_before_any_retry_would_have_come(self, age: str, node_id: str) -> None:
        sops = AutoRetryingSops(age, failures=2)
        assert self.wait(sops, node_id, has_tree=False).run(sops.status) in ("finished", "never runs")

        never = AutoRetryingSops(age, times=0)
        wait = self.wait(never, node_id, has_tree=False)
        assert wait.run(never.status) in ("failed", "task over")
        longest = LONGEST_INTERVAL_SECONDS + MARGIN_SECONDS if age == "3.24" else 0
        assert longest <= wait.seconds <= longest + CONFIRMATION_SECONDS + 10


AUTO_RETRIED: dict[str, Any] = {"auto_retry": {"enable": True, "interval": 0, "times": 2}}
TIMED_OUT: dict[str, Any] = {"timeout_config": {"enable": True, "seconds": 60, "action": "forced_fail_and_skip"}}
FAILED_ON_TIMEOUT: dict[str, Any] = {"timeout_config": {"enable": True, "seconds": 60, "action": "forced_fail"}}


def repaired(row: Any, **of_node: Any) -> list[str]:
    """Return the repaired nodes of a task whose node ``a`` has a row in its status and traits in its tree."""
    status = TaskStatus.read(task_status("RUNNING", {"start": node(), "a": row}))
    tree = TreeIndex(pipeline_tree("start > a > end", nodes={"a": activity("boom", **of_node)}))
    found = [each.id for each in repaired_nodes(status, tree)]
    assert may_be_repaired(status) or not found
    return found


@pytest.mark.parametrize(
    "row", [node(skip=True), node(retry=1), node("RUNNING", retry=1), node("READY", retry=1), node("FAILED", retry=2)]
)
def test_a_skip_and_a_retry_are_repairs(row: Any) -> None:
    assert repaired(row) == ["a"]


@pytest.mark.parametrize("row", [node(), node("FAILED"), node("RUNNING"), node(error_ignored=True), node(loop=3)])
def test_nothing_else_is(row: Any) -> None:
    assert repaired(row) == []


@pytest.mark.parametrize(("retry", "found"), [(1, []), (2, []), (3, ["a"])])
def test_the_retries_that_sops_makes_by_itself_are_not(retry: int, found: list[str]) -> None:
    assert repaired(node(retry=retry), **AUTO_RETRIED) == found


def test_sops_retries_no_node_more_than_ten_times_by_itself() -> None:
    many: dict[str, Any] = {"auto_retry": {"enable": True, "interval": 0, "times": 99}}
    assert repaired(node(retry=10), **many) == []
    assert repaired(node(retry=11), **many) == ["a"]


@pytest.mark.parametrize(("elapsed", "found"), [(60, []), (61, []), (12, ["a"])])
def test_a_skip_by_the_nodes_own_time_limit_is_not_but_one_before_it_is(elapsed: int, found: list[str]) -> None:
    assert repaired(node(skip=True, elapsed_time=elapsed), **TIMED_OUT) == found


def test_a_skip_after_a_failure_by_the_time_limit_is() -> None:
    assert repaired(node(skip=True, elapsed_time=61), **FAILED_ON_TIMEOUT) == ["a"]


def test_nodes_inside_subprocesses_count_with_their_own_traits() -> None:
    inner = pipeline_tree("s > b > c > e", nodes={"b": activity("b", **AUTO_RETRIED), "c": activity("c")})
    tree = TreeIndex(pipeline_tree("start > a > end", nodes={"a": subprocess("sub", inner)}))
    rows = {"a": node(children={"b": node(retry=2), "c": node(retry=1)})}
    status = TaskStatus.read(task_status("FINISHED", rows))
    assert [each.id for each in repaired_nodes(status, tree)] == ["c"]


def test_a_node_that_the_tree_does_not_have_has_no_traits() -> None:
    status = TaskStatus.read(task_status("RUNNING", {"g": node(skip=True)}))
    assert [each.id for each in repaired_nodes(status, TreeIndex({}))] == ["g"]

"""What counts as a person's repair of a task, and what SOPS itself does to nodes."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.repair import may_be_repaired, repaired_nodes
from tests.sops.builders import activity, node, pipeline_tree, subprocess, task_status

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

"""Joining: which SOPS task of before a try goes on with."""

from __future__ import annotations

import logging
from typing import Any
from unittest import mock

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops import joining
from airflow_provider_sops.operators.sops.earlier_tasks import StartedTask
from airflow_provider_sops.operators.sops.joining import Joining
from airflow_provider_sops.operators.sops.task_memory import TaskMemory
from airflow_provider_sops.sops.models import TaskDetail, TaskStatus
from tests.plain_task_instance import PlainTaskInstance
from tests.sops.builders import activity, node, pipeline_tree, task_status

LOG = mock.create_autospec(logging.Logger, instance=True)
TREE = pipeline_tree("start > a > end", nodes={"a": activity("deploy")})
#: What happened to the node "deploy".
UNTOUCHED, SKIPPED, RETRIED = node(name="deploy"), node(name="deploy", skip=True), node(name="deploy", retry=1)


def task(state: str, row: Any = UNTOUCHED, task_id: int = 7) -> StartedTask:
    return StartedTask(task_id, TaskStatus.read(task_status(state, {"a": row})), generation=1)


@pytest.fixture
def hook() -> mock.Mock:
    """A hook that knows the tree of every task."""
    hook: mock.Mock = mock.create_autospec(SopsHook, instance=True)
    hook.get_task_detail.return_value = TaskDetail.read({"id": 7, "pipeline_tree": TREE})
    return hook


def make(
    hook: mock.Mock, *, outputs_taken: bool | None = None, ti: PlainTaskInstance | None = None, **settings: Any
) -> Joining:
    """Make it for the first try after a clear of a task that Airflow retries once."""
    memory: mock.Mock = mock.create_autospec(TaskMemory, instance=True)
    memory.outputs_taken.return_value = outputs_taken
    defaults: dict[str, Any] = {
        "retries": 1,
        "on_clear": "keep_repaired",
        "retry_mode": "resume",
        "takes_outputs": True,
    }
    ti = ti or PlainTaskInstance(max_tries=3, try_number=3)
    LOG.reset_mock()
    return Joining(hook, LOG, memory, ti, **{**defaults, **settings})


@pytest.fixture(autouse=True)
def unknown_history() -> Any:
    """Airflow does not tell how earlier tries have ended."""
    with mock.patch.object(joining, "had_succeeded", autospec=True, return_value=None) as asked:
        yield asked


class TestKeepRepaired:
    @pytest.mark.parametrize("row", [SKIPPED, RETRIED])
    @pytest.mark.parametrize("state", ["RUNNING", "SUSPENDED", "NODE_SUSPENDED", "FINISHED"])
    def test_keeps_what_a_person_has_repaired(self, hook: mock.Mock, state: str, row: Any) -> None:
        kept = task(state, row)
        assert make(hook).choose([], [kept]) is kept

    @pytest.mark.parametrize("state", ["RUNNING", "SUSPENDED", "FINISHED", "FAILED"])
    def test_keeps_nothing_that_nobody_has_touched(self, hook: mock.Mock, state: str) -> None:
        assert make(hook).choose([], [task(state)]) is None
        assert not hook.get_task_detail.called

    @pytest.mark.parametrize("state", ["FAILED", "REVOKED", "EXPIRED"])
    @pytest.mark.parametrize("row", [SKIPPED, RETRIED])
    def test_keeps_nothing_that_has_failed_again_or_is_lost(self, hook: mock.Mock, state: str, row: Any) -> None:
        assert make(hook).choose([], [task(state, row)]) is None

    def test_only_the_latest_counts_that_is_not_lost(self, hook: mock.Mock) -> None:
        kept = task("RUNNING", SKIPPED, 8)
        assert make(hook).choose([], [task("FINISHED", SKIPPED, 7), kept, task("REVOKED", SKIPPED, 9)]) is kept
        assert make(hook).choose([], [task("RUNNING", SKIPPED, 7), task("FAILED", task_id=8)]) is None

    def test_a_task_of_this_generation_comes_first(self, hook: mock.Mock) -> None:
        own = task("RUNNING", task_id=8)
        assert make(hook).choose([own], [task("RUNNING", SKIPPED)]) is own

    @pytest.mark.parametrize("on_clear", ["new", "resume", "fail"])
    def test_the_other_choices_do_not_look_at_repairs(self, hook: mock.Mock, on_clear: str) -> None:
        finished = task("FINISHED", SKIPPED)
        chosen = make(hook, on_clear=on_clear).choose([], [finished])
        assert chosen is (finished if on_clear == "resume" else None)

    @pytest.mark.parametrize(("state", "kept"), [("RUNNING", True), ("FINISHED", False)])
    def test_a_task_that_does_not_wait_has_never_wanted_outputs(self, hook: mock.Mock, state: str, kept: bool) -> None:
        assert (make(hook, takes_outputs=False).choose([], [task(state, SKIPPED)]) is not None) is kept


class TestAfterASuccess:
    """A clear of a task that had succeeded means to run the whole flow again, even if it had been repaired."""

    def test_is_known_from_airflows_store(self, hook: mock.Mock) -> None:
        assert make(hook, outputs_taken=True).choose([], [task("FINISHED", SKIPPED)]) is None
        assert make(hook, outputs_taken=False).choose([], [task("FINISHED", SKIPPED)]) is not None
        assert not LOG.warning.called

    @pytest.mark.parametrize("succeeded", [True, False])
    def test_is_known_from_airflows_history(self, hook: mock.Mock, unknown_history: mock.Mock, succeeded: bool) -> None:
        unknown_history.return_value = succeeded
        made = make(hook)
        assert (made.choose([], [task("FINISHED", SKIPPED)]) is None) is succeeded
        unknown_history.assert_called_once_with(made.ti, since_max_tries=1)
        assert not LOG.warning.called

    def test_where_it_is_not_known_a_warning_says_what_was_done(self, hook: mock.Mock) -> None:
        assert make(hook).choose([], [task("FINISHED", SKIPPED)]) is not None
        (call,) = LOG.warning.call_args_list
        assert call.args[1:] == (7, '"deploy"')
        assert 'set on_clear="new", then clear this task again' in call.args[0]


class TestRetryAfterAClear:
    """A try of the same generation that has joined a repaired task leaves no trace where Airflow remembers nothing."""

    RETRY = PlainTaskInstance(max_tries=3, try_number=4)

    @pytest.mark.parametrize(("retry_mode", "kept"), [("resume", True), ("new", False)])
    def test_goes_on_with_what_has_failed_again_as_retry_mode_says(
        self, hook: mock.Mock, retry_mode: str, kept: bool
    ) -> None:
        joined = make(hook, ti=self.RETRY, retry_mode=retry_mode).choose([], [task("FAILED", SKIPPED)])
        assert (joined is not None) is kept

    def test_does_not_go_on_with_a_failure_that_nobody_has_touched(self, hook: mock.Mock) -> None:
        assert make(hook, ti=self.RETRY).choose([], [task("FAILED")]) is None

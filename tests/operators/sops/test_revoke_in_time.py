"""TasksToRevoke: which SOPS tasks a killed try ends, in the seconds that it has left."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops.revocation import TasksToRevoke
from airflow_provider_sops.sops.answer import Answer
from airflow_provider_sops.sops.errors import SopsAuthError, SopsConnectionError, SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskListItem
from airflow_provider_sops.sops.task_key import FoundTasks, TaskKey, TaskSearch
from airflow_provider_sops.sops.task_origin import TaskOrigin
from tests.operators.sops.test_revoke_task import FakeTime

if TYPE_CHECKING:
    from airflow_provider_sops.sops.errors import SopsError

LOG = logging.getLogger(__name__)
KEY = TaskKey("abcdefghijklm", 1)
ORIGIN = TaskOrigin(8)
EARLIER = TaskKey("abcdefghijklm", 0)
LOST = SopsConnectionError("connection lost")
REFUSED = SopsInvalidOperationError("the state does not allow it", http_status=200)


def item(task_id: int, key: TaskKey = KEY, *, started: bool = True, finished: bool = False) -> TaskListItem:
    return TaskListItem.read(raw_item(task_id, key, started=started, finished=finished))


def raw_item(task_id: int, key: TaskKey = KEY, *, started: bool = True, finished: bool = False) -> dict[str, object]:
    return {"id": task_id, "name": key.add_to("a flow"), "is_started": started, "is_finished": finished}


@pytest.fixture
def hook() -> mock.Mock:
    """A hook that revokes whatever it is told to."""
    hook: mock.Mock = mock.create_autospec(SopsHook, instance=True)
    hook.configure_mock(user="admin")
    hook.do_at_once.side_effect = lambda call: call.result(
        hook.call_at_once(call.api, fresh=call.fresh, **call.parameters)
    )
    return hook


def tasks_to_revoke(hook: mock.Mock, *, earlier_too: bool = True) -> TasksToRevoke:
    time = FakeTime()
    return TasksToRevoke(hook, TaskSearch(KEY, ORIGIN, earlier_too), LOG, sleep=time.sleep, clock=time.clock)


def revoked(hook: mock.Mock) -> list[int]:
    return [call.args[0] for call in hook.revoke_at_once.mock_calls]


class TestWhichTasks:
    def test_the_one_it_settled_on(self, hook: mock.Mock) -> None:
        tasks = tasks_to_revoke(hook)
        tasks.found(FoundTasks.of(KEY, [item(1), item(2)], ORIGIN))
        tasks.settled(5)
        tasks.revoke("it was ended")
        assert revoked(hook) == [5]

    def test_those_that_were_found_and_may_run_newest_first(self, hook: mock.Mock) -> None:
        found = [item(1), item(2, started=False), item(3, finished=True), item(4, EARLIER)]
        tasks = tasks_to_revoke(hook)
        tasks.found(FoundTasks.of(KEY, found, ORIGIN))
        tasks.revoke("it was ended")
        assert revoked(hook) == [4, 1]

    def test_none_from_before_a_clear_where_those_are_left_to_people(self, hook: mock.Mock) -> None:
        tasks = tasks_to_revoke(hook, earlier_too=False)
        tasks.found(FoundTasks.of(KEY, [item(1), item(4, EARLIER)], ORIGIN))
        tasks.revoke("it was ended")
        assert revoked(hook) == [1]

    def test_those_of_earlier_tries_if_it_has_not_looked_yet(self, hook: mock.Mock) -> None:
        hook.call_at_once.return_value = Answer([raw_item(8), raw_item(9, started=False)], {}, None)
        tasks_to_revoke(hook).revoke("it was ended")
        assert revoked(hook) == [8]
        assert hook.call_at_once.call_args.kwargs["keyword"] == KEY.keyword

    def test_none_that_another_has_made_and_a_doubtful_one_is_named(
        self, hook: mock.Mock, caplog: pytest.LogCaptureFixture
    ) -> None:
        others = {**raw_item(8), "create_method": "app", "creator": "eve"}
        doubtful = {**raw_item(9), "create_method": "api", "creator": "bob", "template_id": "8"}
        ours = {**raw_item(10), "create_method": "api", "creator": "admin", "template_id": "8"}
        hook.call_at_once.return_value = Answer([others, doubtful, ours], {}, None)
        tasks_to_revoke(hook).revoke("it was ended")
        assert revoked(hook) == [10]
        assert "SOPS task 9 " in caplog.text
        assert "is not revoked and may still run" in caplog.text

    def test_each_only_once(self, hook: mock.Mock) -> None:
        tasks = tasks_to_revoke(hook)
        tasks.settled(5)
        tasks.revoke("it was ended")
        tasks.revoke("it was ended")
        assert revoked(hook) == [5]


class TestInAHurry:
    def test_a_lost_answer_is_followed_by_another_attempt(self, hook: mock.Mock) -> None:
        hook.revoke_at_once.side_effect = [LOST, None]
        tasks = tasks_to_revoke(hook)
        tasks.settled(5)
        tasks.revoke("it was ended")
        assert revoked(hook) == [5, 5]

    @pytest.mark.parametrize("state", ["FINISHED", "REVOKED", "EXPIRED"])
    def test_a_task_that_is_over_is_left_as_it_is(self, hook: mock.Mock, state: str) -> None:
        hook.revoke_at_once.side_effect = REFUSED
        hook.call_at_once.return_value = Answer({"state": state}, {}, None)
        tasks = tasks_to_revoke(hook)
        tasks.settled(5)
        tasks.revoke("it was ended")
        assert revoked(hook) == [5]

    @pytest.mark.parametrize("error", [LOST, REFUSED, SopsAuthError("the app was refused", http_status=403)])
    def test_what_fails_to_the_end_is_told_and_does_not_stop_the_others(
        self, hook: mock.Mock, caplog: pytest.LogCaptureFixture, error: SopsError
    ) -> None:
        def revoke(task_id: int) -> None:
            if task_id == 9:
                raise error

        hook.revoke_at_once.side_effect = revoke
        hook.call_at_once.return_value = Answer({"state": "CREATED"}, {}, None)
        tasks = tasks_to_revoke(hook)
        tasks.found(FoundTasks.of(KEY, [item(8), item(9)], ORIGIN))
        tasks.revoke("it was ended")
        assert revoked(hook)[-1] == 8
        assert "SOPS task 9 could not be revoked and may still run" in caplog.text

    def test_a_search_whose_answer_is_lost_is_followed_by_another(self, hook: mock.Mock) -> None:
        hook.call_at_once.side_effect = [LOST, Answer([raw_item(8)], {}, None)]
        tasks_to_revoke(hook).revoke("it was ended")
        assert revoked(hook) == [8]

    def test_all_of_it_ends_within_seconds(self, hook: mock.Mock) -> None:
        time = FakeTime()
        tasks = TasksToRevoke(hook, TaskSearch(KEY, ORIGIN, earlier_too=True), LOG, sleep=time.sleep, clock=time.clock)
        hook.revoke_at_once.side_effect = LOST
        tasks.found(FoundTasks.of(KEY, [item(number) for number in range(1, 6)], ORIGIN))
        tasks.revoke("it was ended")
        assert set(revoked(hook)) == {1, 2, 3, 4, 5}
        assert time.clock() <= 3

    def test_a_search_that_fails_is_told(self, hook: mock.Mock, caplog: pytest.LogCaptureFixture) -> None:
        hook.call_at_once.side_effect = LOST
        tasks_to_revoke(hook).revoke("it was ended")
        assert revoked(hook) == []
        assert "could not be looked up and may still run" in caplog.text

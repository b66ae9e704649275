"""revoke_task: makes sure of a revoke where there is time to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops.revocation import revoke_task
from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsConnectionError,
    SopsInvalidOperationError,
)
from airflow_provider_sops.sops.models import TaskState, TaskStatus
from airflow_provider_sops.waiting.patience import Patience
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable

LOST = SopsConnectionError("connection lost")
REFUSED = SopsInvalidOperationError("the state does not allow it", http_status=200)
NO_SUCH_USER = SopsAuthError("the user was refused", http_status=403, code=1640301)


class FakeTime:
    """Sleeps at once and remembers for how long."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now


@pytest.fixture
def deaf_hook() -> mock.Mock:
    """A hook on which answers can be laid out."""
    hook: mock.Mock = mock.create_autospec(SopsHook, instance=True)
    time = FakeTime()
    hook.bear = Patience("SOPS", 10.0, lambda _line: None, sleep=time.sleep, clock=time.clock).bear
    return hook


def status(state: str) -> TaskStatus:
    return TaskStatus.read({"state": state, "children": {}})


@pytest.mark.integration
class TestOnSops:
    @pytest.fixture
    def start(self, hook: SopsHook, templates: dict[str, int]) -> Callable[[str], int]:
        def start(template: str) -> int:
            sops_task_id = hook.create_task(templates[template], "to be revoked").task_id
            hook.start_task(sops_task_id)
            return sops_task_id

        return start

    def test_a_running_task_is_revoked(self, hook: SopsHook, start: Callable[[str], int]) -> None:
        sops_task_id = start("pause")
        assert revoke_task(hook, sops_task_id) == TaskState.REVOKED
        assert hook.get_task_status(sops_task_id, fresh=True).state == TaskState.REVOKED

    def test_a_task_that_has_come_to_its_end_keeps_it(self, hook: SopsHook, start: Callable[[str], int]) -> None:
        sops_task_id = start("quick")
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)
        assert revoke_task(hook, sops_task_id) == TaskState.FINISHED

    def test_a_second_revoke_does_no_harm(self, hook: SopsHook, start: Callable[[str], int]) -> None:
        sops_task_id = start("pause")
        assert revoke_task(hook, sops_task_id) == revoke_task(hook, sops_task_id) == TaskState.REVOKED


def test_it_is_sent_again_while_answers_are_lost(deaf_hook: mock.Mock) -> None:
    deaf_hook.operate_task.side_effect = [LOST, LOST, None]
    time = FakeTime()

    assert revoke_task(deaf_hook, 7, sleep=time.sleep) == TaskState.REVOKED
    assert deaf_hook.operate_task.mock_calls == [mock.call(7, "revoke")] * 3


def test_it_is_sent_again_while_an_accepted_start_does_not_show(deaf_hook: mock.Mock) -> None:
    deaf_hook.operate_task.side_effect = [REFUSED, None]
    deaf_hook.get_task_status.return_value = status("CREATED")

    assert revoke_task(deaf_hook, 7, sleep=FakeTime().sleep) == TaskState.REVOKED


def test_it_gives_up_once_the_run_bears_no_more(deaf_hook: mock.Mock) -> None:
    deaf_hook.operate_task.side_effect = LOST

    with pytest.raises(SopsConnectionError):
        revoke_task(deaf_hook, 7, sleep=FakeTime().sleep)
    assert deaf_hook.operate_task.call_count > 4


def test_it_gives_up_after_about_ten_seconds_of_refusals(deaf_hook: mock.Mock) -> None:
    deaf_hook.operate_task.side_effect = REFUSED
    deaf_hook.get_task_status.return_value = status("CREATED")
    time = FakeTime()

    with pytest.raises(SopsInvalidOperationError):
        revoke_task(deaf_hook, 7, sleep=time.sleep)
    assert 5 <= time.now <= 15


def test_what_will_not_pass_is_raised_at_once(deaf_hook: mock.Mock) -> None:
    deaf_hook.operate_task.side_effect = NO_SUCH_USER

    with pytest.raises(SopsAuthError):
        revoke_task(deaf_hook, 7, sleep=FakeTime().sleep)
    assert deaf_hook.operate_task.call_count == 1

"""One started SOPS task, whatever answer gets lost."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.operators.sops.exactly_once import ExactlyOnce, start_task
from airflow_provider_sops.sops.errors import (
    SopsConnectionError,
    SopsGatewayError,
    SopsInvalidOperationError,
    SopsInvalidParameterError,
)
from airflow_provider_sops.sops.models import CreatedTask, TaskState
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.task_origin import TaskOrigin
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = pytest.mark.integration

LOG = logging.getLogger(__name__)


def lost_after_sending() -> SopsConnectionError:
    return SopsConnectionError("the answer was lost", api="create_task")


@pytest.fixture
def key() -> TaskKey:
    ti = PlainTaskInstance()
    return TaskKey.of(dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=-1, max_tries=2)


@pytest.fixture
def once(hook: SopsHook, key: TaskKey) -> ExactlyOnce:
    hook.be_patient(10, LOG).sleep = lambda _: None
    return ExactlyOnce(hook, key, LOG, origin=TaskOrigin())


@pytest.fixture
def create(hook: SopsHook, key: TaskKey, templates: dict[str, int]) -> Callable[[], CreatedTask]:
    return lambda: hook.create_task(templates["quick"], key.add_to("once"))


class TestCreate:
    def test_returns_the_new_task(self, once: ExactlyOnce, create: Callable[[], CreatedTask]) -> None:
        sops_task_id = once.create(create)
        assert [task.id for task in once.find().current] == [sops_task_id]

    def test_finds_the_task_whose_answer_was_lost(self, once: ExactlyOnce, create: Callable[[], CreatedTask]) -> None:
        def create_and_lose() -> CreatedTask:
            create()
            raise lost_after_sending()

        sops_task_id = once.create(create_and_lose)
        assert [task.id for task in once.find().current] == [sops_task_id]

    def test_creates_again_when_nothing_arrived(self, once: ExactlyOnce, create: Callable[[], CreatedTask]) -> None:
        answers: Iterator[Any] = iter([lost_after_sending(), SopsGatewayError("HTML", http_status=502), None])

        def create_third() -> CreatedTask:
            error = next(answers)
            if error is not None:
                raise error
            return create()

        sops_task_id = once.create(create_third)
        assert [task.id for task in once.find().current] == [sops_task_id]

    def test_gives_up_once_an_outage_is_too_long(self, once: ExactlyOnce, hook: SopsHook) -> None:
        calls = []

        def lose() -> CreatedTask:
            calls.append(1)
            raise lost_after_sending()

        hook.be_patient(0, LOG).sleep = lambda _: None
        with pytest.raises(SopsConnectionError):
            once.create(lose)
        assert len(calls) == 4
        assert once.find().current == ()

    def test_a_create_that_landed_late_is_found_before_another_is_sent(
        self, once: ExactlyOnce, create: Callable[[], CreatedTask], hook: SopsHook
    ) -> None:
        calls, landed = [], []

        def land(_: float) -> None:
            landed.append(create().task_id)

        def lose() -> CreatedTask:
            calls.append(1)
            raise lost_after_sending()

        assert hook.patience is not None
        hook.patience.sleep = land
        # The first is searched for in vain; it lands during the pause, and the second create is lost as well.
        assert once.create(lose) == landed[0]
        assert len(calls) == 2

    def test_does_not_repeat_what_sops_refused(self, once: ExactlyOnce) -> None:
        calls = []

        def refuse() -> CreatedTask:
            calls.append(1)
            raise SopsInvalidParameterError("refused", http_status=200, code=3540000)

        with pytest.raises(SopsInvalidParameterError):
            once.create(refuse)
        assert len(calls) == 1

    def test_a_late_create_is_left_unstarted(
        self, once: ExactlyOnce, create: Callable[[], CreatedTask], hook: SopsHook
    ) -> None:
        """The first create lands after its answer was given up and a second task was made and started."""
        elected = once.create(create)
        start_task(hook, elected, LOG)
        late = create().task_id
        assert once.create(create) == elected
        assert hook.get_task_status(late, fresh=True).state == TaskState.CREATED

    def test_revoked_tasks_are_not_elected(self, once: ExactlyOnce, create: Callable[[], CreatedTask]) -> None:
        first = once.create(create)
        assert once.create(create, over=[first]) != first


class TestStart:
    def test_already_started_is_success(
        self, once: ExactlyOnce, create: Callable[[], CreatedTask], hook: SopsHook
    ) -> None:
        sops_task_id = once.create(create)
        start_task(hook, sops_task_id, LOG)
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)
        start_task(hook, sops_task_id, LOG)

    def test_starts_again_when_the_answer_was_lost(
        self, once: ExactlyOnce, create: Callable[[], CreatedTask], hook: SopsHook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sops_task_id = once.create(create)
        really_start = hook.start_task
        calls = []

        def start_and_lose(task_id: int) -> str:
            calls.append(task_id)
            url = really_start(task_id)
            if len(calls) == 1:
                raise lost_after_sending()
            return url

        monkeypatch.setattr(hook, "start_task", start_and_lose)
        start_task(hook, sops_task_id, LOG, sleep=lambda _: None)
        assert len(calls) > 1
        assert set(calls) == {sops_task_id}
        assert [task.id for task in once.find().current] == [sops_task_id]

    def test_a_refusal_of_a_task_that_is_still_created_is_an_error(
        self, once: ExactlyOnce, create: Callable[[], CreatedTask], hook: SopsHook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SOPS refuses starts over its limit with the code that it has for "already started"."""
        sops_task_id = once.create(create)
        calls = []

        def throttle(task_id: int) -> str:
            calls.append(task_id)
            raise SopsInvalidOperationError("refused", code=3545000, http_status=200)

        monkeypatch.setattr(hook, "start_task", throttle)
        with pytest.raises(SopsInvalidOperationError):
            start_task(hook, sops_task_id, LOG, sleep=lambda _: None)
        assert len(calls) == 4

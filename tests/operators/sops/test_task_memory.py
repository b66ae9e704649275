"""TaskMemory: what Airflow 3.3 remembers, and what must not be believed of it."""

from __future__ import annotations

import logging
from typing import Any, cast
from unittest import mock

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops.exactly_once import ExactlyOnce
from airflow_provider_sops.operators.sops.task_memory import TaskMemory
from airflow_provider_sops.sops.errors import SopsConnectionError
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.task_origin import TaskOrigin

LOG = logging.getLogger(__name__)
ORIGIN = TaskOrigin()
KEY = TaskKey("a" * 13, 2)


class Store(dict[str, Any]):
    """A task instance's state store, as far as it is used."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class BrokenStore:
    def get(self, key: str) -> Any:
        raise RuntimeError("no API server")

    def set(self, key: str, value: Any) -> None:
        raise RuntimeError("no API server")


def memory(store: Any, key: TaskKey = KEY) -> TaskMemory:
    return TaskMemory(cast("Any", {"task_state_store": store}), key, LOG)


def test_recalls_what_an_earlier_try_kept() -> None:
    store = Store()
    memory(store).keep(25)
    assert memory(store).recall() == 25


def test_ignores_what_was_kept_before_a_clear() -> None:
    """Airflow 3.3.2 keeps the store on a clear."""
    store = Store()
    memory(store).keep(25)
    assert memory(store, TaskKey(KEY.digest, 4)).recall() is None


@pytest.mark.parametrize("kept", [None, "25", 25, {}, {"key": f"{KEY.digest}-2"}, {"sops_task_id": 25}])
def test_ignores_what_it_did_not_write(kept: Any) -> None:
    assert memory(Store(sops_task=kept)).recall() is None


class TestOutputsTaken:
    @pytest.mark.parametrize("taken", [True, False])
    def test_are_known_after_a_clear(self, taken: bool) -> None:
        store = Store()
        memory(store).keep(25, outputs_taken=taken)
        assert memory(store, TaskKey(KEY.digest, 4)).outputs_taken(25) is taken

    def test_are_not_known_of_another_task(self) -> None:
        store = Store()
        memory(store).keep(25, outputs_taken=True)
        assert memory(store).outputs_taken(26) is None

    @pytest.mark.parametrize("kept", [None, 25, {}, {"key": f"{KEY.digest}-2", "sops_task_id": 25}])
    def test_are_not_known_where_an_older_version_has_kept_the_task(self, kept: Any) -> None:
        assert memory(Store(sops_task=kept)).outputs_taken(25) is None

    @pytest.mark.parametrize("store", [None, BrokenStore()])
    def test_are_not_known_without_a_store(self, store: Any) -> None:
        assert memory(store).outputs_taken(25) is None


@pytest.mark.parametrize("store", [None, BrokenStore()])
def test_is_not_missed_where_there_is_none(store: Any) -> None:
    memory(store).keep(25)
    assert memory(store).recall() is None


@pytest.mark.integration
class TestRenamedTask:
    """Somebody gave the task another name in SOPS, so that its key finds nothing."""

    @pytest.fixture
    def renamed(self, hook: SopsHook, templates: dict[str, int]) -> int:
        return hook.create_task(templates["quick"], "another name").task_id

    def test_is_found_by_what_airflow_remembers(self, hook: SopsHook, renamed: int) -> None:
        store = Store()
        memory(store).keep(renamed)
        found = ExactlyOnce(hook, KEY, LOG, origin=ORIGIN, memory=memory(store)).find()
        assert [(task.id, task.is_started) for task in found.current] == [(renamed, False)]

    def test_is_not_counted_twice(self, hook: SopsHook, templates: dict[str, int]) -> None:
        key = TaskKey("b" * 13, 0)
        task = hook.create_task(templates["quick"], key.add_to("named"))
        store = Store()
        memory(store, key).keep(task.task_id)
        found = ExactlyOnce(hook, key, LOG, origin=ORIGIN, memory=memory(store, key)).find()
        assert [item.id for item in found.current] == [task.task_id]

    def test_is_forgotten_when_it_was_deleted(self, hook: SopsHook) -> None:
        store = Store()
        memory(store).keep(987654)
        assert ExactlyOnce(hook, KEY, LOG, origin=ORIGIN, memory=memory(store)).find().current == ()

    def test_an_outage_is_no_deletion(self, hook: SopsHook) -> None:
        store = Store()
        memory(store).keep(25)
        lost = SopsConnectionError("no answer")
        with (
            mock.patch.object(SopsHook, "get_task_status", autospec=True, side_effect=lost),
            pytest.raises(SopsConnectionError),
        ):
            ExactlyOnce(hook, KEY, LOG, origin=ORIGIN, memory=memory(store)).find()

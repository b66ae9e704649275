"""SopsTaskFinishedTrigger as a triggerer of Airflow 3.3 runs it: shared polls, a state store, restarts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import pendulum
import pytest
import structlog
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger
from airflow.triggers.shared_stream import SharedStreamManager

from airflow_provider_sops.hooks.sops_async import AsyncSopsClient
from airflow_provider_sops.sops import task_ends
from airflow_provider_sops.sops.models import TaskListItem
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.sops.task_ends import FAILED, FINISHED, REVOKED, Picture, WatchedTask
from airflow_provider_sops.triggers import sops_task_finished
from airflow_provider_sops.triggers.sops import SopsTaskFinishedTrigger
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airflow_provider_sops.hooks.sops import SopsHook

_LONGEST_SECONDS = 60.0
pytestmark = pytest.mark.integration


@dataclass
class FakeStore:
    """The state store of one asset. Airflow's own needs a supervisor.

    :param failures: how many of the next calls fail.
    """

    values: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    written: asyncio.Event = field(default_factory=asyncio.Event)

    async def aget(self, key: str) -> Any:
        self._fail()
        return json.loads(self.values[key]) if key in self.values else None

    async def aset(self, key: str, value: Any) -> None:
        self._fail()
        self.values[key] = json.dumps(value)
        self.written.set()

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the API server is away")


class FakeAccessors:
    """What a triggerer gives to a trigger: the stores of the assets that it watches for."""

    def __init__(self, *stores: FakeStore) -> None:
        self._by_name = {f"asset {number}": store for number, store in enumerate(stores)}


@dataclass
class Triggerer:
    """Runs triggers as a triggerer does."""

    streams: SharedStreamManager = field(
        default_factory=lambda: SharedStreamManager(log=structlog.get_logger(), max_subscriber_queue=1024)
    )
    events: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self, trigger: SopsTaskFinishedTrigger, *stores: FakeStore) -> int:
        """Start a trigger, made again from its serialized form, and return its number."""
        _, kwargs = trigger.serialize()
        encoded = encode_trigger({"classpath": "x", "kwargs": kwargs})["kwargs"]
        decode: Any = smart_decode_trigger_kwargs
        again = SopsTaskFinishedTrigger(**{key: decode(value) for key, value in encoded.items()})
        again.asset_state_store = cast("Any", FakeAccessors(*stores)) if stores else None
        number = len(self._tasks)
        self.events[number] = []
        self._tasks.append(asyncio.create_task(self._run(number, again)))
        return number

    async def wait_for(self, number: int, sops_task_id: int) -> dict[str, Any]:
        """Wait until a trigger tells of a task."""
        async with asyncio.timeout(_LONGEST_SECONDS):
            while True:
                for payload in self.events[number]:
                    if payload["sops_task_id"] == sops_task_id:
                        return payload
                await self._changed.wait()
                self._changed.clear()
                for task in self._tasks:
                    if task.done():
                        task.result()

    async def kill(self) -> None:
        """End all triggers at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.streams.stop_all()

    async def _run(self, number: int, trigger: SopsTaskFinishedTrigger) -> None:
        key = trigger.shared_stream_key()
        assert key is not None
        stream = self.streams.subscribe(trigger_id=number, trigger=trigger, key=key)
        try:
            async for event in trigger.filter_shared_stream(stream):
                self.events[number].append(json.loads(json.dumps(event.payload)))
                self._changed.set()
        finally:
            self._changed.set()
            await self.streams.unsubscribe(number, key)


@contextlib.asynccontextmanager
async def triggerer() -> AsyncIterator[Triggerer]:
    running = Triggerer()
    try:
        yield running
    finally:
        await running.kill()


@pytest.fixture
def word() -> str:
    """The beginning of the names of this test's tasks."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def watch(word: str) -> Callable[..., SopsTaskFinishedTrigger]:
    """Make a trigger that watches the tasks of this test."""

    def watch(**arguments: Any) -> SopsTaskFinishedTrigger:
        return SopsTaskFinishedTrigger(**{"name_pattern": f"{word}*", "poll_interval_seconds": 0.2, **arguments})

    return watch


@pytest.fixture
def ended(hook: SopsHook, templates: dict[str, int], word: str) -> Callable[..., int]:
    """Run a task to its end, as a person would in SOPS, and return its id."""

    def ended(name: str = "", template: str = "quick", state: str = FINISHED) -> int:
        task_id = hook.create_task(templates[template], f"{word} {name}").task_id
        hook.start_task(task_id)
        wait_for_state(hook, task_id, state)
        return task_id

    return ended


async def first_look(*stores: FakeStore) -> None:
    """Wait until watchers know where they stand; stores are as if they had not been written yet."""
    async with asyncio.timeout(_LONGEST_SECONDS):
        for store in stores:
            await store.written.wait()
            store.written.clear()


def test_tells_who_has_ended_and_nothing_of_what_had_ended_before(
    watch: Callable[..., SopsTaskFinishedTrigger], ended: Callable[..., int], templates: dict[str, int], word: str
) -> None:
    async def follow() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        store = FakeStore()
        await asyncio.to_thread(ended, "before")
        async with triggerer() as running:
            number = running.start(watch(template_id=templates["quick"]), store)
            await first_look(store)
            await asyncio.to_thread(ended, "of another template", "exclusive")
            sops_task_id = await asyncio.to_thread(ended, "now")
            return await running.wait_for(number, sops_task_id), running.events[number]

    payload, all_of_them = asyncio.run(follow())
    assert all_of_them == [payload]
    assert payload.pop("finish_time").endswith("+00:00")
    assert payload == {
        "sops_task_id": payload["sops_task_id"],
        "state": "FINISHED",
        "name": f"{word} now",
        "template_id": templates["quick"],
        "create_method": "api",
        "sops_conn_id": "sops_default",
        "bk_biz_id": None,
        "scope": None,
    }


def test_tells_after_a_restart_what_has_ended_meanwhile(
    watch: Callable[..., SopsTaskFinishedTrigger], ended: Callable[..., int]
) -> None:
    async def follow() -> list[int]:
        store = FakeStore()
        async with triggerer() as running:
            running.start(watch(), store)
            await first_look(store)
        sops_task_ids = [await asyncio.to_thread(ended, str(number)) for number in range(2)]
        async with triggerer() as running:
            number = running.start(watch(), store)
            await running.wait_for(number, sops_task_ids[1])
            return [payload["sops_task_id"] - sops_task_ids[0] for payload in running.events[number]]

    assert asyncio.run(follow()) == [0, 1]


@pytest.mark.parametrize(("settle_seconds", "repeats"), [(0.0, 0), (60.0, 1)])
def test_after_a_restart_only_what_was_told_just_before_is_told_again(
    watch: Callable[..., SopsTaskFinishedTrigger],
    ended: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    settle_seconds: float,
    repeats: int,
) -> None:
    monkeypatch.setattr(task_ends, "_SETTLE_SECONDS", settle_seconds)

    async def follow() -> int:
        store = FakeStore()
        async with triggerer() as running:
            number = running.start(watch(), store)
            await first_look(store)
            first = await asyncio.to_thread(ended, "first")
            await running.wait_for(number, first)
            if not repeats:
                await first_look(store)
        async with triggerer() as running:
            number = running.start(watch(), store)
            await running.wait_for(number, await asyncio.to_thread(ended, "second"))
            return sum(payload["sops_task_id"] == first for payload in running.events[number])

    assert asyncio.run(follow()) == repeats


def test_tells_the_ends_that_were_asked_for(
    watch: Callable[..., SopsTaskFinishedTrigger], ended: Callable[..., int]
) -> None:
    async def follow() -> str:
        store = FakeStore()
        async with triggerer() as running:
            number = running.start(watch(states=[FAILED, REVOKED]), store)
            await first_look(store)
            await asyncio.to_thread(ended, "well")
            failed = await asyncio.to_thread(ended, "badly", "fail", FAILED)
            payload = await running.wait_for(number, failed)
            assert running.events[number] == [payload]
            return str(payload["state"])

    assert asyncio.run(follow()) == FAILED


def test_watchers_of_a_business_share_one_poll(
    watch: Callable[..., SopsTaskFinishedTrigger], ended: Callable[..., int], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[AsyncSopsClient] = []
    get_task_list = AsyncSopsClient.get_task_list

    async def note(client: AsyncSopsClient, **arguments: Any) -> Any:
        listed.append(client)
        return await get_task_list(client, **arguments)

    monkeypatch.setattr(AsyncSopsClient, "get_task_list", note)

    async def follow() -> None:
        stores = [FakeStore() for _ in range(5)]
        async with triggerer() as running:
            numbers = [
                running.start(watch(name_pattern=f"{'?' * count}{word[count:]}*"), store)
                for count, store in enumerate(stores)
            ]
            await first_look(*stores)
            sops_task_id = await asyncio.to_thread(ended)
            for number in numbers:
                await running.wait_for(number, sops_task_id)

    asyncio.run(follow())
    assert len(set(map(id, listed))) == 1


def test_another_business_is_another_poll(watch: Callable[..., SopsTaskFinishedTrigger]) -> None:
    keys = {
        watch(**arguments).shared_stream_key()
        for arguments in ({}, {"bk_biz_id": 3}, {"scope": "project"}, {"sops_conn_id": "other"}, {"follow_days": 3})
    }
    assert len(keys) == 5


def test_several_assets_may_share_a_trigger(
    watch: Callable[..., SopsTaskFinishedTrigger], ended: Callable[..., int]
) -> None:
    """What one asset's store has lost, another one's still has."""

    async def follow() -> None:
        stores = [FakeStore(), FakeStore()]
        async with triggerer() as running:
            running.start(watch(), *stores)
            await first_look(*stores)
        sops_task_id = await asyncio.to_thread(ended)
        async with triggerer() as running:
            await running.wait_for(running.start(watch(), FakeStore(), stores[1]), sops_task_id)

    asyncio.run(follow())


def test_a_store_that_does_not_answer_is_asked_again(
    watch: Callable[..., SopsTaskFinishedTrigger], ended: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sops_task_finished, "_STORE_PAUSE_SECONDS", 0.01)

    async def follow() -> None:
        store = FakeStore()
        async with triggerer() as running:
            running.start(watch(), store)
            await first_look(store)
        sops_task_id = await asyncio.to_thread(ended)
        store.failures = 3
        async with triggerer() as running:
            await running.wait_for(running.start(watch(), store), sops_task_id)
        assert store.failures == 0

    asyncio.run(follow())


class TestWithoutSharedStreams:
    """Airflow 3.0 to 3.2: each trigger runs alone and nothing is kept."""

    def test_tells_what_ended_lately_and_what_ends_now(
        self, watch: Callable[..., SopsTaskFinishedTrigger], ended: Callable[..., int]
    ) -> None:
        async def follow() -> list[int]:
            before = await asyncio.to_thread(ended, "before")
            told = []
            async with asyncio.timeout(_LONGEST_SECONDS), contextlib.aclosing(cast("Any", watch().run())) as events:
                async for event in events:
                    told.append(event.payload["sops_task_id"] - before)
                    if len(told) == 2:
                        break
                    await asyncio.to_thread(ended, "now")
            return told

        assert asyncio.run(follow()) == [0, 1]

    def test_looks_back_no_further_than_told(self, watch: Callable[..., SopsTaskFinishedTrigger], word: str) -> None:
        now = pendulum.now("UTC")
        items = {number: TaskListItem.read({"id": number, "name": word}) for number in (1, 2)}
        picture = {
            number: WatchedTask(item, FINISHED, now.subtract(minutes=20 // number)) for number, item in items.items()
        }

        trigger = watch(look_back_seconds=15 * 60)

        async def pictures() -> AsyncIterator[Picture]:
            yield Picture(picture, frozenset())
            yield Picture(picture, frozenset({trigger.selection}))

        async def told() -> list[int]:
            return [event.payload["sops_task_id"] async for event in trigger.filter_shared_stream(pictures())]

        assert asyncio.run(told()) == [2]


class TestArguments:
    def test_it_is_a_trigger_for_asset_watchers_and_comes_back_from_its_serialized_form(
        self, watch: Callable[..., SopsTaskFinishedTrigger]
    ) -> None:
        trigger = watch(template_id="7", states=(REVOKED, FINISHED))
        path, kwargs = trigger.serialize()
        assert isinstance(trigger, BaseEventTrigger)
        assert path.rpartition(".")[2] == "SopsTaskFinishedTrigger"
        assert SopsTaskFinishedTrigger(**kwargs).serialize() == (path, kwargs)
        assert kwargs["template_id"] == 7
        assert BaseEventTrigger.hash(path, kwargs) == BaseEventTrigger.hash(
            *SopsTaskFinishedTrigger(**kwargs).serialize()
        )

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ({"states": ["DONE"]}, "must be some of FINISHED, FAILED, REVOKED, EXPIRED"),
            ({"states": []}, "must be some of"),
            ({"template_source": "public"}, "must be business or common"),
            ({"template_id": "seven"}, "seven"),
            ({"poll_interval_seconds": 0}, "above 0"),
            ({"poll_interval_seconds": timedelta(seconds=-1)}, "above 0"),
            ({"look_back_seconds": -1}, "0 or more"),
            ({"follow_days": 0}, "above 0"),
        ],
    )
    def test_wrong_ones_are_refused(self, arguments: dict[str, Any], reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            SopsTaskFinishedTrigger(**arguments)

    def test_durations_may_be_timedeltas(self) -> None:
        trigger = SopsTaskFinishedTrigger(poll_interval_seconds=timedelta(minutes=1), look_back_seconds=timedelta(0))
        assert (trigger.poll_interval_seconds, trigger.look_back_seconds) == (60.0, 0.0)

    def test_a_mistyped_one_shows_where_the_dag_file_is_parsed(self) -> None:
        with pytest.warns(UserWarning, match=r"SopsTaskFinishedTrigger .* does not know: tempalte_id") as told:
            SopsTaskFinishedTrigger(tempalte_id=38)
        assert [each.filename for each in told] == [__file__]

    async def test_one_that_was_added_since_is_not_missed_by_the_shared_poll(self) -> None:
        async def no_pictures() -> AsyncIterator[None]:
            for _ in range(0):
                yield

        with mock.patch.object(sops_task_finished, "TaskEndsPoll", autospec=True) as poll:
            poll.return_value.pictures = no_pictures
            await anext(SopsTaskFinishedTrigger.open_shared_stream({"sops_conn_id": "sops_prod"}), None)
        assert poll.call_args.args == (Site("sops_prod"), mock.ANY)
        assert poll.call_args.kwargs["follow_days"] == 30

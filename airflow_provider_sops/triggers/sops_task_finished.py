"""Watching the ends of SOPS tasks for Airflow's assets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import warnings
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pendulum
from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException
from airflow.triggers.base import TriggerEvent

from airflow_provider_sops.polling.task_ends_poll import TaskEndsPoll
from airflow_provider_sops.service.durations import Duration, seconds
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_ends import END_STATES, FINISHED, Picture, Selection, WatchedTask, WatchProgress
from airflow_provider_sops.triggers.waiting_trigger import describe_unknown_arguments
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if AIRFLOW_V_3_0_PLUS:
    from airflow.triggers.base import BaseEventTrigger  # type: ignore[attr-defined,unused-ignore]
else:
    from airflow.triggers.base import BaseTrigger as BaseEventTrigger  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Mapping, Sequence

_STORE_PAUSE_SECONDS = 10.0
#: What is watched, by event loop and shared stream.
_watched: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, list[Selection]]] = WeakKeyDictionary()
_SHARED_ARGUMENTS = ("sops_conn_id", "bk_biz_id", "scope", "poll_interval_seconds", "follow_days")


class SopsTaskFinishedTrigger(BaseEventTrigger):
    """Fires for each SOPS task that ends, whoever started it in SOPS: a person, a schedule, another system.

    For an ``AssetWatcher``, so Airflow 3 only. The event's payload names the task: ``sops_task_id``, ``state``,
    ``name``, ``template_id``, ``create_method``, ``finish_time``, ``sops_conn_id``, ``bk_biz_id`` and ``scope``. It has
    no outputs; a ``SopsTaskSensor`` reads them. Tasks that operators of this package started are left out:
    Airflow knows their ends, and a DAG that a watcher starts would start itself forever.

    Each end is reported at least once; a repeat has the same ``sops_task_id`` (and ``state``, if several are watched).
    Only ends after the watcher first ran are reported. From Airflow 3.3 on, the watcher's progress is kept in the state
    store of its asset, so whatever ended while no triggerer ran is reported afterwards, and what was reported in the
    last minute before a crash is reported again. Before 3.3, Airflow keeps nothing for triggers: then a watcher that
    starts reports what has ended in the last ``look_back_seconds``, reported before or not.

    In Airflow 3.3 all watchers of a business share one poll; before, each one polls for itself. A poll asks for no task
    that no watcher can match, by template and name, and for states only where more than FINISHED is watched.

    :param sops_conn_id: the Airflow connection of type ``sops``.
    :param bk_biz_id: the business; default: the connection's.
    :param scope: ``cmdb_biz`` or ``project``; default: the connection's.
    :param template_id: only tasks of this template. Default: of all templates.
    :param template_source: what kind of template that is: ``business`` (default) or ``common``.
    :param name_pattern: only tasks whose whole name matches, as file names do: ``"nightly *"``. Default: all.
    :param states: which ends count: some of FINISHED (the default), FAILED, REVOKED and EXPIRED. FAILED counts once
        nothing goes on in the task unless a person acts; such a task may be repaired, and then ends again as FINISHED.
    :param poll_interval_seconds: time between two polls, in seconds or as a ``timedelta``. Default 30.
    :param follow_days: for how many days after its creation a task is followed. Default 30. The first poll after a
        start lists the tasks of these days, 200 in each request.
    :param look_back_seconds: only for Airflow 3.0 to 3.2, see above; in seconds or as a ``timedelta``. Default
        600.
    :param unknown: names that this version does not know; they are ignored with a ``UserWarning``. Refused, they would
        leave flows unwatched while triggerers are behind the DAG files. They are not serialised, so only here, where
        the DAG file is parsed, can a mistyped name show.
    """

    def __init__(
        self,
        *,
        sops_conn_id: str = "sops_default",
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        template_id: int | str | None = None,
        template_source: str = "business",
        name_pattern: str | None = None,
        states: Sequence[str] = (FINISHED,),
        poll_interval_seconds: Duration = 30,
        follow_days: float = 30,
        look_back_seconds: Duration = 600,
        **unknown: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not AIRFLOW_V_3_0_PLUS:
            raise AirflowOptionalProviderFeatureException(
                "SopsTaskFinishedTrigger is for asset watchers, which Airflow has from 3.0 on. "
                "With Airflow 2 wait for a known task with SopsTaskSensor."
            )
        if unknown:
            warnings.warn(describe_unknown_arguments(type(self).__name__, unknown), stacklevel=2)
        if not states or not set(states) <= set(END_STATES):
            raise ValueError(f"states are {list(states)!r}; they must be some of {', '.join(END_STATES)}")
        if template_source not in ("business", "common"):
            raise ValueError(f"template_source is {template_source!r}; it must be business or common")
        if not follow_days > 0:
            raise ValueError(f"follow_days is {follow_days!r}; it must be above 0")
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope
        self.template_id = None if template_id is None else int(template_id)
        self.template_source = template_source
        self.name_pattern = name_pattern
        self.states = [state for state in END_STATES if state in states]
        self.poll_interval_seconds = seconds("poll_interval_seconds", poll_interval_seconds, above_zero=True)
        self.follow_days = follow_days
        self.look_back_seconds = seconds("look_back_seconds", look_back_seconds)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes the same trigger again; all of it is JSON."""
        return (
            "airflow_provider_sops.triggers.sops.SopsTaskFinishedTrigger",
            {
                **{name: getattr(self, name) for name in _SHARED_ARGUMENTS},
                "template_id": self.template_id,
                "template_source": self.template_source,
                "name_pattern": self.name_pattern,
                "states": self.states,
                "look_back_seconds": self.look_back_seconds,
            },
        )

    def shared_stream_key(self) -> Hashable | None:
        """Return what the watchers of one poll have in common (Airflow 3.3 and later)."""
        return ("airflow_provider_sops.task_ends", *(str(getattr(self, name)) for name in _SHARED_ARGUMENTS))

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[Picture, None]:
        """Poll for all watchers of a business: yield what is known of the tasks that they watch, again and again."""
        # They may lie in the database since another version of this package.
        watcher = cls(**{name: kwargs[name] for name in _SHARED_ARGUMENTS if name in kwargs})
        watched = watcher._watched_together()
        async with aclosing(watcher._pictures(lambda: frozenset(watched))) as pictures:
            async for picture in pictures:
                yield picture

    def _pictures(self, watched: Callable[[], frozenset[Selection]]) -> AsyncGenerator[Picture, None]:
        poll = TaskEndsPoll(
            site_of(self),
            watched,
            interval_seconds=self.poll_interval_seconds,
            follow_days=self.follow_days,
        )
        return poll.pictures()

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Picture]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each end that is new to this watcher."""
        clock = asyncio.get_running_loop().time
        progress: WatchProgress | None = None
        kept: dict[str, Any] = {}
        watched = self._watched_together()
        watched.append(self.selection)
        try:
            async for picture in shared_stream:
                if self.selection not in picture.selections:
                    # It was begun before this watcher came.
                    continue
                if progress is None:
                    progress = await self._begin(picture.tasks)
                for task in progress.news(picture.tasks, clock()):
                    self.log.info("SOPS task %s is %s.", task.item.id, task.end)
                    yield TriggerEvent(self._payload(task))  # type: ignore[no-untyped-call]
                kept = await self._keep(progress.to_json(clock()), kept)
        finally:
            watched.remove(self.selection)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch alone, where Airflow has no shared streams (before 3.3)."""
        watched = frozenset({self.selection})
        async with aclosing(self._pictures(lambda: watched)) as stream:
            async for event in self.filter_shared_stream(stream):
                yield event

    @property
    def selection(self) -> Selection:
        """What is watched."""
        return Selection(self.template_id, self.template_source, self.name_pattern, tuple(self.states))

    def _watched_together(self) -> list[Selection]:
        """Return what all watchers of this poll watch at the moment, in this event loop."""
        return _watched.setdefault(asyncio.get_running_loop(), {}).setdefault(self.shared_stream_key(), [])

    async def _begin(self, picture: Mapping[int, WatchedTask]) -> WatchProgress:
        now = asyncio.get_running_loop().time()
        if not self._stores:
            ended_since = pendulum.now("UTC").subtract(seconds=int(self.look_back_seconds))
            return WatchProgress.begin(self.selection, picture, now, ended_since=ended_since)
        progress = WatchProgress.from_json(self.selection, await self._recall(), now)
        if progress is None:
            self.log.info("Watching for the first time; tasks that have already ended are not reported.")
            return WatchProgress.begin(self.selection, picture, now)
        return progress

    @property
    def _stores(self) -> list[Any]:
        """The state stores of the assets that are watched by this trigger: one for each asset, none before 3.3.

        Several assets whose watchers are written alike have one trigger. Each of their stores then has the progress.
        """
        accessors = getattr(self, "asset_state_store", None)
        return list(getattr(accessors, "_by_name", {}).values())

    @property
    def _store_key(self) -> str:
        """Under what the progress is kept: another selection is another watcher."""
        what = [*site_of(self).arguments.values(), *asdict(self.selection).values()]
        return f"sops_task_finished_{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]}"

    async def _recall(self) -> Any:
        """Return the kept progress. Without it nobody knows what is new, so ask again until Airflow answers."""
        while True:
            try:
                for store in self._stores:
                    if (kept := await store.aget(self._store_key)) is not None:
                        return kept
            except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
                self.log.warning("Airflow's state store cannot be read, trying again: %s", error)
                await asyncio.sleep(_STORE_PAUSE_SECONDS)
            else:
                return None

    async def _keep(self, progress: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
        """Keep the progress if it has changed, and return what is kept now."""
        if progress == kept:
            return kept
        try:
            for store in self._stores:
                await store.aset(self._store_key, progress)
        except Exception as error:  # noqa: BLE001 - the next picture brings the next attempt
            self.log.warning("Airflow's state store cannot be written, trying again later: %s", error)
            return kept
        return progress

    def _payload(self, task: WatchedTask) -> dict[str, Any]:
        return {
            "sops_task_id": task.item.id,
            "state": task.end,
            "name": task.item.name,
            "template_id": task.item.template_id,
            "create_method": task.item.create_method,
            # A list of tasks and a state give the same moment in different zones.
            "finish_time": task.finish_time.in_timezone("UTC").isoformat() if task.finish_time else None,
            **site_of(self).arguments,
        }

"""Which ends of SOPS tasks are new to a watcher. Independent of Airflow and of any server.

A *picture* is the state of a business at one moment: its tasks of the last weeks, by id. A watcher compares each
picture with its own progress, so it may join at any time and miss pictures. A picture shows the ends of those tasks
only that somebody watches.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id, read_list, read_mapping
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.task_origin import may_be_through_api

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import pendulum

    from airflow_provider_sops.sops.models import TaskListItem

FINISHED, FAILED, REVOKED, EXPIRED = "FINISHED", "FAILED", "REVOKED", "EXPIRED"
#: The states that a watcher may report.
END_STATES = (FINISHED, FAILED, REVOKED, EXPIRED)
#: Nodes have failed; whether anything is still running is not known yet.
FAILING = "FAILING"

#: How long progress stays provisional: an event passed to Airflow may not be in its database yet, and a task may become
#: visible later than one with a higher id.
_SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class WatchedTask:
    """A task and its state.

    :param end: one of ``END_STATES`` or FAILING, or empty while the task is running. FAILED means that nothing more
        happens until a person acts; such a task may still finish.
    :param finish_time: when it ended, if SOPS says so; zone-aware.
    """

    item: TaskListItem
    end: str = ""
    finish_time: pendulum.DateTime | None = None

    @property
    def is_over(self) -> bool:
        """Whether the task never changes again."""
        return self.end in (FINISHED, REVOKED, EXPIRED)


@dataclass(frozen=True, slots=True)
class Selection:
    """The tasks and ends that a watcher reports. Tasks started by this package are never included.

    :param template_id: only tasks of this template.
    :param template_source: ``business`` or ``common``: which kind of template ``template_id`` is.
    :param name_pattern: only tasks whose whole name matches, with ``*``, ``?`` and ``[...]`` as in file names;
        case-sensitive.
    :param states: some of ``END_STATES``.
    """

    template_id: int | None = None
    template_source: str = "business"
    name_pattern: str | None = None
    states: tuple[str, ...] = (FINISHED,)

    def covers(self, item: TaskListItem) -> bool:
        """Whether a task is watched."""
        if TaskKey.in_name(item.name) is not None and may_be_through_api(item):
            return False
        if self.name_pattern is not None and not fnmatch.fnmatchcase(item.name, self.name_pattern):
            return False
        if self.template_id is None:
            return True
        is_common = item.raw.get("template_source") == "common"
        return item.template_id == self.template_id and is_common == (self.template_source == "common")

    @property
    def needs_states(self) -> bool:
        """Whether the states of unfinished tasks matter; that one is FINISHED is in the list of tasks."""
        return self.states != (FINISHED,)

    @property
    def keyword(self) -> str:
        """The longest part that every watched name contains; empty if there is none."""
        if self.name_pattern is None:
            return ""
        # For fnmatch, a bracket without its end is a character like others; left out, it only makes parts shorter.
        return max(re.split(r"\*|\?|\[!?\]?[^\]]*\]?", self.name_pattern), key=len)


@dataclass(frozen=True, slots=True)
class Picture:
    """The tasks of a business at one moment.

    :param tasks: by id, with more than those that are watched.
    :param selections: those that it is made for: the ends of their tasks are known.
    """

    tasks: Mapping[int, WatchedTask]
    selections: frozenset[Selection]


def list_filters(selections: Collection[Selection]) -> dict[str, Any]:
    """Return the filters of ``get_task_list`` that no task of these selections is lost by."""
    template_ids = {each.template_id for each in selections}
    keywords = {each.keyword for each in selections}
    filters: dict[str, Any] = {}
    if len(template_ids) == 1:
        filters["template_id"] = template_ids.pop()
    elif None not in template_ids:
        filters["template_ids"] = sorted(each for each in template_ids if each is not None) or None
    if len(keywords) == 1:
        filters["keyword"] = keywords.pop() or None
    return filters


@dataclass(slots=True)
class WatchProgress:
    """A watcher's progress.

    ``to_json`` returns the part to persist. It lags by a minute, so that an end reported just before a crash is
    reported again rather than lost.

    :param newest: tasks with a higher id are new to the watcher.
    :param open: ids of older tasks that have not ended.
    :param failed: those of them whose failure was reported, and when, in seconds of a monotonic clock.
    """

    selection: Selection
    newest: int = 0
    open: set[int] = field(default_factory=set)
    failed: dict[int, float] = field(default_factory=dict)
    _first_seen: dict[int, float] = field(default_factory=dict)
    _ended: dict[int, float] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        selection: Selection,
        picture: Mapping[int, WatchedTask],
        now: float,
        *,
        ended_since: pendulum.DateTime | None = None,
    ) -> WatchProgress:
        """Return the progress of a new watcher: tasks that have already ended are not reported.

        :param ended_since: but tasks that ended after this time are.
        """
        progress = cls(selection)
        for task in picture.values():
            if not selection.covers(task.item):
                continue
            progress.newest = max(progress.newest, task.item.id)
            if task.end in (FAILED, FAILING):
                progress.failed[task.item.id] = now - _SETTLE_SECONDS
            if not task.is_over or (ended_since and task.finish_time and task.finish_time >= ended_since):
                progress.open.add(task.item.id)
        return progress

    @classmethod
    def from_json(cls, selection: Selection, data: Any, now: float) -> WatchProgress | None:
        """Read the result of ``to_json``; ``None`` if it is malformed."""
        data = read_mapping(data)
        newest = read_id(data.get("newest"))
        if newest is None:
            return None
        told = dict.fromkeys(_ids(data.get("failed")), now - _SETTLE_SECONDS)
        return cls(selection, newest=newest, open=set(_ids(data.get("open"))), failed=told)

    def to_json(self, now: float) -> dict[str, Any]:
        """Return the progress to persist, without its provisional part."""
        unsettled = {task_id for task_id, at in self._ended.items() if not _is_settled(at, now)}
        told = (task_id for task_id, at in self.failed.items() if _is_settled(at, now))
        return {
            "newest": self.newest,
            "open": sorted(task_id for task_id in self.open | unsettled if task_id <= self.newest),
            "failed": sorted(told),
        }

    def news(self, picture: Mapping[int, WatchedTask], now: float) -> list[WatchedTask]:
        """Return the tasks whose end is to be reported, oldest first, and mark them as reported."""
        news = [task for task in self._unknown(picture, now) if self._is_news(task, now)]
        self.open.intersection_update(picture)
        for marks in (self.failed, self._first_seen, self._ended):
            for task_id in marks.keys() - picture.keys():
                del marks[task_id]
        self._settle(now)
        return news

    def _unknown(self, picture: Mapping[int, WatchedTask], now: float) -> Iterator[WatchedTask]:
        """Yield the tasks that had not ended in the previous picture."""
        for task_id in sorted(task_id for task_id in picture if task_id > self.newest or task_id in self.open):
            if task_id not in self._ended and self.selection.covers(picture[task_id].item):
                self._first_seen.setdefault(task_id, now)
                yield picture[task_id]

    def _is_news(self, task: WatchedTask, now: float) -> bool:
        task_id = task.item.id
        if task.is_over:
            self.open.discard(task_id)
            self.failed.pop(task_id, None)
            self._ended[task_id] = now
            return task.end in self.selection.states
        self.open.add(task_id)
        if task.end != FAILED:
            if task.end != FAILING:
                self.failed.pop(task_id, None)
            return False
        is_first_time = task_id not in self.failed
        self.failed.setdefault(task_id, now)
        return is_first_time and FAILED in self.selection.states

    def _settle(self, now: float) -> None:
        settled = (task_id for task_id, at in self._first_seen.items() if _is_settled(at, now))
        self.newest = max(self.newest, max(settled, default=0))
        for task_id in [task_id for task_id in self._first_seen if task_id <= self.newest]:
            del self._first_seen[task_id]
        for task_id in [key for key, at in self._ended.items() if key <= self.newest and _is_settled(at, now)]:
            del self._ended[task_id]


def _is_settled(at: float, now: float) -> bool:
    return now - at >= _SETTLE_SECONDS


def _ids(value: Any) -> Collection[int]:
    return [task_id for task_id in map(read_id, read_list(value)) if task_id is not None]

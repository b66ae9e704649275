"""Decide which of the SOPS tasks with a task instance's key belongs to the task instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.task_key import TaskKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from airflow_provider_sops.sops.models import TaskListItem


@dataclass(frozen=True, slots=True)
class FoundTasks:
    """The SOPS tasks that carry a task instance's digest, oldest first.

    :param current: those of the current generation, from this try or an earlier one.
    :param earlier: those of other generations, from before a clear.
    """

    current: tuple[TaskListItem, ...]
    earlier: tuple[TaskListItem, ...]

    @classmethod
    def of(cls, key: TaskKey, tasks: Iterable[TaskListItem]) -> FoundTasks:
        """Sort the results of a search for ``key.keyword``; tasks that merely contain it are left out."""
        keyed = [(TaskKey.in_name(task.name), task) for task in sorted(tasks, key=lambda task: task.id)]
        ours = [(found, task) for found, task in keyed if found is not None and found.digest == key.digest]
        return cls(
            current=tuple(task for found, task in ours if found.generation == key.generation),
            earlier=tuple(task for found, task in ours if found.generation != key.generation),
        )


def elect(tasks: Iterable[TaskListItem], *, over: Collection[int] = ()) -> TaskListItem | None:
    """Return the one task to start or to join; every caller with the same tasks elects the same one.

    A started task wins, since it must not be duplicated; otherwise the lowest id.

    :param tasks: the tasks of one generation.
    :param over: ids to ignore, for example revoked tasks.
    """
    candidates = [task for task in tasks if task.id not in over]
    return min(candidates, key=lambda task: (not task.is_started, task.id), default=None)

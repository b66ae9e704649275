"""The looks of many waits that have no answer yet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.waiting.model import Look


@dataclass(eq=False, slots=True)
class OpenLook:
    """A look that a wait has requested."""

    look: Look
    answer: asyncio.Future[TaskStatus]


class OpenLooks:
    """Open looks by task, so that one answer can serve all that were requested of a task."""

    def __init__(self) -> None:
        self._by_task: dict[int, list[OpenLook]] = {}

    def add(self, task_id: int, look: Look) -> OpenLook:
        """Keep a look until it is taken or dropped."""
        opened = OpenLook(look, asyncio.get_running_loop().create_future())
        self._by_task.setdefault(task_id, []).append(opened)
        return opened

    def take(self, task_id: int, *, with_details: bool = False) -> list[OpenLook]:
        """Remove and return the looks that one request can serve.

        :param with_details: whether the request asks for a failure's details.
        """
        looks = self._by_task.pop(task_id, [])
        left = [] if with_details else [each for each in looks if each.look.with_details]
        if left:
            self._by_task[task_id] = left
        return [each for each in looks if each not in left]

    def drop(self, task_id: int, opened: OpenLook) -> bool:
        """Drop a look whose wait has its answer or was cancelled; return whether the task has others."""
        if opened.answer.done() and not opened.answer.cancelled():
            opened.answer.exception()  # mark as retrieved, even if the wait was cancelled at the same moment
        others = [other for other in self._by_task.pop(task_id, []) if other is not opened]
        if others:
            self._by_task[task_id] = others
        return bool(others)


def answer(looks: Iterable[OpenLook], said: TaskStatus | SopsError) -> None:
    """Give looks their answer, or the error that says why there is none; those without a wait are left out."""
    for each in looks:
        if each.answer.done():
            continue
        if isinstance(said, SopsError):
            each.answer.set_exception(said)
        else:
            each.answer.set_result(said)


def answer_all(looks: Iterable[Iterable[OpenLook]], said: SopsError) -> None:
    """Give the looks at several tasks the same error."""
    for of_task in looks:
        answer(of_task, said)

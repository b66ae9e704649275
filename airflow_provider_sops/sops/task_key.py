"""The key that links SOPS tasks to the Airflow task instance that created them.

SOPS has no client-chosen id and no deduplication, and tasks can be searched only by name. So the name of every task
created here ends in a key, for example ``deploy web #k3vq0z2m5w8ra-2``:

* the digest of dag_id, run_id, task_id and map_index finds every SOPS task of the task instance;
* the number is Airflow's ``max_tries``, which a retry keeps and a clear raises: equal numbers are one *generation*.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.sops.calls.tasks import get_task_list
from airflow_provider_sops.sops.endpoints import PAGE_SIZE
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.task_origin import Ownership, TaskOrigin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from airflow_provider_sops.service.calls import Call
    from airflow_provider_sops.sops.models import TaskListItem


#: SOPS refuses names over 100 characters; the key needs up to 20 of them.
MAX_NAME_LENGTH = 80

_DIGEST_LENGTH = 13
_KEY = re.compile(r" #(?P<digest>[a-z2-7]{13})-(?P<generation>0|[1-9][0-9]{0,8})\Z")


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Identifies the SOPS tasks of one generation of one Airflow task instance.

    :param digest: 13 characters, the same for every try and clear of the task instance.
    :param generation: ``max_tries`` of the task instance as read on the worker. Do not compute it from ``retries``,
        which may be edited between tries, and do not read it in the triggerer, where it is always 0.
    """

    digest: str
    generation: int

    @classmethod
    def of(
        cls, *, dag_id: str, run_id: str, task_id: str, map_index: int, max_tries: int, purpose: Sequence[str] = ()
    ) -> TaskKey:
        """Return the key of a task instance; ``map_index`` is -1 for an unmapped task.

        :param purpose: distinguishes a SOPS task that is not the task instance's main one.
        """
        identity = "\0".join((dag_id, run_id, task_id, str(map_index), *purpose))
        digest = base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode().lower()
        return cls(digest[:_DIGEST_LENGTH], max_tries)

    @classmethod
    def in_name(cls, name: str) -> TaskKey | None:
        """Return the key at the end of a SOPS task's name, or ``None`` for a task that was not created here."""
        match = _KEY.search(name)
        return cls(match["digest"], int(match["generation"])) if match else None

    @property
    def keyword(self) -> str:
        """The search text that finds every generation in ``get_task_list``."""
        return f"#{self.digest}-"

    def add_to(self, name: str) -> str:
        """Return ``name`` followed by the key.

        :param name: the readable part, 1 to 80 characters.
        :raises SopsInvalidParameterError: for an empty or too long name.
        """
        if not name.strip():
            raise SopsInvalidParameterError(
                "the name of a SOPS task is empty", advice="Set a name of 1 to 80 characters."
            )
        if len(name) > MAX_NAME_LENGTH:
            raise SopsInvalidParameterError(
                f"the name of a SOPS task has {len(name)} characters; the limit is {MAX_NAME_LENGTH}: "
                f"{name[:MAX_NAME_LENGTH]!r}…",
                advice="Shorten the name: SOPS allows 100 characters, 20 of which are the key.",
            )
        return f"{name} {self.keyword}{self.generation}"


@dataclass(frozen=True, slots=True)
class FoundTasks:
    """The SOPS tasks that carry a task instance's digest, oldest first.

    :param current: ours of the current generation, from this try or an earlier one.
    :param earlier: ours of other generations, from before a clear.
    :param doubtful: of the current generation, perhaps ours.
    :param doubtful_earlier: of other generations, perhaps ours.
    :param others: another's, of any generation.
    """

    current: tuple[TaskListItem, ...] = ()
    earlier: tuple[TaskListItem, ...] = ()
    doubtful: tuple[TaskListItem, ...] = ()
    doubtful_earlier: tuple[TaskListItem, ...] = ()
    others: tuple[TaskListItem, ...] = ()

    @classmethod
    def of(cls, key: TaskKey, tasks: Iterable[TaskListItem], origin: TaskOrigin) -> FoundTasks:
        """Sort the results of a search for ``key.keyword``; tasks that merely contain it are left out.

        :param origin: tells the task instance's own tasks from those that only carry its key.
        """
        found: dict[str, list[TaskListItem]] = {}
        for task in sorted(tasks, key=lambda task: task.id):
            its_key = TaskKey.in_name(task.name)
            if its_key is None or its_key.digest != key.digest:
                continue
            is_current = its_key.generation == key.generation
            field = {
                Ownership.OURS: "current" if is_current else "earlier",
                Ownership.DOUBTFUL: "doubtful" if is_current else "doubtful_earlier",
                Ownership.OTHERS: "others",
            }[origin.ownership_of(task)]
            found.setdefault(field, []).append(task)
        return cls(**{field: tuple(tasks) for field, tasks in found.items()})

    def may_be_running(self, *, earlier_too: bool) -> list[int]:
        """Return the ids of our tasks that were started and are not known to have finished, newest first.

        :param earlier_too: whether those from before a clear are meant as well.
        """
        ours = (*self.earlier, *self.current) if earlier_too else self.current
        return sorted((task.id for task in ours if task.is_started and not task.is_finished), reverse=True)


@dataclass(frozen=True, slots=True)
class TaskSearch:
    """How a task instance's SOPS tasks are found, and which of them a try ends; as JSON too, for triggers.

    :param key: the task instance's key.
    :param origin: what its own tasks are made from.
    :param earlier_too: whether tasks from before a clear are this try's to end.
    """

    key: TaskKey
    origin: TaskOrigin
    earlier_too: bool

    @property
    def call(self) -> Call[list[TaskListItem]]:
        """What to ask SOPS: for the newest tasks that carry the key."""
        return get_task_list(keyword=self.key.keyword, limit=PAGE_SIZE)

    def sort(self, items: Iterable[TaskListItem], user: str | None) -> FoundTasks:
        """Return what the answer says.

        :param user: the user that the connection acts for; ``None`` if it does not say.
        """
        return FoundTasks.of(self.key, items, replace(self.origin, users=() if user is None else (user,)))

    def to_end(self, found: FoundTasks) -> list[int]:
        """Return the ids of those that may be running and are this try's to end, newest first."""
        return found.may_be_running(earlier_too=self.earlier_too)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "digest": self.key.digest,
            "generation": self.key.generation,
            "template_id": self.origin.template_id,
            "template_source": self.origin.template_source,
            "is_first_try": self.origin.is_first_try,
            "earlier_too": self.earlier_too,
        }

    @classmethod
    def from_json(cls, data: Any) -> TaskSearch | None:
        """Read back what ``to_json`` gave; ``None`` if it is not that."""
        data = read_mapping(data)
        digest, generation = read_text(data.get("digest")), data.get("generation")
        if not digest or not isinstance(generation, int):
            return None
        source, is_first_try = read_text(data.get("template_source")), bool(data.get("is_first_try"))
        origin = TaskOrigin(data.get("template_id"), source or "business", is_first_try=is_first_try)
        return cls(TaskKey(digest, generation), origin, bool(data.get("earlier_too")))


def elect(tasks: Iterable[TaskListItem], *, over: Collection[int] = ()) -> TaskListItem | None:
    """Return the one task to start or to join; every caller with the same tasks elects the same one.

    A started task wins, since it must not be duplicated; otherwise the lowest id.

    :param tasks: the tasks of one generation.
    :param over: ids to ignore, for example revoked tasks.
    """
    candidates = [task for task in tasks if task.id not in over]
    return min(candidates, key=lambda task: (not task.is_started, task.id), default=None)

"""Whether a SOPS task that carries a task instance's key was made by that task instance.

The key proves nothing: anybody can compute it, and a copy of a task has it too. ``get_task_list`` tells more. What it
does not tell counts neither for nor against a task: old servers lack some fields, and a connection with a token does
not name its user.

=========== ========= ========= ====================================================================================
Made        Template  User      The task is
=========== ========= ========= ====================================================================================
by API, ?   same, ?   same, ?   ours
by API, ?   same, ?   another   doubtful: the connection's user may have changed since an earlier try
by API, ?   another   same, ?   doubtful: ``template_id`` may have changed since an earlier try; another's in the first
                                try, since there is no earlier one
by API, ?   another   another   another's
otherwise   any       any       another's: operators create tasks through the API alone
=========== ========= ========= ====================================================================================

A task that this process has created or that Airflow remembers is ours, whatever SOPS tells about it.

Only our tasks are joined, elected, started and revoked. Another's task is named in a warning. Beside a doubtful one
nothing is created, since the flow might run twice: a person has to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsInvalidOperationError

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_sops.sops.models import TaskListItem

#: How SOPS says that a task was created through its API; ``mcp`` is the API for apps whose code begins with ``v_mcp``.
_THROUGH_API = ("api", "mcp")


class Ownership(StrEnum):
    """Whose task it is."""

    OURS = "ours"
    DOUBTFUL = "doubtful"
    OTHERS = "another's"


@dataclass(frozen=True, slots=True)
class TaskOrigin:
    """What SOPS tells about the tasks that a task instance has made.

    :param template_id: the template's id as the operator has it; ``None`` or no number: not known.
    :param template_source: ``business``, ``project`` or ``common``; templates of the two kinds share ids.
    :param is_first_try: whether no earlier try can have made a task.
    :param users: the users for whom the connection acts or has acted; empty: not known.
    :param known_ids: ids of tasks that are ours for certain.
    """

    template_id: Any = None
    template_source: str = "business"
    is_first_try: bool = False
    users: Collection[str] = ()
    known_ids: Collection[int] = ()

    def ownership_of(self, task: TaskListItem) -> Ownership:
        """Return whose task it is that carries the key of the task instance; the table above."""
        if task.id in self.known_ids:
            return Ownership.OURS
        if task.is_child or not may_be_through_api(task):
            return Ownership.OTHERS
        other_template, other_user = self._is_other_template(task), self._is_other_user(task)
        if other_template and (other_user or self.is_first_try):
            return Ownership.OTHERS
        return Ownership.DOUBTFUL if other_template or other_user or task.id < 1 else Ownership.OURS

    def doubt(self, task: TaskListItem, *, is_current: bool) -> SopsInvalidOperationError:
        """Return the error for a doubtful task.

        :param is_current: whether it has the key of the current generation, not one from before a clear.
        """
        reasons = []
        if self._is_other_user(task):
            users = " or ".join(map(quoted, sorted(self.users)))
            reasons.append(f"its creator is {quoted(task.creator)}, but the connection's user is {users}")
        if self._is_other_template(task):
            reasons.append(f"it was made from {_template(task)}, but this task's template is {self.template_id}")
        if task.id < 1:
            reasons.append("SOPS gives no id for it")
        return SopsInvalidOperationError(
            f"SOPS task {task.id} ({quoted(task.name)}) has the key of this Airflow task"
            f"{'' if is_current else ' from before it was cleared'}, but this task may not have made it: "
            f"{'; '.join(reasons)}. Another SOPS task beside it might run the flow twice",
            advice="If an earlier try has made it, give the connection that user and this task that template again, or "
            "revoke it in SOPS. If somebody else has, delete or rename it there. Then clear this task.",
        )

    def _is_other_user(self, task: TaskListItem) -> bool:
        # MySQL, and so SOPS, ignores the case of names.
        names = {user.strip().casefold() for user in self.users}
        return bool(names and task.creator) and task.creator.strip().casefold() not in names

    def _is_other_template(self, task: TaskListItem) -> bool:
        if task.template_source and _kind(task.template_source) != _kind(self.template_source):
            return True
        given = self.template_id
        wanted = read_id(given.strip() if isinstance(given, str) else given)
        return wanted is not None and task.template_id is not None and task.template_id != wanted


def may_be_through_api(task: TaskListItem) -> bool:
    """Whether a task was created through the API, as far as SOPS tells."""
    return task.create_method in ("", *_THROUGH_API)


def described(task: TaskListItem) -> str:
    """Return what SOPS tells about a task's origin, for a log."""
    return (
        f"SOPS task {task.id} ({quoted(task.name)}; {_template(task)}, creator {quoted(task.creator)}, "
        f"create_method {quoted(task.create_method)})"
    )


def _template(task: TaskListItem) -> str:
    source = quoted(task.template_source)[1:-1]
    return f"{source + ' ' if source else ''}template {'?' if task.template_id is None else task.template_id}"


def _kind(template_source: str) -> str:
    """Return one word for the two that SOPS has for a business's own templates."""
    return "project" if template_source == "business" else template_source

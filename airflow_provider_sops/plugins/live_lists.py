"""Asks SOPS how all SOPS tasks of a run stand, once for all viewers of the list."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_sops.plugins.known_task import KnownTask
from airflow_provider_sops.plugins.live_tasks import SECONDS, open_hook, pause_after
from airflow_provider_sops.plugins.shared_answers import SharedAnswers
from airflow_provider_sops.plugins.task_view import lasts, look_of
from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.service.text import log_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.plugins.run_tasks import RunTask
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.sops.site import Site

log = logging.getLogger(__name__)

_Key = tuple["Site", int]
#: How many flows are read at a time: they tell a node that waits for a person from one that runs.
_MOST_READ = 5


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """How the SOPS tasks of a run stand.

    :param asked: of which tasks this tells.
    :param statuses: the last known states.
    :param known: the tasks apart from their states, as far as they were read.
    :param problem: why SOPS could not be asked the last time; empty if it could.
    :param failures: how often in a row it could not.
    """

    asked: tuple[_Key, ...] = ()
    statuses: Mapping[_Key, TaskStatus] = field(default_factory=dict, repr=False)
    known: Mapping[_Key, KnownTask] = field(default_factory=dict, repr=False)
    problem: str = ""
    failures: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether one of them has not ended."""
        return not all(key in self.statuses and self.statuses[key].state.is_terminal for key in self.asked)

    @property
    def seconds(self) -> float:
        """For how long nobody needs to ask again."""
        return pause_after(self.failures) if self.problem else lasts(goes_on=self.goes_on)

    def of(self, task: RunTask) -> dict[str, Any] | None:
        """Return what is shown of one; ``None`` if nothing is known, or if it is not one of the run."""
        key = (task.site, task.sops_task_id)
        status, known = self.statuses.get(key), self.known.get(key)
        name = known.detail.name if known else status.name if status else ""
        if status is None or not task.is_ours(name):
            return None
        return {"state": status.state.value, "look": look_of(status, known.secrets.tree() if known else None)}


class LiveLists:
    """The lists that somebody looks at."""

    def __init__(self) -> None:
        self._lists: SharedAnswers[ListAnswer] = SharedAnswers(most=50)

    def states(self, run: tuple[str, str], tasks: Sequence[RunTask]) -> ListAnswer:
        """Return how the SOPS tasks of a run stand.

        One that has ended is not asked about again, the others in requests of 50 each.

        :param run: the ids of the DAG and of the run.
        :param tasks: all its SOPS tasks, so that each viewer asks the same.
        """
        keys = tuple((task.site, task.sops_task_id) for task in tasks)
        found = self._lists.get(
            (*run, keys), lambda before: _ask(before or ListAnswer(keys)), lambda each: each.seconds
        )
        return found or ListAnswer(problem="SOPS has not answered yet")


def _ask(before: ListAnswer) -> ListAnswer:
    statuses, known = dict(before.statuses), dict(before.known)
    problem = ""
    going_on = [key for key in before.asked if key not in statuses or not statuses[key].state.is_terminal]
    for site in dict.fromkeys(site for site, _ in going_on):
        going = [key for key in going_on if key[0] == site]
        try:
            with open_hook(site, SECONDS) as hook:
                known.update(_read(hook, [key for key in going if key in statuses and key not in known]))
                with_people = [key for key in going if key in known and known[key].waits_for_people]
                others = [key for key in going if key not in with_people]
                for group, nodes_too in ((with_people, True), (others, False)):
                    ids = [sops_task_id for _, sops_task_id in group]
                    found = hook.get_tasks_status(ids, include_children=nodes_too, fresh=True) if ids else {}
                    statuses.update({(site, sops_task_id): status for sops_task_id, status in found.items()})
        except (ServiceError, AirflowException) as error:
            problem = log_entry(str(error))
        except Exception as error:
            # Whatever SOPS has sent: it must not be asked for it again at once.
            log.exception("The states of SOPS tasks cannot be shown")
            problem = f"what SOPS has sent cannot be shown ({type(error).__name__})"
    return ListAnswer(before.asked, statuses, known, problem, before.failures + 1 if problem else 0)


def _read(hook: SopsHook, keys: Sequence[_Key]) -> Iterator[tuple[_Key, KnownTask]]:
    for site, sops_task_id in keys[:_MOST_READ]:
        yield (site, sops_task_id), KnownTask(hook.get_task_detail(sops_task_id, fresh=True))

"""One poll of a business, shared by all asset watchers for the ends of its tasks."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_sops.polling.shared import open_source, shared_wait
from airflow_provider_sops.polling.shared_connection import SharedConnection
from airflow_provider_sops.sops.endpoints import PAGE_SIZE
from airflow_provider_sops.sops.errors import SopsError, SopsNotFoundError
from airflow_provider_sops.sops.paging import Pages
from airflow_provider_sops.sops.task_ends import (
    EXPIRED,
    FAILED,
    FAILING,
    FINISHED,
    REVOKED,
    Picture,
    WatchedTask,
    list_filters,
)
from airflow_provider_sops.sops.task_failure import CONFIRMATION_SECONDS
from airflow_provider_sops.sops.verdict import Verdict, judge
from airflow_provider_sops.waiting.follow import steady_clock
from airflow_provider_sops.waiting.model import Look

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from airflow_provider_sops.hooks.sops_async import AsyncSopsClient
    from airflow_provider_sops.polling.status_poller import StatusWait
    from airflow_provider_sops.sops.models import TaskListItem
    from airflow_provider_sops.sops.pipeline_tree import TreeIndex
    from airflow_provider_sops.sops.site import Site
    from airflow_provider_sops.sops.task_ends import Selection

log = logging.getLogger(__name__)

#: Pages overlap, because tasks that leave the list in between move the others up.
_PAGE_OVERLAP = 20
#: How many polls in a row a task without an end may be missing from the list of unfinished tasks.
_MOST_ABSENCES = 3

#: How many failed tasks are examined in one poll; each needs requests of its own.
_MOST_JUDGED = 20

#: How soon it looks whether something is watched by now.
_IDLE_SECONDS = 1.0

_CACHED_LOOK = Look(delay_seconds=0, fresh=False, with_details=False)
_FRESH_LOOK = Look(delay_seconds=0, fresh=True, with_details=False)
_THOROUGH_LOOK = Look(delay_seconds=0, fresh=True, with_details=True)
_ENDS = {
    Verdict.FINISHED: FINISHED,
    Verdict.FAILED: FAILED,
    Verdict.FAILING: FAILING,
    Verdict.REVOKED: REVOKED,
    Verdict.EXPIRED: EXPIRED,
}


@dataclass(slots=True)
class _Known:
    """A task of the business.

    :param is_absent: whether it was missing from the list of unfinished tasks in the last poll.
    :param absences: how many polls in a row that was so although the task had no end.
    :param over_since: when it was first seen to be over, as the event loop's time.
    :param judged_at: when its failure was last examined.
    :param failed_since: since when it appears to have settled; that has to be confirmed.
    """

    task: WatchedTask
    is_absent: bool = False
    absences: int = 0
    over_since: float | None = None
    judged_at: float = -math.inf
    failed_since: float | None = None
    tree: TreeIndex | None = None


class TaskEndsPoll:
    """Tracks the recent tasks of a business that somebody watches, and their ends.

    The first poll lists the tasks created in the last ``follow_days``, 200 per request; SOPS leaves out what no watcher
    can match, as far as its filters go. Each further poll reads the newest page and the list of unfinished tasks. If a
    watcher wants to know more than that a task is FINISHED, which the lists tell, it then reads the states of that
    watcher's tasks that have started, up to 50 per request, shared with other waits for this business. So it finds the
    end of a task that took less than one interval as well as of one that runs for days. A task still running after
    ``follow_days`` is dropped.

    Tasks started by an independent subprocess are left out: they are part of another task.

    :param site: where its tasks are.
    :param watched: returns what is watched at the moment; nothing is asked while that is nothing.
    :param interval_seconds: time from the start of one poll to the start of the next.
    :param follow_days: how many days a task is tracked, from its creation.
    """

    def __init__(
        self,
        site: Site,
        watched: Callable[[], frozenset[Selection]],
        *,
        interval_seconds: float,
        follow_days: float,
    ) -> None:
        self._site = site
        self._watched = watched
        self._interval_seconds = interval_seconds
        self._follow_days = follow_days
        self._name = site.server_name
        self._connection: SharedConnection[AsyncSopsClient] = SharedConnection(
            lambda: open_source(self._site), self._name
        )
        self._known: dict[int, _Known] = {}
        self._selections: frozenset[Selection] = frozenset()
        self._newest = 0
        #: Those that have had a picture.
        self._complete: frozenset[Selection] = frozenset()
        self._told_error = ""
        # Tasks that left the list because the machine's clock has jumped would be forgotten.
        self._time_of_day = steady_clock()

    async def pictures(self) -> AsyncGenerator[Picture, None]:
        """Yield what is known, once per interval in which the server answers. Never ends."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                began = clock()
                self._selections = self._watched()
                if not self._selections:
                    await asyncio.sleep(min(self._interval_seconds, _IDLE_SECONDS))
                    continue
                try:
                    await self._poll()
                except SopsError as error:
                    self._tell(error)
                else:
                    self._told_error = ""
                    yield Picture({task_id: known.task for task_id, known in self._known.items()}, self._selections)
                await asyncio.sleep(max(0.0, began + self._interval_seconds - clock()))
        finally:
            await self._connection.close()

    def _tell(self, error: SopsError) -> None:
        """Log an error, unless it is the same as before."""
        if str(error) != self._told_error:
            log.error("The tasks of %s cannot be watched; trying again: %s", self._name, error)
            self._told_error = str(error)

    async def _poll(self) -> None:
        if not self._selections <= self._complete:
            # What was left out until now may be watched.
            self._newest = 0
        listed = await self._list(down_to=self._newest)
        unfinished = await self._list(is_finished=False) if self._newest else listed
        self._newest = max((self._newest, *listed, *unfinished))
        for item in {**listed, **unfinished}.values():
            if self._is_watched(item):
                self._note(item)
        unsure = []
        for task_id, known in self._known.items():
            known.is_absent = task_id not in unfinished
            if not known.task.is_over and (known.is_absent or self._needs_state(known.task.item)):
                unsure.append(task_id)
        errors = await asyncio.gather(*(self._ask(task_id, self._look) for task_id in unsure))
        failing = [task_id for task_id, known in self._known.items() if self._is_to_judge(known.task)]
        failing.sort(key=lambda task_id: (self._known[task_id].judged_at, -task_id))
        errors += await asyncio.gather(*(self._ask(task_id, self._judge) for task_id in failing[:_MOST_JUDGED]))
        self._forget()
        # If the first picture for a watcher lacked unanswered tasks, it would take old ends for news. But a refusal for
        # one task alone may last for ever.
        if not self._selections <= self._complete:
            for error in errors:
                if error is not None and error.temporary:
                    raise error
        self._complete = self._selections

    def _is_watched(self, item: TaskListItem) -> bool:
        return any(selection.covers(item) for selection in self._selections)

    def _needs_state(self, item: TaskListItem) -> bool:
        """Whether a watcher needs more of an unfinished task than its place in the list."""
        return item.is_started and any(each.needs_states and each.covers(item) for each in self._selections)

    def _is_to_judge(self, task: WatchedTask) -> bool:
        """Whether a watcher wants to know if anything is still running in a task with failed nodes."""
        return task.end == FAILING and any(
            FAILED in selection.states and selection.covers(task.item) for selection in self._selections
        )

    async def _list(self, *, down_to: int = 0, **filters: Any) -> dict[int, TaskListItem]:
        """Read a list page by page, newest first, until it ends or an id is reached; at least one page."""
        since = pendulum.from_timestamp(self._time_of_day() - self._follow_days * 86400)
        pages: Pages[TaskListItem] = Pages("get_task_list", lambda item: item.id, PAGE_SIZE, _PAGE_OVERLAP)
        while not pages.is_over:
            page = await self._connection.ask(
                lambda client, offset=pages.offset: client.get_task_list(  # type: ignore[misc]
                    create_time_start=since,
                    is_child_taskflow=False,
                    limit=PAGE_SIZE,
                    offset=offset,
                    **list_filters(self._selections),
                    **filters,
                )
            )
            if any(item.id <= down_to for item in pages.add(page)):
                break
        return pages.found

    def _note(self, item: TaskListItem) -> None:
        known = self._known.get(item.id)
        if known is None:
            known = self._known[item.id] = _Known(WatchedTask(item))
        if not known.task.is_over:
            self._set(known, FINISHED if item.is_finished else known.task.end, item.finish_time, item)

    async def _ask(
        self, task_id: int, question: Callable[[StatusWait, _Known], Coroutine[Any, Any, None]]
    ) -> SopsError | None:
        """Send a request about a task; if it fails, the next poll sends it again."""
        try:
            async with shared_wait(
                self._site, task_id, interval_seconds=self._interval_seconds, node_states=False
            ) as wait:
                await question(wait, self._known[task_id])
        except SopsNotFoundError:
            del self._known[task_id]
        except SopsError as error:
            log.debug("SOPS task %s: %s", task_id, error)
            return error
        return None

    async def _look(self, wait: StatusWait, known: _Known) -> None:
        """Read the task's state."""
        status = await wait.look(_FRESH_LOOK if known.is_absent else _CACHED_LOOK)
        known.absences = known.absences + 1 if known.is_absent else 0
        verdict = judge(status, asked_for_auto_retry=False)
        end = _ENDS.get(verdict, "")
        self._set(known, FAILED if end == FAILING and known.task.end == FAILED else end, status.finish_time)

    async def _judge(self, wait: StatusWait, known: _Known) -> None:
        """Find out whether anything is still running."""
        known.judged_at = asyncio.get_running_loop().time()
        if known.tree is None:
            known.tree = await wait.reader.tree(wait.task_id)
        status = await wait.look(_THOROUGH_LOOK)
        end = _ENDS.get(judge(status, known.tree), "")
        if end != FAILED:
            known.failed_since = None
        elif known.failed_since is None or known.judged_at - known.failed_since < CONFIRMATION_SECONDS:
            known.failed_since = known.failed_since or known.judged_at
            end = FAILING
        self._set(known, end, status.finish_time)

    def _set(
        self, known: _Known, end: str, finish_time: pendulum.DateTime | None, item: TaskListItem | None = None
    ) -> None:
        known.task = WatchedTask(item or known.task.item, end, finish_time or known.task.finish_time)
        if end != FAILING:
            known.tree = known.failed_since = None
        if known.task.is_over:
            known.over_since = asyncio.get_running_loop().time()

    def _forget(self) -> None:
        """Forget tasks that ended long ago, that nobody watches now, or that left the list without an end."""
        longest_ago = asyncio.get_running_loop().time() - self._follow_days * 86400
        for task_id, known in list(self._known.items()):
            is_lost = not known.task.is_over and known.absences >= _MOST_ABSENCES
            if is_lost:
                log.info(
                    "SOPS task %s is no longer watched: it was created more than %s days ago, or was deleted.",
                    task_id,
                    self._follow_days,
                )
            is_old = known.over_since is not None and known.over_since < longest_ago
            if is_lost or is_old or not self._is_watched(known.task.item):
                del self._known[task_id]

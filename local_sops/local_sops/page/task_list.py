"""The list of all projects' tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bamboo_engine import states
from django.db.models import Q

from local_sops.config import PROJECTS
from local_sops.page.flow import nodes_with_callback, running_nodes, subprocesses_of
from local_sops.page.rendering import page
from local_sops.status_tree import NODE_SUSPENDED, statuses_of
from local_sops.store.models import Task
from local_sops.times import elapsed_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from django.db.models import QuerySet
    from werkzeug.wrappers import Request, Response

    from local_sops.server_state import ServerState

CREATED, EXPIRED = "CREATED", "EXPIRED"
PAGE_SIZE = 50
_STORED_STATES = {
    EXPIRED: Q(is_expired=True),
    states.FINISHED: Q(is_expired=False, is_finished=True),
    states.REVOKED: Q(is_expired=False, is_revoked=True),
    CREATED: Q(is_expired=False, is_started=False),
}
"""States known from the task rows alone; the others come from the engine."""
_LIVE_STATES = (states.RUNNING, states.FAILED, states.SUSPENDED, NODE_SUSPENDED)
_PROJECT_NAMES = {project.id: project.name for project in PROJECTS}


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task's row in the list."""

    id: int
    name: str
    state: str
    url: str
    project: str
    creator: str
    executor: str
    create_method: str
    create_time: str
    start_time: str
    finish_time: str
    elapsed_seconds: int | None
    waits: bool


def task_list(state: ServerState, request: Request) -> Response:
    """Show a page of the tasks, newest first; ``name`` is a part of the name, ``state`` an API state."""
    wanted = {key: request.args.get(key, "") for key in ("name", "state")}
    tasks = _filtered(wanted["name"], wanted["state"], state.config.timezone)
    count = tasks.count()
    last = max((count - 1) // PAGE_SIZE, 0)
    number = min(max(request.args.get("page", 1, type=int) - 1, 0), last)
    found = tasks.order_by("-pk")[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]

    def url(page_number: int) -> str:
        return "/?" + urlencode({**wanted, "page": page_number + 1})

    return page(
        "task_list.html",
        rows=_rows(state, found),
        count=count,
        wanted=wanted,
        states=[*_LIVE_STATES, *_STORED_STATES],
        page_number=number + 1,
        pages=last + 1,
        earlier_url=url(number - 1) if number else None,
        later_url=url(number + 1) if number < last else None,
        zone=state.config.timezone.key,
        lost_page=request.args.get("page_not_found"),
        status=404 if "page_not_found" in request.args else 200,
    )


def state_of(task: Task, found: Mapping[str, Any]) -> str:
    """Return a task's state as get_task_status does.

    :param found: statuses by the id of the pipeline.
    """
    if task.is_expired:
        return EXPIRED
    return str(found[task.instance_id]["state"]) if task.instance_id in found else CREATED


def shown_time(moment: datetime | None, zone: ZoneInfo) -> str:
    """``2026-11-20 18:34:08``: the page shows the zone once."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" if moment else ""


def _filtered(name: str, state: str, zone: ZoneInfo) -> QuerySet[Task]:
    tasks = Task.objects.filter(name__icontains=name) if name else Task.objects.all()
    if state in _STORED_STATES:
        return tasks.filter(_STORED_STATES[state])
    if state in _LIVE_STATES:
        live = tasks.filter(is_expired=False, is_started=True, is_finished=False, is_revoked=False)
        found = statuses_of(live.values_list("instance_id", flat=True), zone)
        return tasks.filter(instance_id__in=[key for key, status in found.items() if status["state"] == state])
    return tasks


def _waiting(tasks: Iterable[Task], found: Mapping[str, Any]) -> set[int]:
    """Return the ids of the tasks in which a node waits for a person."""
    live = [task for task in tasks if task.instance_id in found and not (task.is_finished or task.is_revoked)]
    running = {task: set(running_nodes(found[task.instance_id])) for task in live}
    with_callback = nodes_with_callback(node_id for ids in running.values() for node_id in ids)
    held = ((task, ids & with_callback) for task, ids in running.items())
    return {task.pk for task, ids in held if ids and ids - subprocesses_of(task.tree)}


def _rows(state: ServerState, tasks: Iterable[Task]) -> list[TaskRow]:
    zone = state.config.timezone
    found = statuses_of([task.instance_id for task in tasks], zone)
    waiting = _waiting(tasks, found)
    return [
        TaskRow(
            id=task.pk,
            name=task.name,
            state=state_of(task, found),
            url=state.task_life.path_of(task),
            project=_PROJECT_NAMES[task.project_id],
            creator=task.creator,
            executor=task.executor,
            create_method=task.create_method,
            create_time=shown_time(task.create_time, zone),
            start_time=shown_time(task.start_time, zone),
            finish_time=shown_time(task.finish_time, zone),
            elapsed_seconds=elapsed_seconds(task.start_time, task.finish_time) if task.start_time else None,
            waits=task.pk in waiting,
        )
        for task in tasks
    ]

"""Start due plans; on SOPS, celery's beat does this.

Taking a due time and creating its task is one transaction, so a kill starts a task at most once; the start is requested
in the same transaction, and resumed by
:meth:`~local_sops.runtime.task_life.TaskLife.resume_after_restart` if it did not happen. Of the due times missed while
the server was down, a periodic task runs once; a clocked task starts late.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction

from local_sops.plans.cron import Cron
from local_sops.store.models import ClockedTask, PeriodicTask
from local_sops.trees import InvalidTreeError
from local_sops.trees.creation import tree_from_template
from local_sops.trees.identity import with_new_ids
from local_sops.trees.pruning import nodes_but
from local_sops.trees.schemes import excluded_by_schemes

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from local_sops.runtime.dispatcher import Dispatcher
    from local_sops.runtime.task_life import TaskLife
    from local_sops.store.models import Task
    from local_sops.template_folder import TemplateFolder
    from local_sops.trees import Tree

logger = logging.getLogger(__name__)

NOT_STARTED, STARTED, START_FAILED = "not_started", "started", "start_failed"
"""States of a clocked task."""
_LONGEST_WAIT_SECONDS = 30.0
"""How often to check the wall clock, since timers stop while the machine sleeps."""
_MAX_PERIODIC_NAME, _MAX_TASK_NAME = 113, 128


class Plans:
    """Enables periodic tasks and starts what is due.

    :param zone: of crons, and of the times in names.
    """

    def __init__(self, dispatcher: Dispatcher, task_life: TaskLife, templates: TemplateFolder, zone: ZoneInfo) -> None:
        self._dispatcher = dispatcher
        self._task_life = task_life
        self._templates = templates
        self._zone = zone

    def resume_after_restart(self) -> None:
        """Schedule all plans again, and start those that fell due meanwhile."""
        for periodic in PeriodicTask.objects.filter(enabled=True):
            self._wait(periodic.next_due, partial(self._start_periodic, periodic.pk, periodic.next_due))
        for clocked in ClockedTask.objects.filter(state=NOT_STARTED):
            self.wait_for(clocked)

    def set_enabled(self, periodic: PeriodicTask, *, enabled: bool) -> None:
        """Enable or disable a periodic task; an enabled one is due from now on."""
        if enabled == periodic.enabled:
            return
        periodic.enabled = enabled
        self._plan(periodic)

    def set_cron(self, periodic: PeriodicTask, cron: Cron) -> None:
        """Change when a periodic task is due."""
        periodic.cron_fields = {name: getattr(cron, name) for name in Cron.__slots__}
        self._plan(periodic)

    def wait_for(self, clocked: ClockedTask) -> None:
        """Start a clocked task when it is time."""
        self._wait(clocked.plan_start_time, partial(self._start_clocked, clocked.pk, clocked.plan_start_time))

    def _plan(self, periodic: PeriodicTask) -> None:
        cron = Cron(**periodic.cron_fields)
        periodic.next_due = cron.next_after(datetime.now(UTC), self._zone) if periodic.enabled else None
        periodic.save(update_fields=["enabled", "cron_fields", "next_due"])
        if periodic.next_due:
            self._wait(periodic.next_due, partial(self._start_periodic, periodic.pk, periodic.next_due))

    def _wait(self, due: datetime, start: Callable[[], None]) -> None:
        remaining = (due - datetime.now(UTC)).total_seconds()
        if remaining <= 0:
            self._dispatcher.submit(start)
        else:
            self._dispatcher.submit_later(min(remaining, _LONGEST_WAIT_SECONDS), partial(self._wait, due, start))

    def _start_periodic(self, key: int, due: datetime) -> None:
        """Take a due time, unless it was already taken or rescheduled."""
        with transaction.atomic():
            periodic = PeriodicTask.objects.filter(pk=key, enabled=True, next_due=due).first()
            if periodic is None:
                return
            now = datetime.now(UTC)
            try:
                self._make_periodic(periodic)
            except InvalidTreeError as error:
                logger.error("periodic task %s could not be started: %s", key, error)
            else:
                periodic.last_run_at = now
                periodic.total_run_count += 1
            periodic.next_due = Cron(**periodic.cron_fields).next_after(now, self._zone)
            periodic.save(update_fields=["last_run_at", "total_run_count", "next_due"])
        self._wait(periodic.next_due, partial(self._start_periodic, key, periodic.next_due))

    def _make_periodic(self, periodic: PeriodicTask) -> None:
        self._make(
            with_new_ids(periodic.tree, mark_origins=self._templates.age.marks_origins),
            name=f"{periodic.name[:_MAX_PERIODIC_NAME]}_{self._stamp()}",
            project_id=periodic.project_id,
            template_id=str(periodic.template_id),
            template_source=periodic.template_source,
            description="periodic task instance",
            creator=periodic.creator,
            create_method="periodic",
        )

    def _start_clocked(self, key: int, due: datetime) -> None:
        with transaction.atomic():
            clocked = ClockedTask.objects.filter(pk=key, state=NOT_STARTED, plan_start_time=due).first()
            if clocked is None:
                return
            try:
                task = self._make_clocked(clocked)
            except InvalidTreeError as error:
                logger.error("clocked task %s could not be started: %s", key, error)
                clocked.state = START_FAILED
            else:
                clocked.task_id = task.pk
                clocked.state = STARTED
            clocked.save(update_fields=["state", "task_id"])

    def _make_clocked(self, clocked: ClockedTask) -> Task:
        return self._make(
            self._clocked_tree(clocked),
            name=f"{clocked.task_name}_{self._stamp()}"[:_MAX_TASK_NAME],
            project_id=clocked.project_id,
            template_id=str(clocked.template_id),
            template_source=clocked.template_source,
            description=str(clocked.task_parameters.get("description") or ""),
            creator=clocked.creator,
            create_method="clocked",
        )

    def _clocked_tree(self, clocked: ClockedTask) -> Tree:
        """Create a clocked task's tree from the current template."""
        template = self._templates.find(clocked.template_id)
        if template is None:
            raise InvalidTreeError(f"template {clocked.template_id} does not exist")
        parameters = clocked.task_parameters
        excluded = parameters.get("exclude_task_nodes_id") or []
        if not excluded and parameters.get("appoint_task_nodes_id"):
            excluded = nodes_but(template.tree, parameters["appoint_task_nodes_id"])
        elif not excluded and parameters.get("template_schemes_id"):
            excluded = excluded_by_schemes(template, parameters["template_schemes_id"])
        values, simplified = parameters.get("constants") or {}, parameters.get("simplify_vars") or []
        return tree_from_template(self._templates, template, excluded, values, simplified)

    def _make(self, tree: Tree, *, creator: str, **fields: Any) -> Task:
        task = self._task_life.create(tree, flow_type="common", creator=creator, **fields)
        self._task_life.request_start(task, creator)
        return task

    def _stamp(self) -> str:
        return f"{datetime.now(self._zone):%Y%m%d%H%M%S}"


def periodic_tree_json(tree: Tree) -> str:
    """Create the tree of a new periodic task; each task gets its own ids when it is started."""
    return json.dumps({key: value for key, value in tree.items() if key != "id"}, ensure_ascii=False)

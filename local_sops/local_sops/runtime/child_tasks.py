"""Independent subprocesses: nodes that run their flow as a separate task and wait for it (``subprocess_plugin``).

A child that finishes calls its parent's node back; one that fails or is revoked fails the node. Retrying or skipping a
failed node of the child makes the parent's node wait again.
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from bamboo_engine import api as engine_api
from bamboo_engine import states
from django.db import transaction
from pipeline.eri.models import Schedule, State

from local_sops.store.models import AutoRetry, Task
from local_sops.trees.creation import tree_of_child

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from local_sops.runtime.dispatcher import Dispatcher
    from local_sops.runtime.engine import LocalRuntime
    from local_sops.runtime.task_life import TaskLife
    from local_sops.template_folder import TemplateFolder

logger = logging.getLogger(__name__)

_SETTLE_SECONDS = 0.05
"""A child may end before the engine has let its parent's node wait."""
_ATTEMPTS = 200


class ChildTasks:
    """Starts children for nodes, and reports their results to the nodes.

    :param zone: of the time in a child's name.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        runtime: LocalRuntime,
        task_life: TaskLife,
        templates: TemplateFolder,
        zone: ZoneInfo,
    ) -> None:
        self._dispatcher = dispatcher
        self._runtime = runtime
        self._task_life = task_life
        self._templates = templates
        self._zone = zone

    def start(self, parent: Task, node_id: str, node_version: str, subprocess: dict[str, Any]) -> Task:
        """Create and start the task of a node.

        :param subprocess: value of the plugin's input ``subprocess``, its constants rendered.
        :raises InvalidTreeError: its ``pipeline`` cannot become a task.
        """
        name = self._templates.name_of(str(subprocess["template_id"])) or subprocess["subprocess_name"]
        child = self._task_life.create(
            tree_of_child(self._templates, subprocess["pipeline"]),
            name=f"{name}_{datetime.now(self._zone):%Y%m%d%H%M%S}",
            project_id=parent.project_id,
            template_id=parent.template_id,
            template_source=subprocess.get("template_source", "business"),
            flow_type=parent.flow_type,
            current_flow=parent.current_flow,
            creator=parent.executor,
            create_method=parent.create_method,
            parent_node_id=node_id,
            parent_node_version=node_version,
        )
        self._task_life.request_start(child, parent.executor)
        return child

    def report(self, task: Task, task_success: bool) -> None:
        """Call back the node that waits for a task, if any."""
        if task.is_child_taskflow:
            job = partial(self._call_back, task.pk, task_success, _ATTEMPTS)
            transaction.on_commit(partial(self._dispatcher.submit, job))

    def wake_parent(self, task: Task) -> None:
        """Make the failed parent nodes of a task wait for it again, since it continues."""
        if not task.is_child_taskflow:
            return
        node_id = task.parent_node_id
        with transaction.atomic():
            if not self._let_wait_again(task):
                return
            outputs = self._runtime.get_execution_data_outputs(node_id)
            outputs.pop("ex_data", None)
            self._runtime.set_execution_data_outputs(node_id, outputs)
        self.wake_parent(self._parent_of(task))

    def resume_after_restart(self) -> None:
        """Report children that ended while their parents could not be notified."""
        waiting = State.objects.filter(name=states.RUNNING).values("node_id")
        for task in Task.objects.filter(parent_node_id__in=waiting):
            if task.is_finished or task.is_revoked or self._has_failed(task):
                self.report(task, task.is_finished)

    def _has_failed(self, task: Task) -> bool:
        failed = State.objects.filter(root_id=task.instance_id, name=states.FAILED).values_list("node_id", flat=True)
        return any(not AutoRetry.is_left(node_id) for node_id in failed)

    def _parent_of(self, task: Task) -> Task:
        root_id = State.objects.get(node_id=task.parent_node_id).root_id
        parent: Task = Task.objects.get(instance_id=root_id)
        return parent

    def _let_wait_again(self, task: Task) -> bool:
        """Set the parent's node from FAILED to RUNNING; False if the node failed for another reason than this task."""
        node_id, version = task.parent_node_id, task.parent_node_version
        if not State.objects.filter(node_id=node_id, version=version, name=states.FAILED).exists():
            return False
        Schedule.objects.filter(node_id=node_id, version=version).update(expired=False)
        # The engine has no other way from FAILED to RUNNING.
        self._runtime.set_state(node_id=node_id, version=version, to_state=states.READY, clear_archived_time=True)
        self._runtime.set_state(node_id=node_id, version=version, to_state=states.RUNNING)
        return True

    def _call_back(self, task_id: int, task_success: bool, attempts: int) -> None:
        task = Task.objects.get(pk=task_id)
        node_id, version = task.parent_node_id, task.parent_node_version
        state = State.objects.filter(node_id=node_id, version=version).first()
        if state is None or state.name not in (states.RUNNING, states.FAILED):
            return
        if state.name == states.FAILED and not (task_success and self._let_wait_again(task)):
            return
        data = {"task_id": task_id, "task_success": task_success}
        result = engine_api.callback(self._runtime, node_id, version, data)
        if result.result:
            return
        if attempts:
            again = partial(self._call_back, task_id, task_success, attempts - 1)
            self._dispatcher.submit_later(_SETTLE_SECONDS, again)
        else:
            logger.error("task %s could not call its parent's node %s back: %s", task_id, node_id, result.exc)

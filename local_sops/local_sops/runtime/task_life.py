"""A task's life: keeps the server's rows in sync with the engine."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from bamboo_engine import api as engine_api
from bamboo_engine import states
from django.db import transaction
from pipeline.eri.models import State
from pipeline.eri.signals import post_set_state

from local_sops.runtime.node_rules import NodeRules, register_node_rules
from local_sops.runtime.system_variables import context_of, task_facts
from local_sops.store.models import Task
from local_sops.trees.engine_tree import constants_without_choices, engine_pipeline

if TYPE_CHECKING:
    from local_sops.ages import Age
    from local_sops.runtime.dispatcher import Dispatcher
    from local_sops.runtime.engine import LocalRuntime
    from local_sops.trees import Tree

logger = logging.getLogger(__name__)

Reporter = Callable[[Task, bool], None]
"""Called when a task finished (True), when a node failed for good, or when the task was revoked (False)."""
EXECUTE_TASK, FUNC_CLAIM, FINISHED = "execute_task", "func_claim", "finished"
"""Values of ``current_flow``: ready to run, waiting to be claimed, finished."""


class TaskLife:
    """Creates and starts tasks, and follows them to their end.

    :param dispatcher: runs jobs asynchronously.
    :param runtime: the engine's.
    :param base_url: of the server, for the addresses of tasks.
    :param project_constants: project id -> name -> value of ``${_env_name}``.
    :param age: of the server: an old one neither retries nor times out nodes.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        runtime: LocalRuntime,
        base_url: str,
        project_constants: Mapping[int, Mapping[str, str]],
        age: Age,
    ) -> None:
        self._dispatcher = dispatcher
        self._runtime = runtime
        self._base_url = base_url
        self._age = age
        self._project_constants = project_constants
        self._node_rules = NodeRules(dispatcher, runtime)
        self._reporters: tuple[Reporter, ...] = ()

    def report_to(self, *reporters: Reporter) -> None:
        """Notify these listeners from now on; they are called in the transaction of the change."""
        self._reporters = reporters

    def url_of(self, task: Task) -> str:
        """Return the URL of a task's page."""
        return f"{self._base_url}{self.path_of(task)}"

    def path_of(self, task: Task) -> str:
        """Return the path of a task's page."""
        return f"/taskflow/execute/{task.project_id}/?instance_id={task.pk}"

    def claim_url_of(self, task: Task) -> str:
        """Return the URL of the page where a task of the function flow is claimed; local_sops has no such page."""
        return f"{self._base_url}/function/execute/{task.project_id}/?instance_id={task.pk}"

    def connect(self) -> None:
        """Listen to the engine's state changes from now on."""
        post_set_state.connect(self._state_changed, dispatch_uid="local_sops.task_life")

    def create(self, tree: Tree, *, with_auto_retry: bool = True, with_timeouts: bool = True, **fields: Any) -> Task:
        """Store a new task without starting it.

        :param tree: a task tree, ids renewed.
        :param with_auto_retry: whether the server retries nodes with ``auto_retry``.
        :param with_timeouts: whether the server ends nodes that exceed ``timeout_config``.
        :param fields: the other columns of :class:`Task`.
        """
        if "current_flow" not in fields:
            fields["current_flow"] = FUNC_CLAIM if fields["flow_type"] == "common_func" else EXECUTE_TASK
        with transaction.atomic():
            task: Task = Task.objects.create(
                create_time=datetime.now(UTC),
                instance_id=tree["id"],
                tree_json=json.dumps(tree, ensure_ascii=False),
                **fields,
            )
            if self._age.retries_and_times_out:
                register_node_rules(task, tree, with_auto_retry=with_auto_retry, with_timeouts=with_timeouts)
        return task

    def request_start(self, task: Task, username: str) -> None:
        """Request a task's start; only the first request counts, and the task starts once."""
        Task.objects.filter(pk=task.pk).update(start_requested_by=username)
        # A plan creates its task and requests its start in one transaction.
        transaction.on_commit(partial(self._dispatcher.submit, partial(self._start, task.pk, username)))

    def resume_after_restart(self) -> None:
        """Resume requests and scheduled work that have not been carried out yet."""
        started = Task.objects.filter(is_started=True, current_flow=EXECUTE_TASK)
        known = State.objects.filter(node_id__in=started.values("instance_id")).values("node_id")
        # Taken by a worker that was killed before the engine had the task.
        started.exclude(instance_id__in=known).update(is_started=False)
        for task in Task.objects.filter(is_started=False).exclude(start_requested_by=""):
            self._dispatcher.submit(partial(self._start, task.pk, task.start_requested_by))
        # A kill between the engine's last write and ours leaves a finished pipeline in a running task.
        for state in State.objects.filter(node_id__in=started.values("instance_id")):
            self._root_changed(state.node_id, state.name)
        self._node_rules.resume_after_restart()

    def _start(self, task_id: int, username: str) -> None:
        task = Task.objects.get(pk=task_id)
        if task.current_flow != EXECUTE_TASK:
            logger.warning("task %s is not started: it is in %s", task_id, task.current_flow)
            Task.objects.filter(pk=task_id).update(start_requested_by="")
            return
        started = Task.objects.filter(pk=task_id, is_started=False).update(
            is_started=True, start_time=datetime.now(UTC), executor=username
        )
        if not started:
            return
        without_choices = constants_without_choices(task.tree)
        if without_choices:
            self._forget_start(task_id, f"the constants {without_choices} have no 'meta'")
            return
        facts = task_facts(task, username, self.url_of(task))
        context = context_of(facts, self._project_constants.get(task.project_id, {}))
        result = engine_api.run_pipeline(
            self._runtime,
            engine_pipeline(task.tree),
            cycle_tolerate=True,
            root_pipeline_data=facts,
            root_pipeline_context=context,
            subprocess_context=context,
        )
        if not result.result:
            self._forget_start(task_id, result.exc)

    def _forget_start(self, task_id: int, reason: object) -> None:
        """Let a task that cannot be started be CREATED as before; as on the server, only the log says why."""
        logger.error("task %s could not be started: %s", task_id, reason)
        Task.objects.filter(pk=task_id).update(is_started=False, start_time=None, executor="", start_requested_by="")

    def _state_changed(self, node_id: str, to_state: str, version: str, root_id: str, **_: Any) -> None:
        if node_id == root_id:
            self._root_changed(node_id, to_state)
        will_be_retried = self._node_rules.state_changed(node_id, to_state, version)
        if to_state == states.FAILED and not will_be_retried:
            self._report(root_id, task_success=False)

    def _root_changed(self, root_id: str, state: str) -> None:
        tasks = Task.objects.filter(instance_id=root_id)
        if state == states.FINISHED:
            tasks.update(is_finished=True, finish_time=datetime.now(UTC), current_flow=FINISHED)
            self._report(root_id, task_success=True)
        elif state == states.REVOKED:
            tasks.update(is_revoked=True, finish_time=datetime.now(UTC), current_flow=FINISHED)
            # SOPS detects it in two ways, and reports both.
            self._report(root_id, task_success=False)
            self._report(root_id, task_success=False)

    def _report(self, root_id: str, *, task_success: bool) -> None:
        for task in Task.objects.filter(instance_id=root_id):
            for report in self._reporters:
                report(task, task_success)

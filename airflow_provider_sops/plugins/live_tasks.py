"""Asks SOPS about tasks and nodes, once for all viewers, and acts on them.

A SOPS task is asked about at most once in three seconds, and no more once it has ended. While SOPS does not answer,
what was last known stays, with the reason.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.plugins.known_task import KnownTask
from airflow_provider_sops.plugins.shared_answers import SharedAnswers
from airflow_provider_sops.plugins.task_view import history_of, inner_view, lasts, node_view, task_view
from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.service.reading import read_id
from airflow_provider_sops.service.text import log_entry
from airflow_provider_sops.sops.models import NodeData, TaskDetail, TaskState
from airflow_provider_sops.sops.node_end import detail_arguments, without_engine_lines
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, SubProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_sops.plugins.run_tasks import RunTask
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.site import Site

log = logging.getLogger(__name__)

#: How long a viewer waits at most; a thread of the API server waits as long.
SECONDS = 5.0
_ACTION_SECONDS = 10.0
_NODE_SECONDS = 3.0
_TEMPLATE_SECONDS = 600.0
_LONGEST_PAUSE_SECONDS = 30.0
_MOST_LOG_LINES = 500
_MOST_TRIES = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of something in SOPS.

    :param known: the task apart from its state.
    :param status: its last known state.
    :param view: what is shown.
    :param problem: why SOPS could not be asked the last time; empty if it could.
    :param failures: how often in a row it could not.
    """

    known: KnownTask | None = None
    status: TaskStatus | None = None
    view: Mapping[str, Any] = field(default_factory=dict, repr=False)
    problem: str = ""
    failures: int = 0

    @property
    def seconds(self) -> float:
        """For how long nobody needs to ask again."""
        if self.problem:
            return pause_after(self.failures)
        return lasts(goes_on=self.view["goes_on"]) if self.status else _NODE_SECONDS


def pause_after(failures: int) -> float:
    """Return for how many seconds SOPS is left alone after it could not be asked some times in a row."""
    return min(3.0 * 2.0 ** min(failures - 1, 8), _LONGEST_PAUSE_SECONDS)


class LiveTasks:
    """The SOPS tasks that somebody looks at."""

    def __init__(self) -> None:
        self._tasks: SharedAnswers[Answer] = SharedAnswers()
        self._nodes: SharedAnswers[Answer] = SharedAnswers()
        self._templates: SharedAnswers[Answer] = SharedAnswers(most=50)

    def task(self, task: RunTask) -> Answer:
        """Return a task and its state."""
        found = self._tasks.get(
            (task.site, task.sops_task_id),
            lambda before: self._ask(task, before or Answer()),
            lambda each: each.seconds,
        )
        return found or Answer(problem="SOPS has not answered yet")

    def node(self, task: RunTask, known: KnownTask, status: TaskStatus, node: Node) -> Answer:
        """Return inputs, outputs, error, log and earlier tries of a node."""
        row = status.at(known.path_of(node.key))
        if row is None or not isinstance(node, Activity) or (isinstance(node, SubProcess) and not node.independent):
            return Answer(known, view={"id": node.id, "name": known.shown(node.name), "has_data": False})
        key = (task.site, task.sops_task_id, node.id, row.state, row.loop, row.retry)
        found = self._nodes.get(
            key,
            lambda before: self._ask_node(task, known, node, row.version, before or Answer()),
            lambda each: each.seconds,
        )
        return found or Answer(problem="SOPS has not answered yet")

    def template(self, site: Site, template_id: int | str, template_source: str) -> Answer:
        """Return a template with all flows inside it, as a task that has not begun."""
        found = self._templates.get(
            (site, str(template_id), template_source),
            lambda before: _ask_template(site, template_id, template_source, before or Answer()),
            lambda each: each.seconds if each.problem else _TEMPLATE_SECONDS,
        )
        return found or Answer(problem="SOPS has not answered yet")

    def act(self, task: RunTask, action: str, node_id: str, inputs: Mapping[str, Any] | None, *, approve: bool) -> None:
        """Act on a task or on one of its nodes.

        :param action: as ``task_view`` offers it.
        :param inputs: of a retry; ``None`` for those of the try before.
        :param approve: what is answered to an approval.
        :raises SopsError: SOPS refused, or could not be reached; then it may have acted all the same.
        """
        sops_task_id = task.sops_task_id
        try:
            with open_hook(task.site, _ACTION_SECONDS) as hook:
                if action in ("pause", "resume", "revoke"):
                    hook.operate_task(sops_task_id, action)
                elif action == "retry":
                    hook.operate_node(sops_task_id, node_id, action, inputs=inputs)
                elif action == "answer":
                    hook.node_callback(sops_task_id, node_id, {"approve_result": approve})
                elif action == "continue":
                    hook.node_callback(sops_task_id, node_id, {})
                else:
                    hook.operate_node(sops_task_id, node_id, action.removesuffix("_node"))
        finally:
            self._tasks.expire((task.site, sops_task_id))

    def _ask(self, task: RunTask, before: Answer) -> Answer:
        try:
            with open_hook(task.site, SECONDS) as hook:
                known = before.known or KnownTask(hook.get_task_detail(task.sops_task_id, fresh=True))
                status = hook.get_task_status(
                    task.sops_task_id,
                    with_ex_data=True,
                    with_failed_node_info=True,
                    with_auto_retry_status=True,
                    fresh=True,
                )
                if status.state == TaskState.FINISHED and known.detail.finish_time is None:
                    # Its outputs are there from now on.
                    known = KnownTask(hook.get_task_detail(task.sops_task_id, fresh=True))
            return Answer(known, status, task_view(known, status))
        except (ServiceError, AirflowException) as error:
            return _failed(before, error)
        except Exception as error:
            # Whatever SOPS has sent: it must not be asked for it again at once.
            log.exception("SOPS task %s cannot be shown", task.sops_task_id)
            return _failed(before, RuntimeError(f"what SOPS has sent cannot be shown ({type(error).__name__})"))

    def _ask_node(self, task: RunTask, known: KnownTask, node: Node, version: str, before: Answer) -> Answer:
        secrets, arguments = known.secrets, detail_arguments(known.path_of(node.key), node.plugin)
        try:
            with open_hook(task.site, SECONDS) as hook:
                detail = hook.get_task_node_detail(task.sops_task_id, **arguments, fresh=True)
                log_text = _log_of(hook, task.sops_task_id, node.id, version)
                inner = _inner_of(hook, node, detail.data)
        except (ServiceError, AirflowException) as error:
            return _failed(replace(before, known=known), error)
        data, text = secrets.node(node.id, detail.data, without_engine_lines(log_text))
        tries = [
            history_of(raw, secrets.node(node.id, NodeData.read(raw))[0]) for raw in detail.histories[-_MOST_TRIES:]
        ]
        view = node_view(known, node, data, _end_of(text), tries)
        return Answer(known, view={"has_data": True, **view, "inner": inner})


@contextmanager
def open_hook(site: Site, seconds: float) -> Iterator[SopsHook]:
    """Open a hook all of whose requests together take no longer than some seconds."""
    with SopsHook(**site.arguments) as hook, hook.within(seconds):
        yield hook


def _ask_template(site: Site, template_id: int | str, template_source: str, before: Answer) -> Answer:
    try:
        with open_hook(site, SECONDS) as hook:
            found = hook.get_template_info(template_id, template_source=template_source, unfold_subprocess=True)
    except (ServiceError, AirflowException) as error:
        return _failed(before, error)
    tree = found.pipeline_tree
    return Answer(KnownTask(TaskDetail.read({"pipeline_tree": tree, "constants": tree.get("constants")})))


def _log_of(hook: SopsHook, sops_task_id: int, node_id: str, version: str) -> str:
    try:
        return hook.get_task_node_log(sops_task_id, node_id, version=version or None)
    except ServiceError:
        # Older servers have no such call, and the rest is worth showing without it.
        return ""


def _inner_of(hook: SopsHook, node: Node, data: NodeData) -> dict[str, Any] | None:
    """Return what is shown of the SOPS task that a node runs as; ``None`` if it runs as none, or not yet."""
    inner_id = read_id(data.outputs.get("task_id")) if isinstance(node, SubProcess) else None
    if inner_id is None:
        return None
    try:
        status = hook.get_task_status(inner_id, fresh=True)
    except ServiceError:
        # Its address is worth showing without its state.
        status = None
    return inner_view(inner_id, data, status)


def _end_of(log_text: str) -> str:
    return "\n".join(log_text.splitlines()[-_MOST_LOG_LINES:])


def _failed(before: Answer, error: Exception) -> Answer:
    text = log_entry(str(error))
    secrets = before.known.secrets if before.known else None
    return replace(before, problem=secrets.message(text) if secrets else text, failures=before.failures + 1)

"""What becomes of SOPS tasks that were made before: by an earlier try, or before a clear."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_sops.operators.sops.actions import retries_by_itself, retry_node
from airflow_provider_sops.operators.sops.revocation import revoke_task
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.sops.verdict import nodes_at_work
from airflow_provider_sops.task_instance.outputs import read_secrets
from airflow_provider_sops.waiting.follow import steady_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import NodeStatus, TaskListItem, TaskStatus
    from airflow_provider_sops.task_instance.log import TaskLog


_LOOK_INTERVAL_SECONDS = 3.0
#: How long a worker that may leave waits for the nodes of revoked tasks.
WORKER_SECONDS = 15.0
_START_SHOWS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StartedTask:
    """A task that was started before, with its state just read past the server's cache.

    :param generation: of the task instance, as the key in the task's name tells it; 0 if it has none.
    """

    id: int
    status: TaskStatus
    generation: int = 0

    @property
    def is_lost(self) -> bool:
        """Whether the task was revoked or expired, so that nothing can be had from it any more."""
        return self.status.state in (TaskState.REVOKED, TaskState.EXPIRED)

    @property
    def is_unfinished(self) -> bool:
        """Whether the task may still do something, FAILED included: people can revive it."""
        return not self.status.state.is_terminal


class EarlierTasks:
    """Looks after the tasks that were made before.

    :param hook: the connection to SOPS.
    :param log: the log of the Airflow task.
    :param clock: gives seconds since the epoch; default: a new ``steady_clock``.
    """

    def __init__(
        self,
        hook: SopsHook,
        log: TaskLog,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._hook = hook
        self._log = log
        self._sleep = sleep
        self._clock = clock or steady_clock()
        #: Marks of the failures that were overcome by retries.
        self.overcome: list[str] = []

    def started(self, tasks: Sequence[TaskListItem]) -> list[StartedTask]:
        """Return those that were started, oldest first. The others are named in the log: they never run.

        A start that SOPS has accepted shows some moments later, so those that look unstarted are looked at twice. One
        that is listed as started is, even if its state does not show it yet.
        """
        if any(not task.is_started for task in tasks):
            self._sleep(_START_SHOWS_SECONDS)
        started = []
        for task in tasks:
            status = self._hook.get_task_status(task.id, fresh=True)
            if status.state == TaskState.CREATED and not task.is_started:
                self._log.info("SOPS task %s was created before and never started; it is left as it is.", task.id)
            else:
                key = TaskKey.in_name(task.name)
                started.append(StartedTask(task.id, status, key.generation if key else 0))
        return started

    def retire(
        self,
        tasks: Sequence[StartedTask],
        *,
        wait_seconds: float,
        wait_until: float | None = None,
        leave: Callable[[Sequence[int], float], NoReturn] | None = None,
    ) -> list[int]:
        """Revoke tasks and wait until none of their nodes runs, so that a new task does not run beside them.

        SOPS lets the node that runs at the moment of a revoke finish. A node that waits for a person is not waited
        for: it does nothing more.

        :param wait_seconds: how long to wait for nodes that still run, over all tasks.
        :param wait_until: when that ends, in seconds since the epoch, if the wait has begun before.
        :param leave: given the tasks' ids and the end of the wait, hands it to the triggerer and does not return.
        :return: the ids of those that came to a good end before the revoke reached them.
        :raises SopsInvalidOperationError: names the nodes that still run after that time.
        """
        finished = []
        for task in tasks:
            if task.is_unfinished:
                self._log.info("Revoking SOPS task %s (%s), a new one takes its place.", task.id, task.status.state)
                if revoke_task(self._hook, task.id, sleep=self._sleep) == TaskState.FINISHED:
                    finished.append(task.id)
        began = self._clock()
        deadline = began + wait_seconds if wait_until is None else wait_until
        ended = (TaskState.FINISHED, TaskState.EXPIRED)
        revoked = [task for task in tasks if task.status.state not in ended and task.id not in finished]
        for task in revoked:
            detail = self._hook.get_task_detail(task.id, fresh=True)
            tree, secrets = TreeIndex(detail.pipeline_tree), TaskSecrets([detail])
            while nodes := self._at_work(task.id, tree, secrets):
                if self._clock() >= deadline:
                    raise _still_running(task.id, nodes, wait_seconds)
                self._log.info("Waiting for SOPS task %s, which still runs %s.", task.id, _names(nodes))
                if leave is not None and self._clock() - began >= WORKER_SECONDS:
                    leave([each.id for each in revoked], deadline)
                self._sleep(_LOOK_INTERVAL_SECONDS)
        return finished

    def retry_failed_nodes(
        self, task: StartedTask, inputs: Mapping[str, Mapping[str, Any]] | None = None
    ) -> tuple[str, ...]:
        """Retry every failed node of a failed task, inside subprocesses too.

        Where the server is going to retry by itself, nothing is done: it would be retried twice.

        :param inputs: new inputs, by a node's id in the template or by its name.
        :return: marks of the failures that are overcome by it, for ``WaitPolicy.overcome``.
        :raises SopsInvalidOperationError: if SOPS refuses to retry any of them.
        """
        status = self._hook.get_task_status(
            task.id, with_ex_data=True, with_failed_node_info=True, with_auto_retry_status=True, fresh=True
        )
        if status.state != TaskState.FAILED or retries_by_itself(self._hook, task.id, status):
            return ()
        tree = TreeIndex(self._hook.get_task_detail(task.id, fresh=True).pipeline_tree) if inputs else None
        secrets = read_secrets(self._hook, [task.id])
        refusals: list[SopsError] = []
        for node in status.failed_nodes:
            new_inputs = _inputs_of(node, tree, inputs or {})
            shown = secrets.named_node(node)
            refusal = retry_node(self._hook, task.id, shown, self._log, inputs=new_inputs, sleep=self._sleep)
            if refusal is None:
                self.overcome.append(node.mark)
            else:
                refusals.append(refusal)
        if refusals and not self.overcome:
            raise refusals[0]
        return tuple(self.overcome)

    def _at_work(self, sops_task_id: int, tree: TreeIndex, secrets: TaskSecrets) -> tuple[NodeStatus, ...]:
        return nodes_at_work(secrets.status(self._hook.get_task_status(sops_task_id, fresh=True)), tree)


def _inputs_of(
    node: NodeStatus, tree: TreeIndex | None, inputs: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any] | None:
    known = tree.get(node.id) if tree else None
    for name in (known.template_node_id if known else "", node.name or (known.name if known else "")):
        if name in inputs:
            return dict(inputs[name])
    return None


def _names(nodes: Sequence[NodeStatus]) -> str:
    return ", ".join(quoted(node.name or node.id) for node in nodes)


def _still_running(sops_task_id: int, nodes: Sequence[NodeStatus], wait_seconds: float) -> SopsInvalidOperationError:
    return SopsInvalidOperationError(
        f"SOPS task {sops_task_id} is revoked, but {wait_seconds:.0f} s later it still runs {_names(nodes)}; "
        "a new task beside it would run the flow twice",
        advice="Wait until these nodes have ended or force them to fail in SOPS, then clear this task again; "
        "or raise revoke_wait_seconds.",
    )

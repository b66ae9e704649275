"""Acting on a SOPS task or on one of its nodes: once, whatever gets lost, and at the moment when it can be acted on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import tenacity

from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.retried_nodes import expects_auto_retry, needs_tree
from airflow_provider_sops.waiting.repeat import again_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus
    from airflow_provider_sops.task_instance.log import TaskLog

_TRIES = 4
_PAUSE_SECONDS = 1.5
_SHOWS_SECONDS = 3.0


def act_on_task(hook: SopsHook, sops_task_id: int, action: str, log: TaskLog) -> None:
    """Act on a task once, whatever gets lost.

    An action whose answer was lost is sent again unless the task's state shows that it was done.

    :param action: ``start``, ``pause``, ``resume`` or ``revoke``.
    :raises SopsError: SOPS refuses it, or an outage was too long.
    """
    is_lost = False

    def attempt() -> None:
        nonlocal is_lost
        try:
            hook.operate_task(sops_task_id, action)
        except SopsError as error:
            is_lost |= error.outcome_unknown
            if not is_lost or not _is_done(action, hook.get_task_status(sops_task_id, fresh=True).state):
                raise
            log.warning("The answer to %s was lost, but SOPS has done it.", action)

    hook.bear("operate_task", attempt)


def _is_done(action: str, state: TaskState) -> bool:
    """Return whether a task in this state shows that an action was done."""
    match action:
        case "start":
            return state != TaskState.CREATED
        case "pause":
            return state == TaskState.SUSPENDED
        case "resume":
            return state != TaskState.SUSPENDED
        case _:
            return state == TaskState.REVOKED


def operate_node(
    hook: SopsHook,
    sops_task_id: int,
    node_id: str,
    action: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    **parameters: Any,
) -> None:
    """Send ``operate_node``, and again for about five seconds while SOPS refuses it.

    A node shows FAILED, or RUNNING for one that waits, a moment before the engine accepts an action on it; in between
    it refuses with the code that every refusal has. A refused action has done nothing, so a repeat is safe.

    :param parameters: ``inputs``, ``data`` and ``flow_id`` as ``SopsHook.operate_node`` takes them.
    :raises SopsInvalidOperationError: SOPS refused it every time.
    :raises SopsError: otherwise; not sent again, since it may have been done.
    """
    rules = again_after(SopsInvalidOperationError, (_PAUSE_SECONDS,) * (_TRIES - 1), sleep=sleep)
    tenacity.Retrying(**rules)(hook.operate_node, sops_task_id, node_id, action, **parameters)


def retries_by_itself(hook: SopsHook, sops_task_id: int, status: TaskStatus) -> bool:
    """Return whether SOPS is about to retry a failed node by itself, so that another retry would be one too many.

    Reads the task's tree where the server is too old to say so.

    :param status: the answer to a request for details, past the server's cache.
    :raises SopsError: the tree cannot be read.
    """
    tree = None
    if needs_tree(status, tree):
        tree = TreeIndex(hook.get_task_detail(sops_task_id, fresh=True).pipeline_tree)
    return expects_auto_retry(status, tree)


def act_on_node(
    hook: SopsHook,
    sops_task_id: int,
    node_id: str,
    action: str,
    log: TaskLog,
    *,
    before: NodeStatus | None,
    sleep: Callable[[float], None] = time.sleep,
    **parameters: Any,
) -> None:
    """Act on a node once, whatever gets lost.

    An action whose answer was lost is sent again only if the node still looks as it did before.

    :param before: how the node looked before; ``None`` if the flow has not reached it.
    :param parameters: as of ``operate_node``.
    :raises SopsInvalidOperationError: SOPS refuses it.
    :raises SopsError: an outage was too long, or SOPS says something else.
    """
    is_lost = False

    def attempt() -> None:
        nonlocal is_lost
        try:
            operate_node(hook, sops_task_id, node_id, action, sleep=sleep, **parameters)
        except SopsError as error:
            is_lost |= error.outcome_unknown
            if not is_lost:
                raise
            # An accepted action shows some moments later.
            sleep(_SHOWS_SECONDS)
            if _looks(find_node(hook, sops_task_id, node_id)) == _looks(before):
                raise
            log.warning("The answer to %s of node %s was lost, but SOPS has done it.", action, quoted(node_id))

    hook.bear("operate_node", attempt)


def find_node(hook: SopsHook, sops_task_id: int, node_id: str) -> NodeStatus | None:
    """Return how a node looks now, past the server's cache; ``None`` if the flow has not reached it."""
    status = hook.get_task_status(sops_task_id, fresh=True)
    return next((node for _, node in status.walk() if node.id == node_id), None)


def retry_node(
    hook: SopsHook,
    sops_task_id: int,
    node: NodeStatus,
    log: TaskLog,
    *,
    inputs: Mapping[str, Any] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> SopsError | None:
    """Retry a failed node, once for this failure, and return SOPS's refusal, if it was one.

    A refusal because somebody has retried or skipped the node meanwhile is none.

    :param inputs: new inputs in the place of all of the node's.
    :raises SopsError: SOPS could not be asked.
    """
    name = quoted(node.name or node.id)
    log.info("Retrying node %s of SOPS task %s.", name, sops_task_id)
    new_inputs = dict(inputs) if inputs else None
    try:
        act_on_node(hook, sops_task_id, node.id, "retry", log, before=node, sleep=sleep, inputs=new_inputs)
    except SopsInvalidOperationError as error:
        if _looks(find_node(hook, sops_task_id, node.id)) != _looks(node):
            log.info("Node %s needs no retry: it has been retried or skipped in SOPS meanwhile.", name)
            return None
        log.warning("SOPS does not retry node %s: %s", name, error)
        return error
    return None


def _looks(node: NodeStatus | None) -> tuple[object, ...] | None:
    """Return what an action on a node changes, and what tells a failure of it from an earlier or a later one."""
    return None if node is None else (node.mark, node.skip, node.start_time_text)

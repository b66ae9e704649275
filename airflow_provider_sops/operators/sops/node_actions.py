"""Acting on a node at the moment when it has just come into its state."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import tenacity

from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidOperationError
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


def retry_node(
    hook: SopsHook,
    sops_task_id: int,
    node: NodeStatus,
    log: TaskLog,
    *,
    inputs: Mapping[str, Any] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> SopsError | None:
    """Retry a failed node and return SOPS's refusal, if it was one.

    A retry whose answer was lost is sent again only if the node still shows the failure that it was sent for.

    :param inputs: new inputs in the place of all of the node's.
    :raises SopsError: SOPS could not be asked.
    """
    name = quoted(node.name or node.id)
    log.info("Retrying node %s of SOPS task %s.", name, sops_task_id)

    def attempt() -> None:
        try:
            operate_node(hook, sops_task_id, node.id, "retry", inputs=dict(inputs) if inputs else None, sleep=sleep)
        except SopsInvalidOperationError:
            raise
        except SopsError as error:
            if not error.outcome_unknown:
                raise
            # An accepted retry shows some moments later.
            sleep(_SHOWS_SECONDS)
            failed = hook.get_task_status(sops_task_id, fresh=True).failed_nodes
            if any(now.id == node.id and _failure(now) == _failure(node) for now in failed):
                raise
            log.warning("The answer to the retry of node %s was lost, but SOPS has retried it.", name)

    try:
        hook.bear("operate_node", attempt)
    except SopsInvalidOperationError as error:
        log.warning("SOPS does not retry node %s: %s", name, error)
        return error
    return None


def _failure(node: NodeStatus) -> tuple[object, ...]:
    """Return what tells a failure of a node from an earlier or a later one."""
    return node.retry, node.loop, node.start_time

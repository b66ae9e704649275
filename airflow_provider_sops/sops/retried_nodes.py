"""Whether SOPS will retry a failed node automatically. The signs differ between server versions.

- 3.33 and newer say so in ``auto_retry_status``, 3.29 to 3.32 in ``failed_node_info``. Both are in
  ``TaskStatus.auto_retry_pending``.
- 3.24 to 3.28 retry without reporting it. The task's tree has the number of retries and the interval, the status the
  retries so far and the time of the failure.
- Older servers never retry automatically; their trees have no ``auto_retry``.

So a missing field alone proves nothing. Nor does the tree prove that a retry will come: manual retries count in the
status too, and the server keeps its own count, which may be used up. A retry is therefore expected for at most the
node's interval plus a margin. If the tree could not be read, the node may have any settings; after the longest interval
that a server allows, it will not be retried either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.sops.models import NodeStatus, TaskState, TaskStatus
from airflow_provider_sops.sops.pipeline_tree.nodes import LONGEST_INTERVAL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus
    from airflow_provider_sops.sops.pipeline_tree import TreeIndex


#: How much later than its interval a retry may show: SOPS queues it, and its times are whole seconds.
MARGIN_SECONDS = 30.0


class FailureAges:
    """Remembers when each failure of a task was first seen."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def at(self, now: float, status: TaskStatus) -> dict[str, float]:
        """Return how many seconds ago each failure in a status was first seen, by node id."""
        failed = {node.mark: node.id for node in status.failed_nodes}
        self._seen = {mark: self._seen.get(mark, now) for mark in failed}
        return {node_id: now - self._seen[mark] for mark, node_id in failed.items()}


def expects_auto_retry(
    status: TaskStatus, tree: TreeIndex | None, failure_ages: Mapping[str, float] | None = None
) -> bool:
    """Return whether SOPS will, or may, automatically retry a failed node of a FAILED task.

    :param status: the answer to a request for details that bypassed the server's cache.
    :param tree: the task's tree, if known.
    :param failure_ages: how many seconds ago each failure was first seen, by node id. Used if the status does not say
        when a node failed.
    """
    if status.auto_retry_pending is not None:
        return status.auto_retry_pending
    ages = failure_ages or {}
    return any(_may_be_retried(node, tree, _age(status, node, ages)) for node in status.failed_nodes)


def needs_tree(status: TaskStatus, tree: TreeIndex | None) -> bool:
    """Return whether the task's tree is needed to decide, and not known yet.

    :param status: the answer to a request for details.
    :param tree: the task's tree, if known.
    """
    if status.state != TaskState.FAILED or status.auto_retry_pending is not None:
        return False
    return any(tree is None or tree.get(node.id) is None for node in status.failed_nodes)


def _may_be_retried(node: NodeStatus, tree: TreeIndex | None, age_seconds: float) -> bool:
    known = tree.get(node.id) if tree is not None else None
    if known is None:
        return age_seconds < LONGEST_INTERVAL_SECONDS + MARGIN_SECONDS
    if node.retry >= known.auto_retry_times:
        return False
    return age_seconds < known.auto_retry_interval_seconds + MARGIN_SECONDS


def _age(status: TaskStatus, node: NodeStatus, seen: Mapping[str, float]) -> float:
    """Return how many seconds a node has been FAILED, at least.

    The answer contains the server's clock: the root's ``elapsed_time`` keeps running until the task ends. So neither
    clock differences nor a wait that began late matter.
    """
    age = seen.get(node.id, 0.0)
    began, failed = status.start_time, node.finish_time
    if began is not None and failed is not None:
        age = max(age, int((began - failed).total_seconds()) + status.elapsed_seconds)
    return age


def may_be_repaired(status: TaskStatus) -> bool:
    """Whether ``repaired_nodes`` may find any, so that reading the task's tree is worthwhile."""
    return any(node.skip or node.retry for _, node in status.walk())


def repaired_nodes(status: TaskStatus, tree: TreeIndex) -> tuple[NodeStatus, ...]:
    """Return the nodes that someone skipped or retried, including those in subprocesses.

    A retry sent through the API counts, whoever sent it. In a loop only a node's last round is visible.

    :param tree: the *task's* tree.
    """
    return tuple(node for _, node in status.walk() if _is_skipped(node, tree) or _is_retried(node, tree))


def _is_skipped(node: NodeStatus, tree: TreeIndex) -> bool:
    known = tree.get(node.id)
    limit = known.timeout_skip_seconds if known else None
    # SOPS skips a running node at its time limit. A node skipped earlier had failed.
    return node.skip and (limit is None or node.elapsed_seconds < limit)


def _is_retried(node: NodeStatus, tree: TreeIndex) -> bool:
    known = tree.get(node.id)
    return node.retry > (known.auto_retry_times if known else 0)

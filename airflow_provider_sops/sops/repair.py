"""Whether a person has repaired a task by skipping or retrying failed nodes.

A status does not say who did it. But it counts each node's retries, and the tree says how many of them are automatic
and which nodes SOPS skips on a timeout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.sops.auto_retry import MOST_AUTO_RETRIES

if TYPE_CHECKING:
    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus
    from airflow_provider_sops.sops.pipeline_tree import TreeIndex


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
    return node.retry > min(known.auto_retry_times if known else 0, MOST_AUTO_RETRIES)

"""Whether a person has repaired a task: skipped or retried nodes of it that had failed.

A status does not say who did that. But it counts each node's retries, the tree says how many of them are SOPS's own,
and which nodes SOPS skips by itself once they run too long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.sops.auto_retry import MOST_AUTO_RETRIES

if TYPE_CHECKING:
    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus
    from airflow_provider_sops.sops.pipeline_tree import TreeIndex


def may_be_repaired(status: TaskStatus) -> bool:
    """Whether ``repaired_nodes`` can find any, so that it pays to read the task's tree."""
    return any(node.skip or node.retry for _, node in status.walk())


def repaired_nodes(status: TaskStatus, tree: TreeIndex) -> tuple[NodeStatus, ...]:
    """Return the nodes that somebody has skipped or retried, those inside subprocesses too.

    A retry counts whoever has sent it by the API. In a loop a node's last round alone is seen.

    :param tree: the *task's* tree.
    """
    return tuple(node for _, node in status.walk() if _is_skipped(node, tree) or _is_retried(node, tree))


def _is_skipped(node: NodeStatus, tree: TreeIndex) -> bool:
    known = tree.get(node.id)
    limit = known.timeout_skip_seconds if known else None
    # SOPS skips a node that is running at its limit. One that was skipped sooner had failed before.
    return node.skip and (limit is None or node.elapsed_seconds < limit)


def _is_retried(node: NodeStatus, tree: TreeIndex) -> bool:
    known = tree.get(node.id)
    return node.retry > min(known.auto_retry_times if known else 0, MOST_AUTO_RETRIES)

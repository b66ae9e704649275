"""Task groups and labelled edges of a flow's DAG."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import TaskGroup

from airflow_provider_sops.dag_generator.task_ids import stage_id
from airflow_provider_sops.service.text import visible
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Gateway
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree import PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.graph import Edge
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node


def task_group(group_id: str, display_name: str) -> TaskGroup:
    """Return a new task group with a display name of any characters."""
    if AIRFLOW_V_3_0_PLUS:
        return TaskGroup(group_id, group_display_name=display_name)
    return TaskGroup(group_id, tooltip=display_name)


class StageGroups:
    """The task groups of the stages of a flow's nodes.

    :param wanted: whether to create them.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._groups: dict[tuple[str, ...], TaskGroup] = {}

    def of(self, node: Node) -> AbstractContextManager[Any]:
        """Return the group of a node's task, if there is one."""
        group_id = stage_id(node) if self._wanted else ""
        if not group_id or not isinstance(node, Activity):
            return nullcontext()
        place = (*node.key[:-1], group_id)
        if place not in self._groups:
            self._groups[place] = task_group(group_id, visible(node.stage_name))
        return self._groups[place]


def label_of_edge(tree: PipelineTree, edge: Edge) -> str:
    """Return an edge's label; empty for an edge without a condition."""
    node = tree.nodes[edge.source]
    condition = node.conditions.get(edge.sequence_flow.id) if isinstance(node, Gateway) else None
    if condition is None:
        return ""
    return visible(condition.name or condition.evaluate) or ("default" if condition.is_default else "")

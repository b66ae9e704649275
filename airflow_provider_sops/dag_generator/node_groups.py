"""The task groups of subprocesses and stages, and the ids of what is in them.

Airflow 3.3 shows nothing of a DAG, neither in the grid nor in the graph, if its groups lead to each other in a circle.
That is so where a flow comes back to a stage after another one, or after a gateway, which has no stage. Then the stage
has several groups. The ids of the tasks are the same, whatever the group: so all but the first are no prefix, nor are
the groups in them, and their tasks are given whole ids.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.dag_generator.building import task_group
from airflow_provider_sops.dag_generator.task_ids import stage_id
from airflow_provider_sops.service.text import visible
from airflow_provider_sops.sops.pipeline_tree.graph import strong_components
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import TaskGroup

    from airflow_provider_sops.dag_generator.task_ids import TaskName
    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node

#: Airflow's limit for the id of a group.
_LONGEST_GROUP_ID = 200


class NodeGroups:
    """The task groups of a flow, made when they are first asked for.

    :param tree: the flow.
    :param names: of its nodes.
    :param stages: whether the nodes of each stage form a group.
    """

    def __init__(self, tree: PipelineTree, names: Mapping[NodeKey, TaskName], *, stages: bool) -> None:
        self._names = names
        self._numbers: dict[NodeKey, int] = {}
        self._stages: dict[tuple[NodeKey, str, int], TaskGroup] = {}
        for path in tree.levels if stages else ():
            self._numbers |= _numbers_of_groups(tree, path)

    def stage(self, node: Node) -> AbstractContextManager[Any]:
        """Return the group of a node's stage, if there is one."""
        number = self._numbers.get(node.key)
        if number is None or not isinstance(node, Activity):
            return nullcontext()
        path, group_id, name = node.key[:-1], stage_id(node), visible(node.stage_name)
        found = self._stages.get((path, group_id, number))
        if found is None:
            if number > 1:
                group_id, name = f"{group_id}_{number}", f"{name} ({number})"
            around = f"{self._names[path].full_task_id}." if path else ""
            found = self._group(path, group_id, name, whole_id=around + group_id, is_prefix=number == 1)
            self._stages[path, stage_id(node), number] = found
        return found

    def subprocess(self, node: Node) -> TaskGroup:
        """Return a group for what is inside a subprocess."""
        name = self._names[node.key]
        return self._group(node.key, name.task_id, name.display_name, whole_id=name.full_task_id)

    def id_of(self, node: Node, ending: str = "") -> str:
        """Return the id to give to a node's task inside its groups.

        :param ending: what the id has besides.
        """
        name = self._names[node.key]
        return (name.full_task_id if self._has_whole_ids(node.key) else name.task_id) + ending

    def id_inside(self, path: NodeKey, task_id: str) -> str:
        """Return the id to give to a task that a level has besides those of its nodes."""
        return f"{self._names[path].full_task_id}.{task_id}" if path and self._has_whole_ids(path) else task_id

    def _has_whole_ids(self, key: NodeKey) -> bool:
        """Whether a stage around a node, or its own, is no prefix."""
        return any(self._numbers.get(key[:depth], 1) > 1 for depth in range(1, len(key) + 1))

    def _group(self, path: NodeKey, group_id: str, name: str, *, whole_id: str, is_prefix: bool = True) -> TaskGroup:
        if not self._has_whole_ids(path):
            return task_group(group_id, name, is_prefix=is_prefix)
        # Airflow takes no dot in what a group is given.
        return task_group(whole_id.replace(".", "__")[-_LONGEST_GROUP_ID:], name, is_prefix=False)


def _numbers_of_groups(tree: PipelineTree, path: NodeKey) -> dict[NodeKey, int]:
    """Return which of its stage's groups each node of a level is in, from 1 on; nodes without a stage are left out."""
    order = tree.graph.order_in[path]
    stages = {key: stage_id(tree.nodes[key]) for key in order}
    if not AIRFLOW_V_3_3_PLUS:
        return {key: 1 for key in order if stages[key]}
    # Nodes without a stage stand for themselves.
    places: dict[NodeKey, str | NodeKey] = {key: stages[key] or key for key in order}
    targets: dict[str | NodeKey, list[str | NodeKey]] = {place: [] for place in places.values()}
    # How often the flow has changed its place on the longest way to a node. Between groups that differ in that, no way
    # leads back.
    changes = dict.fromkeys(order, 0)
    for key in order:
        for edge in tree.graph.incoming[key]:
            if edge.is_back:
                continue
            is_change = places[edge.source] != places[key]
            changes[key] = max(changes[key], changes[edge.source] + is_change)
            if is_change:
                targets[places[edge.source]].append(places[key])
    circles = [component for component in strong_components(targets, targets) if len(component) > 1]
    split = {place for component in circles for place in component}
    marks = {key: changes[key] if places[key] in split else 0 for key in order}
    found: dict[str, set[int]] = {}
    for key in order:
        found.setdefault(stages[key], set()).add(marks[key])
    numbers = {stage: {mark: number for number, mark in enumerate(sorted(each), 1)} for stage, each in found.items()}
    return {key: numbers[stages[key]][marks[key]] for key in order if stages[key]}

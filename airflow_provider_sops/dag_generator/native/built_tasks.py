"""The tasks of a flow's nodes, and the edges between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import EdgeModifier

from airflow_provider_sops.dag_generator.building import label_of_edge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sops.dag_generator.native.gateway_tasks import ChoiceOperator
    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.graph import Edge
    from airflow_provider_sops.sops.pipeline_tree.regions import Region


class BuiltTasks:
    """Knows the first and the last task of each node; all nodes of a loop have the loop's task.

    :param tree: the flow.
    """

    def __init__(self, tree: PipelineTree) -> None:
        self._tree = tree
        self._first: dict[NodeKey, Any] = {}
        self._last: dict[NodeKey, Any] = {}
        self._choices: dict[NodeKey, ChoiceOperator] = {}
        self._deciding: list[tuple[dict[str, str], Region]] = []

    def __contains__(self, key: NodeKey) -> bool:
        return key in self._first

    def all(self) -> list[Any]:
        """Return the first and the last task of each node; a task may be in the list several times."""
        return [*self._first.values(), *self._last.values()]

    def add(self, key: NodeKey, first: Any, last: Any | None = None) -> None:
        """Add a node.

        :param last: default: ``first``.
        """
        self._first[key] = first
        self._last[key] = first if last is None else last

    def add_choice(self, key: NodeKey, choice: ChoiceOperator, task: Any) -> None:
        """Add a node that a run may leave out.

        :param choice: leads the flow around the node's task.
        """
        self.add(key, choice, task)
        self._choices[key] = choice

    def add_deciding(self, region: Region, targets: dict[str, str]) -> None:
        """Add a region that decides which way the flow goes.

        :param targets: ``connect_level`` fills it with the ids of the tasks behind the region's exits, by the ids of
            the sequence flows.
        """
        self._deciding.append((targets, region))

    def rule_before(self, keys: Iterable[NodeKey], *, extra: int = 0) -> str:
        """Return the trigger rule of the task of some nodes; the nodes before them need not be built yet.

        :param extra: how many upstream tasks it has besides those in the tree.
        """
        keys = set(keys)
        before = {
            edge.source
            for key in keys
            for edge in self._tree.graph.incoming[key]
            if edge.source not in keys and not edge.is_back
        }
        tasks = {self.representative(key) for key in before}
        count = len(tasks) + sum(key in self._choices for key in before) + extra
        return "none_failed_min_one_success" if count > 1 else "all_success"

    def representative(self, key: NodeKey) -> NodeKey:
        """Return the node whose task stands for a node: the first one of its loop, or the node itself."""
        loop = self._tree.graph.loop_of.get(key)
        return loop.nodes[0] if loop is not None and key in loop.nodes else key

    def connect_level(self, path: NodeKey) -> None:
        """Connect the tasks of a level once all are built."""
        graph = self._tree.graph
        for key in graph.order_in[path]:
            for edge in graph.outgoing[key]:
                self._connect(edge)
        for targets, region in self._deciding:
            if region.path == path:
                targets |= {edge.sequence_flow.id: self._first[edge.target].task_id for edge in region.exits}

    def _connect(self, edge: Edge) -> None:
        source, target = self._last.get(edge.source), self._first.get(edge.target)
        if edge.is_back or source is None or target is None or source is target:
            return
        label = label_of_edge(self._tree, edge)
        source.set_downstream(target, EdgeModifier(label) if label else None)
        if choice := self._choices.get(edge.source):
            choice.set_downstream(target, EdgeModifier("left out"))

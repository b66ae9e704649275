"""Look-up of a tree's nodes by id: what a node is called, which plugin it runs, what comes behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.models.reading import read_mapping
from airflow_provider_sops.sops.pipeline_tree.levels import Level, read_levels
from airflow_provider_sops.sops.pipeline_tree.nodes import HUMAN_PLUGINS, Activity, SubProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node of a tree.

    :param type: SOPS's word, such as ``ServiceActivity`` or ``ExclusiveGateway``.
    :param plugin: the component code of an activity, else empty.
    :param template_node_id: an activity's id in the template; empty for gateways, events and old servers' tasks.
    :param sources: ids of the nodes right before it, on its own level.
    :param targets: ids of the nodes right behind it, on its own level.
    """

    id: str
    name: str
    type: str
    plugin: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    template_node_id: str = ""

    @property
    def waits_for_person(self) -> bool:
        """Whether the node, once it runs, waits for somebody to act in SOPS."""
        return self.plugin in HUMAN_PLUGINS


class TreeIndex:
    """Every node of a tree by id, nodes of subprocesses included unless they run in a task of their own.

    Reads trees of every age. What it cannot read it leaves out: an index serves messages and waiting, it does not
    validate.

    :param tree: a ``pipeline_tree`` as create_task, get_task_detail or get_template_info give it.
    """

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._nodes = {node.id: node for node in _nodes_of_one_task(read_mapping(tree))}

    @classmethod
    def of_plugins(cls, plugins: Mapping[str, str]) -> TreeIndex:
        """Return an index that knows of some activities which plugin they run, and nothing else.

        :param plugins: the component code by node id.
        """
        index = cls({})
        index._nodes = {
            node_id: TreeNode(node_id, "", "ServiceActivity", plugin, (), ()) for node_id, plugin in plugins.items()
        }
        return index

    def renamed(self, rename: Callable[[str], str]) -> TreeIndex:
        """Return an index in which the nodes have other names."""
        index = TreeIndex({})
        index._nodes = {node.id: replace(node, name=rename(node.name)) for node in self}
        return index

    @property
    def human_plugins(self) -> dict[str, str]:
        """The plugins of the nodes that wait for people, by node id; all that a wait needs as long as nothing fails."""
        return {node.id: node.plugin for node in self if node.waits_for_person}

    def get(self, node_id: str) -> TreeNode | None:
        """Return the node with this id, or ``None``."""
        return self._nodes.get(node_id)

    def __iter__(self) -> Iterator[TreeNode]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)


def _nodes_of_one_task(tree: Mapping[str, Any]) -> Iterator[TreeNode]:
    elsewhere: set[tuple[str, ...]] = set()
    for level in read_levels(tree):
        if level.path in elsewhere:
            elsewhere.update(node.key for node in level.nodes.values())
            continue
        for node in level.nodes.values():
            if isinstance(node, SubProcess) and node.independent:
                elsewhere.add(node.key)
        yield from _nodes_of_level(level)


def _nodes_of_level(level: Level) -> Iterator[TreeNode]:
    for node in level.nodes.values():
        yield TreeNode(
            id=node.id,
            name=node.name,
            type=node.type,
            plugin=node.plugin if isinstance(node, Activity) else "",
            sources=tuple(flow.source for flow in level.incoming[node.id]),
            targets=tuple(flow.target for flow in level.outgoing[node.id]),
            template_node_id=node.template_node_id if isinstance(node, Activity) else "",
        )

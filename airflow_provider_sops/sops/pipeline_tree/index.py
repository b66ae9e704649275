"""Look-up of a tree's nodes by id: what a node is called, which plugin it runs, what comes behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.models.reading import read_mapping, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Plugins that wait for a person. SOPS calls such a node RUNNING like any other.
HUMAN_PLUGINS = frozenset({"pause_node", "bk_approve"})

CONVERGE_GATEWAY = "ConvergeGateway"
PARALLEL_GATEWAY = "ParallelGateway"


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
    """Every node of a tree by id, nodes of subprocesses included.

    Reads trees of every age. What it cannot read it leaves out: an index serves messages and waiting, it does not
    validate.

    :param tree: a ``pipeline_tree`` as create_task, get_task_detail or get_template_info give it.
    """

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._nodes = {node.id: node for node in _read_level(read_mapping(tree))}

    def get(self, node_id: str) -> TreeNode | None:
        """Return the node with this id, or ``None``."""
        return self._nodes.get(node_id)

    def __iter__(self) -> Iterator[TreeNode]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)


def _read_level(tree: Mapping[str, Any]) -> Iterator[TreeNode]:
    sources, targets = _read_flows(tree)
    activities = read_mapping(tree.get("activities"))
    events = {
        read_text(event.get("id")): event
        for event in (read_mapping(tree.get("start_event")), read_mapping(tree.get("end_event")))
    }
    for node_id, data in {**events, **activities, **read_mapping(tree.get("gateways"))}.items():
        if not node_id:
            continue
        node = read_mapping(data)
        yield TreeNode(
            id=node_id,
            name=read_text(node.get("name")),
            type=read_text(node.get("type")),
            plugin=read_text(read_mapping(node.get("component")).get("code")),
            sources=tuple(sources.get(node_id, ())),
            targets=tuple(targets.get(node_id, ())),
            template_node_id=read_text(node.get("template_node_id")),
        )
    for activity in activities.values():
        yield from _read_level(read_mapping(read_mapping(activity).get("pipeline")))


def _read_flows(tree: Mapping[str, Any]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    sources: dict[str, list[str]] = {}
    targets: dict[str, list[str]] = {}
    for flow in map(read_mapping, read_mapping(tree.get("flows")).values()):
        source, target = read_text(flow.get("source")), read_text(flow.get("target"))
        sources.setdefault(target, []).append(source)
        targets.setdefault(source, []).append(target)
    return sources, targets

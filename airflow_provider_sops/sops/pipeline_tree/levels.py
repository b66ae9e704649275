"""One level of a tree: the flow itself, or the flow inside one subprocess."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.sops.pipeline_tree.nodes import (
    Activity,
    Gateway,
    Node,
    NodeKey,
    SubProcess,
    inner_tree,
    read_activity,
    read_event,
    read_gateway,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Flow:
    """A line from one node to another of the same level.

    :param label: what to write beside it: the condition's name, else its expression; empty for plain flows.
    :param evaluate: the expression under which a gateway takes it; empty for plain and default flows.
    :param is_default: whether a gateway takes it when no expression is true.
    """

    id: str
    source: str
    target: str
    label: str = ""
    evaluate: str = ""
    is_default: bool = False


@dataclass(frozen=True)
class Level:
    """The nodes and flows of one level, by id.

    :param path: key of the subprocess around it; empty for the outermost level.
    :param nodes: by id: start event, end event, activities, gateways.
    :param flows: by id; flows that name no node of this level are among them.
    :param raw: the tree of this level as it was read.
    """

    path: NodeKey
    nodes: Mapping[str, Node] = field(repr=False)
    flows: Mapping[str, Flow] = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def start_id(self) -> str:
        """Id of the start event; empty if there is none."""
        return read_text(read_mapping(self.raw.get("start_event")).get("id"))

    @property
    def end_id(self) -> str:
        """Id of the end event; empty if there is none."""
        return read_text(read_mapping(self.raw.get("end_event")).get("id"))

    @property
    def constants(self) -> Mapping[str, Any]:
        """The level's constants as they stand in the tree, by ``${key}``."""
        return read_mapping(self.raw.get("constants"))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Keys of the constants that the level gives out."""
        return tuple(map(read_text, read_list(self.raw.get("outputs"))))

    @cached_property
    def outgoing(self) -> Mapping[str, tuple[Flow, ...]]:
        """The flows that leave each node, in the order in which the node lists them; only flows between its nodes."""
        return self._grouped(lambda flow: flow.source, lambda node: node.outgoing)

    @cached_property
    def incoming(self) -> Mapping[str, tuple[Flow, ...]]:
        """The flows that lead to each node, likewise."""
        return self._grouped(lambda flow: flow.target, lambda node: node.incoming)

    def _grouped(
        self, end_of: Callable[[Flow], str], listed_by: Callable[[Node], tuple[str, ...]]
    ) -> Mapping[str, tuple[Flow, ...]]:
        found: dict[str, dict[str, Flow]] = {node_id: {} for node_id in self.nodes}
        for flow in self.flows.values():
            if flow.source in found and flow.target in found:
                found[end_of(flow)][flow.id] = flow
        return {node_id: _in_order(flows, listed_by(self.nodes[node_id])) for node_id, flows in found.items()}


def _in_order(flows: Mapping[str, Flow], listed: tuple[str, ...]) -> tuple[Flow, ...]:
    return tuple(flows[flow_id] for flow_id in dict.fromkeys((*listed, *flows)) if flow_id in flows)


def read_levels(tree: Mapping[str, Any]) -> Iterator[Level]:
    """Yield the levels of a tree, each before those inside it.

    Reads trees of every age and never raises: what it cannot read it leaves out.
    """
    waiting: list[tuple[Mapping[str, Any], NodeKey]] = [(tree, ())]
    while waiting:
        raw, path = waiting.pop()
        level = _read_level(raw, path)
        yield level
        inner = [
            (inner_tree(node.raw), node.key)
            for node in level.nodes.values()
            if isinstance(node, SubProcess) and node.unfolded
        ]
        waiting.extend(reversed(inner))


def _read_level(raw: Mapping[str, Any], path: NodeKey) -> Level:
    nodes: dict[str, Node] = {}
    for event in (read_mapping(raw.get("start_event")), read_mapping(raw.get("end_event"))):
        nodes.setdefault(read_text(event.get("id")), read_event(event, path))
    for activity in _read_activities(read_mapping(raw.get("activities")), path):
        nodes[activity.id] = activity
    for node_id, gateway in read_mapping(raw.get("gateways")).items():
        nodes[read_text(node_id)] = read_gateway(read_text(node_id), read_mapping(gateway), path)
    nodes.pop("", None)
    return Level(path, nodes, _read_flows(raw, nodes), raw)


def _read_activities(activities: Mapping[str, Any], path: NodeKey) -> Iterator[Activity]:
    """Key each by its origin, or where a copied node carries another's origin, by its own id."""
    raws = {read_text(node_id): read_mapping(raw) for node_id, raw in activities.items()}
    origins = {node_id: read_text(raw.get("template_node_id")) or node_id for node_id, raw in raws.items()}
    owners = Counter(origins.values())
    for node_id, raw in raws.items():
        origin = origins[node_id] if owners[origins[node_id]] == 1 else node_id
        yield read_activity(node_id, raw, (*path, origin))


def _read_flows(raw: Mapping[str, Any], nodes: Mapping[str, Node]) -> dict[str, Flow]:
    flows = {}
    for key, value in read_mapping(raw.get("flows")).items():
        flow_id, flow = read_text(key), read_mapping(value)
        source = read_text(flow.get("source"))
        gateway = nodes.get(source)
        condition = gateway.conditions.get(flow_id) if isinstance(gateway, Gateway) else None
        flows[flow_id] = Flow(
            id=flow_id,
            source=source,
            target=read_text(flow.get("target")),
            label=(condition.name or condition.evaluate) if condition else "",
            evaluate=condition.evaluate if condition else "",
            is_default=bool(condition and condition.is_default),
        )
    return flows

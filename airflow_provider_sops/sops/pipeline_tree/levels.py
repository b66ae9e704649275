"""One level of a tree: the flow itself, or the flow inside one subprocess."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.sops.pipeline_tree.node_reading import (
    inner_tree,
    read_activity,
    read_conditions,
    read_event,
    read_gateway,
    read_ids,
)
from airflow_provider_sops.sops.pipeline_tree.nodes import (
    SERVICE_ACTIVITY,
    Activity,
    Component,
    Node,
    NodeKey,
    SubProcess,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    _Reader = Callable[[str, NodeKey, Mapping[str, Any], Mapping[str, tuple[str, ...]]], Node]


@dataclass(frozen=True, slots=True)
class SequenceFlow:
    """An arrow from one node to another of the same level.

    :param label: what to write beside it: the condition's name, else its expression; empty where there is none.
    :param evaluate: the expression under which a gateway takes it; empty where there is none.
    :param is_default: whether a gateway takes it when no expression is true.
    """

    id: str
    source: str
    target: str
    label: str = ""
    evaluate: str = ""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """The nodes and sequence flows of one level, by id.

    :param path: key of the subprocess around it; empty for the outermost level.
    :param nodes: by id: start event, end event, activities, gateways.
    :param sequence_flows: by id, including those that begin or end at no node of this level.
    :param outgoing: the sequence flows that leave each node, in the order in which the node lists them; only those
        between nodes of this level.
    :param incoming: the sequence flows that lead to each node, likewise.
    :param raw: the tree of this level as it was read.
    """

    path: NodeKey
    nodes: Mapping[str, Node] = field(repr=False)
    sequence_flows: Mapping[str, SequenceFlow] = field(repr=False)
    outgoing: Mapping[str, tuple[SequenceFlow, ...]] = field(repr=False)
    incoming: Mapping[str, tuple[SequenceFlow, ...]] = field(repr=False)
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
        """Keys of the constants that are outputs of the level."""
        return tuple(map(read_text, read_list(self.raw.get("outputs"))))

    @property
    def targets(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes right behind each node, the start event's first."""
        return {node_id: node.targets for node_id, node in self.nodes.items()}


class TreeIndex:
    """The nodes of one task by id, including those of subprocesses unless they run as tasks of their own.

    :param tree: a ``pipeline_tree`` as create_task, get_task_detail or get_template_info give it. What cannot be read
        is left out: an index serves messages and waits, it does not validate.
    """

    def __init__(self, tree: Mapping[str, Any]) -> None:
        levels = read_levels(read_mapping(tree), independent=False)
        self._nodes = {node.id: node for level in levels for node in level.nodes.values()}

    @classmethod
    def of_plugins(cls, plugins: Mapping[str, str]) -> TreeIndex:
        """Return an index that knows the plugins of some activities, and nothing else.

        :param plugins: the component code by node id.
        """
        index = cls({})
        index._nodes = {
            node_id: Activity(node_id, (node_id,), SERVICE_ACTIVITY, component=Component(plugin))
            for node_id, plugin in plugins.items()
        }
        return index

    def renamed(self, rename: Callable[[str], str]) -> TreeIndex:
        """Return an index in which the nodes have other names."""
        index = TreeIndex({})
        index._nodes = {node.id: replace(node, name=rename(node.name)) for node in self}
        return index

    @property
    def human_plugins(self) -> dict[str, str]:
        """The plugins of the nodes that wait for people, by node id: all that a wait needs while nothing fails."""
        return {node.id: node.plugin for node in self if node.waits_for_person}

    def get(self, node_id: str) -> Node | None:
        """Return the node with this id, or ``None``."""
        return self._nodes.get(node_id)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)


def read_levels(tree: Mapping[str, Any], *, independent: bool = True) -> Iterator[Level]:
    """Yield the levels of a tree, each before those inside it.

    Reads trees of every age and never raises: what cannot be read is left out.

    :param independent: whether to read the levels inside subprocesses that run as tasks of their own, too.
    """
    waiting: list[tuple[Mapping[str, Any], NodeKey]] = [(tree, ())]
    while waiting:
        raw, path = waiting.pop()
        level = _read_level(raw, path)
        yield level
        inner = [
            (inner_tree(node.raw), node.key)
            for node in level.nodes.values()
            if isinstance(node, SubProcess) and node.unfolded and (independent or not node.independent)
        ]
        waiting.extend(reversed(inner))


def _read_level(raw: Mapping[str, Any], path: NodeKey) -> Level:
    found = _raw_nodes(raw, path)
    sequence_flows = _read_sequence_flows(raw)
    between = [each for each in sequence_flows.values() if each.source in found and each.target in found]
    outgoing_ids = {node_id: read_ids(node.get("outgoing")) for node_id, (_, _, node) in found.items()}
    incoming_ids = {node_id: read_ids(node.get("incoming")) for node_id, (_, _, node) in found.items()}
    outgoing = _grouped(between, lambda each: each.source, outgoing_ids)
    incoming = _grouped(between, lambda each: each.target, incoming_ids)
    nodes = {}
    for node_id, (read, key, node) in found.items():
        links = {
            "incoming": incoming_ids[node_id],
            "outgoing": outgoing_ids[node_id],
            "sources": tuple(each.source for each in incoming[node_id]),
            "targets": tuple(each.target for each in outgoing[node_id]),
        }
        nodes[node_id] = read(node_id, key, node, links)
    return Level(path, nodes, sequence_flows, outgoing, incoming, raw)


def _raw_nodes(raw: Mapping[str, Any], path: NodeKey) -> dict[str, tuple[_Reader, NodeKey, Mapping[str, Any]]]:
    """Return how each node is read, its key and its raw form, by id, the start event first."""
    found: dict[str, tuple[_Reader, NodeKey, Mapping[str, Any]]] = {}
    for event in (read_mapping(raw.get("start_event")), read_mapping(raw.get("end_event"))):
        node_id = read_text(event.get("id"))
        found.setdefault(node_id, (read_event, (*path, node_id), event))
    activities = dict(_mappings(raw.get("activities")))
    origins = {node_id: read_text(node.get("template_node_id")) or node_id for node_id, node in activities.items()}
    owners = Counter(origins.values())
    for node_id, node in activities.items():
        # A copied node may carry another's origin: then both are known by their own ids.
        origin = origins[node_id] if owners[origins[node_id]] == 1 else node_id
        found[node_id] = (read_activity, (*path, origin), node)
    for node_id, node in _mappings(raw.get("gateways")):
        found[node_id] = (read_gateway, (*path, node_id), node)
    found.pop("", None)
    return found


def _read_sequence_flows(raw: Mapping[str, Any]) -> dict[str, SequenceFlow]:
    conditions = {gateway_id: read_conditions(gateway) for gateway_id, gateway in _mappings(raw.get("gateways"))}
    found = {}
    for flow_id, ends in _mappings(raw.get("flows")):
        source, target = read_text(ends.get("source")), read_text(ends.get("target"))
        condition = conditions[source].get(flow_id) if source in conditions else None
        if condition is None:
            found[flow_id] = SequenceFlow(flow_id, source, target)
        else:
            label = condition.name or condition.evaluate
            found[flow_id] = SequenceFlow(flow_id, source, target, label, condition.evaluate, condition.is_default)
    return found


def _grouped(
    sequence_flows: Iterable[SequenceFlow],
    end_of: Callable[[SequenceFlow], str],
    listed: Mapping[str, tuple[str, ...]],
) -> dict[str, tuple[SequenceFlow, ...]]:
    """Return the sequence flows at each node, in the order in which it lists them.

    :param end_of: returns the node at which a sequence flow counts.
    :param listed: ids of sequence flows, by the node that lists them.
    """
    found: dict[str, dict[str, SequenceFlow]] = {node_id: {} for node_id in listed}
    for each in sequence_flows:
        found[end_of(each)][each.id] = each
    return {
        node_id: tuple(here[flow_id] for flow_id in dict.fromkeys((*listed[node_id], *here)) if flow_id in here)
        for node_id, here in found.items()
    }


def _mappings(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, each in read_mapping(value).items():
        yield read_text(key), read_mapping(each)

"""Regions: the parts into which a flow can be cut so that each runs as a SOPS task of its own, with its own valid tree.

A region is one activity, one gateway that decides, or one whole loop. Parallel and converge gateways and events do
nothing by themselves and belong to no region.

In its own tree a region's nodes stay as they are, including their ids, so that SOPS makes these the
``template_node_id`` in the task. Where a region decides between exits, each exit leads to a marker, a node that only
writes a line: the marker that FINISHED tells which way SOPS has taken.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import nodes as node_types
from airflow_provider_sops.sops.pipeline_tree.node_reading import inner_tree
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from airflow_provider_sops.sops.pipeline_tree.pruning import without_activities
from airflow_provider_sops.sops.pipeline_tree.region_variables import own_outputs, plain_constant, region_constants
from airflow_provider_sops.sops.pipeline_tree.validity import label_of
from airflow_provider_sops.sops.pipeline_tree.variables import references, references_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from airflow_provider_sops.sops.pipeline_tree.graph import Edge
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node, NodeKey
    from airflow_provider_sops.sops.pipeline_tree.pruning import LevelGraph
    from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues
    from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree

_ID_DIGITS = 31
_FORKING = node_types.FORKS | {node_types.EXCLUSIVE_GATEWAY}
_GATEWAYS = _FORKING | {node_types.CONVERGE_GATEWAY}


@dataclass(frozen=True, slots=True)
class Region:
    """One part of one level.

    :param nodes: its nodes, in the graph's order. Nodes inside subprocesses among them belong to it too.
    :param exits: the edges that leave it. An activity, which decides nothing, has one.
    :param is_loop: whether its nodes lead back to each other.
    :param decides: whether SOPS chooses between the exits.
    """

    nodes: tuple[NodeKey, ...]
    exits: tuple[Edge, ...] = field(repr=False)
    is_loop: bool = False
    decides: bool = False

    @property
    def key(self) -> NodeKey:
        """Its first node, which names it."""
        return self.nodes[0]

    @property
    def path(self) -> NodeKey:
        """The level that it belongs to."""
        return self.key[:-1]


def regions_of(tree: PipelineTree, path: NodeKey) -> Iterator[Region]:
    """Yield the regions of one level, in the graph's order; a subprocess outside of loops is one as well.

    :param path: the level's path.
    """
    begun: set[NodeKey] = set()
    for key in tree.graph.order_in[path]:
        node = tree.nodes[key]
        loop = tree.graph.loop_of.get(key)
        if key in begun:
            continue
        if loop is not None and loop.nodes[0][:-1] == path:
            begun.update(loop.nodes)
            yield Region(loop.nodes, loop.exits, is_loop=True, decides=True)
        elif isinstance(node, Activity) or node.type in node_types.DECIDING:
            yield Region((key,), tree.graph.outgoing[key], decides=node.type in node_types.DECIDING)


def marker_id(flow_id: str) -> str:
    """Return the id of the marker at the exit that was this sequence flow."""
    return _id("marker", flow_id)


def cut_region(
    tree: PipelineTree, region: Region, known: KnownValues, *, excluded: Collection[str] = ()
) -> dict[str, Any]:
    """Return a region as a web tree.

    SOPS retries failed activities by itself only in a loop, whatever ``auto_retry`` says.

    :param known: what the variables of its level hold.
    :param excluded: ids of activities that the run leaves out; only those in a loop matter, since a loop stays.
    :raises SopsInvalidParameterError: a loop is entered at several places.
    """
    level = tree.levels[region.path]
    members = set(region.nodes)
    inside = [node for node in level.nodes.values() if node.key in members]
    left_out = {node.id for node in inside} & set(excluded) if region.is_loop else set()
    graph = without_activities(level, sorted(left_out))
    kept = [node for node in inside if node.id in graph.nodes]
    draft = _Draft()
    for node in kept:
        draft.add(_own_copy(node, server_retries=region.is_loop))
    draft.connect("start", _entry(region, kept, graph))
    ends = []
    for node in kept:
        for leaving in graph.outgoing[node.id]:
            if region.is_loop and leaving.target in draft.nodes:
                draft.connect(node.id, leaving.target, leaving.id)
            elif region.decides:
                ends.append(marker_id(leaving.id))
                draft.add(_display(ends[-1], "exit", leaving.id))
                draft.connect(node.id, ends[-1], leaving.id)
            else:
                ends.append(node.id)
    at_converge = not region.is_loop and kept[0].type == node_types.CONDITIONAL_PARALLEL_GATEWAY
    draft.connect_to_end(ends, at_converge=at_converge)
    own = own_outputs(level, kept)
    used = frozenset[str]().union(*map(references_of, kept))
    return draft.tree(region_constants(level, used, known, own), outputs=list(own))


def cut_values(level: Level, values: Mapping[str, Any], known: KnownValues) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a tree that has SOPS render values, and the output that each becomes.

    :param values: JSON values of the level, by any names.
    :return: the tree, and the keys of its outputs by these names.
    """
    draft = _Draft()
    node_id = _id("values", "/".join(level.path))
    draft.add(_display(node_id, "variables", ", ".join(values)))
    draft.connect("start", node_id)
    draft.connect_to_end([node_id])
    constants = region_constants(level, references(list(values.values())), known, {})
    names = {}
    for number, (name, value) in enumerate(values.items()):
        key = f"${{sops_value_{number}}}"
        while key in level.constants:
            key = f"{key[:-1]}_}}"
        constants[key] = {**plain_constant(key, copy.deepcopy(value)), "index": len(constants)}
        names[name] = key
    return draft.tree(constants, outputs=list(names.values())), names


class _Draft:
    """A web tree of one level under construction."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self._flows: dict[str, dict[str, Any]] = {}
        self._ids = {"start": _id("start"), "end": _id("end")}

    def add(self, raw: dict[str, Any]) -> None:
        self.nodes[raw["id"]] = raw

    def connect(self, source: str, target: str, flow_id: str = "") -> None:
        """Add a sequence flow between two nodes, or from ``start`` or to ``end``."""
        source, target = self._ids.get(source, source), self._ids.get(target, target)
        flow_id = flow_id or _id("flow", source, target)
        self._flows[flow_id] = {"id": flow_id, "source": source, "target": target, "is_default": False}

    def connect_to_end(self, ends: Sequence[str], *, at_converge: bool = False) -> None:
        """Lead the last nodes to the end.

        :param at_converge: whether they run side by side, so that they have to meet first.
        """
        target = "end"
        if at_converge:
            target = _id("converge")
            self.add({"id": target, "type": node_types.CONVERGE_GATEWAY, "name": ""})
            self.connect(target, "end")
        for node_id in dict.fromkeys(ends):
            self.connect(node_id, target)

    def tree(self, constants: Mapping[str, Any], *, outputs: Sequence[str]) -> dict[str, Any]:
        start = self._event("start", node_types.START_EVENT)
        end = self._event("end", node_types.END_EVENT)
        for node_id, node in self.nodes.items():
            node["incoming"], leaving = self._flow_ids("target", node_id), self._flow_ids("source", node_id)
            node["outgoing"] = leaving if node["type"] in _FORKING else leaving[0]
        is_gateway = {node_id: node["type"] in _GATEWAYS for node_id, node in self.nodes.items()}
        return {
            "start_event": {**start, "outgoing": self._flow_ids("source", start["id"])[0]},
            "end_event": {**end, "incoming": self._flow_ids("target", end["id"])},
            "activities": {node_id: node for node_id, node in self.nodes.items() if not is_gateway[node_id]},
            "gateways": {node_id: node for node_id, node in self.nodes.items() if is_gateway[node_id]},
            "flows": self._flows,
            "constants": dict(constants),
            "outputs": list(outputs),
            "line": [],
            "location": [],
        }

    def _event(self, which: str, event_type: str) -> dict[str, Any]:
        return {"id": self._ids[which], "type": event_type, "name": "", "incoming": "", "outgoing": ""}

    def _flow_ids(self, end: str, node_id: str) -> list[str]:
        return [flow_id for flow_id, ends in self._flows.items() if ends[end] == node_id]


def _entry(region: Region, kept: Sequence[Node], graph: LevelGraph) -> str:
    """Return the node at which a region is entered.

    :raises SopsInvalidParameterError: there are several.
    """
    if not region.is_loop:
        return kept[0].id
    inside = {node.id for node in kept}
    entries = [node.id for node in kept if any(arriving.source not in inside for arriving in graph.incoming[node.id])]
    if len(entries) != 1:
        names = ", ".join(label_of(graph.nodes[node_id]) for node_id in entries)
        raise SopsInvalidParameterError(
            f"the loop of {label_of(kept[0])} is entered at several places: {names}",
            advice='Change the flow so that it enters the loop at one place, or use mode="watch".',
        )
    return entries[0]


def _own_copy(node: Node, *, server_retries: bool) -> dict[str, Any]:
    raw = copy.deepcopy(dict(node.raw))
    raw["id"] = node.id
    raw.pop("converge_gateway_id", None)
    if isinstance(node, Activity):
        raw["template_node_id"] = node.key[-1]
        # SOPS fails where these are missing.
        raw.setdefault("optional", False)
        raw.setdefault("error_ignorable", False)
        if node.auto_retry and not server_retries:
            raw["auto_retry"] = {**raw["auto_retry"], "enable": False}
    if node.type == node_types.SUBPROCESS:
        raw["constants"] = _passed_constants(raw)
    return raw


def _passed_constants(subprocess: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a subprocess passes on, as a template has it: SOPS unfolds the subprocesses of each tree again.

    Unfolding moves these constants into the inner tree. SOPS refuses a tree that lacks them, or the ``index`` of one.
    """
    passed = read_mapping(subprocess.get("constants")) or {
        key: constant
        for key, constant in read_mapping(inner_tree(subprocess).get("constants")).items()
        if read_mapping(constant).get("show_type") != "hide"
    }
    return {key: {"index": index, **read_mapping(constant)} for index, (key, constant) in enumerate(passed.items())}


def _display(node_id: str, name: str, message: str) -> dict[str, Any]:
    data = {"bk_display_message": {"hook": False, "need_render": False, "value": message}}
    return {
        "id": node_id,
        "template_node_id": node_id,
        "type": node_types.SERVICE_ACTIVITY,
        "name": name,
        "stage_name": "",
        "loop": None,
        "optional": False,
        "skippable": True,
        "retryable": True,
        "error_ignorable": False,
        "auto_retry": {"enable": False, "interval": 0, "times": 1},
        "timeout_config": {"enable": False, "seconds": 10, "action": "forced_fail"},
        "component": {"code": "bk_display", "version": "1.0", "data": data},
    }


def _id(*parts: str) -> str:
    digest = hashlib.sha256("/".join(parts).encode(errors="surrogatepass")).hexdigest()
    return f"n{digest[:_ID_DIGITS]}"

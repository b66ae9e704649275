"""What is wrong with a tree, by the rules that SOPS itself applies before it makes a task of it.

SOPS stops at the first fault and often names no node; here all faults are found, each with its node and its rule. What
has findings SOPS refuses, or cannot run. The other way round this does not know everything: whether plugins and
templates exist, and what plugins accept, only the server knows, and its validators refuse some rare nestings of
exclusive gateways whose branches reach the converge gateway of a gateway around them. Loops through exclusive gateways
are legal.

Reading never fails on a broken tree, so that it can be looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.sops.pipeline_tree import nodes as node_types
from airflow_provider_sops.sops.pipeline_tree.branches import Flaw
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Event, Gateway, Node, SubProcess
from airflow_provider_sops.sops.pipeline_tree.ordering import strong_components
from airflow_provider_sops.sops.pipeline_tree.variables import references_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_sops.sops.pipeline_tree.branches import Branches
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey


class Rule(Enum):
    """The rules, each by what it demands."""

    EVENTS = "a flow has one start event and one end event"
    NODE_TYPE = "a node is of a type that SOPS knows"
    NODE_ID = "a node's id is the one that it is listed under, and no other node's"
    NAME = "an activity has a name of 1 to 50 characters"
    PLUGIN = "an activity names its plugin"
    FLOW_ENDS = "a flow leads from one node of its level to another"
    FLOW_LISTED = "a node lists the flows that lead to it and leave it, and only these"
    INCOMING = "every node but the start event has 1 to 1000 incoming flows, the start event none"
    OUTGOING = (
        "every node has one outgoing flow, a gateway that is not a converge gateway up to 1000, the end event none"
    )
    START_TO_END = "something lies between start and end"
    REACHED = "the start event leads to every node"
    LOOP = "a loop goes through an exclusive gateway"
    CONDITION = "a condition belongs to a flow of the tree and has an expression"
    CONVERGE = "the branches of a parallel or conditional gateway all meet at one converge gateway"
    CONVERGE_SHARED = "a converge gateway belongs to one parallel or conditional gateway"
    BRANCHES_APART = "no flow leads from one branch of a parallel gateway to another, nor out of or into a branch"
    CONSTANT_KEY = "a constant's key is ${name}, of letters, digits and underscores, as it is listed"
    CONSTANT_CYCLE = "a constant does not refer to itself, directly or through others"
    CONSTANT_SOURCE = "a constant's source is a node of its level"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    :param rule: the rule that is broken.
    :param node: the node where; ``None`` where it is no node's fault.
    :param message: what is wrong, naming the node and everything else by name and id.
    """

    rule: Rule
    node: NodeKey | None
    message: str

    def __str__(self) -> str:
        return f"{self.message} ({self.rule.value})"


_KEY = re.compile(r"\$\{(?!_env_|_system\.)[a-zA-Z0-9_]+\}")
_LONGEST_NAME = 50
_MOST_FLOWS = 1000
_GATEWAY_TYPES = node_types.FORKS | {node_types.EXCLUSIVE_GATEWAY, node_types.CONVERGE_GATEWAY}
_ACTIVITY_TYPES = frozenset({node_types.SERVICE_ACTIVITY, node_types.SUBPROCESS})


def label_of(node: Node) -> str:
    """Return what to call a node in a text for people: its name in quotes, and what and which it is."""
    name = f" {node.name!r}" if node.name else ""
    return f"{node.type or 'node'}{name} ({' > '.join(node.key)})"


def find_faults(levels: Iterable[Level], branches: Mapping[NodeKey, Branches]) -> list[Finding]:
    """Return all faults of a tree, by level.

    :param branches: of each level, by its path.
    """
    return [finding for level in levels for finding in _faults_of_level(level, branches[level.path])]


def _faults_of_level(level: Level, branches: Branches) -> Iterator[Finding]:
    events = list(_faults_of_events(level))
    yield from events
    for node in level.nodes.values():
        yield from _faults_of_node(node, level)
    flows = list(_faults_of_flows(level))
    yield from flows
    yield from _faults_of_constants(level)
    if events or flows:
        # What follows reads the flows, and would only repeat their faults in other words.
        return
    degrees = [finding for node in level.nodes.values() for finding in _faults_of_degrees(node, level)]
    yield from degrees
    reached = list(_faults_of_reach(level, branches))
    yield from reached
    if not degrees and not reached:
        yield from _faults_of_loops(level)
        yield from _faults_of_branches(level, branches)


def _faults_of_events(level: Level) -> Iterator[Finding]:
    where = f"the subprocess {' > '.join(level.path)}" if level.path else "the tree"
    for name, event_id, wanted in (
        ("start_event", level.start_id, node_types.START_EVENT),
        ("end_event", level.end_id, node_types.END_EVENT),
    ):
        event = level.nodes.get(event_id)
        if not isinstance(event, Event):
            yield Finding(Rule.EVENTS, level.path or None, f"{where} has no {name} with an id of its own")
        elif event.type != wanted:
            yield Finding(Rule.NODE_TYPE, event.key, f"{label_of(event)}: the {name} is no {wanted}")
    if level.start_id and level.start_id == level.end_id:
        yield Finding(Rule.EVENTS, level.path or None, f"{where} has one event as its start and its end")


def _faults_of_node(node: Node, level: Level) -> Iterator[Finding]:
    if isinstance(node, Event):
        return
    known = _ACTIVITY_TYPES if isinstance(node, Activity) else _GATEWAY_TYPES
    if node.type not in known:
        yield Finding(Rule.NODE_TYPE, node.key, f"{label_of(node)} is of no type that can stand there")
    if read_text(node.raw.get("id")) != node.id:
        yield Finding(Rule.NODE_ID, node.key, f"{label_of(node)} calls itself {read_text(node.raw.get('id'))!r}")
    if isinstance(node, Activity):
        if not 1 <= len(node.name) <= _LONGEST_NAME:
            yield Finding(Rule.NAME, node.key, f"{label_of(node)} has a name of {len(node.name)} characters")
        if not isinstance(node, SubProcess) and not node.plugin:
            yield Finding(Rule.PLUGIN, node.key, f"{label_of(node)} names no plugin")
    if isinstance(node, Gateway):
        yield from _faults_of_conditions(node, level)


def _faults_of_conditions(gateway: Gateway, level: Level) -> Iterator[Finding]:
    raw = read_mapping(gateway.raw.get("conditions"))
    for condition in gateway.conditions.values():
        fault = ""
        if condition.flow_id not in level.flows:
            fault = "which is no flow of its level"
        elif not condition.is_default and "evaluate" not in read_mapping(raw.get(condition.flow_id)):
            fault = "which has no expression"
        if fault:
            message = f"{label_of(gateway)} has a condition for {condition.flow_id!r}, {fault}"
            yield Finding(Rule.CONDITION, gateway.key, message)


def _faults_of_flows(level: Level) -> Iterator[Finding]:
    for flow in level.flows.values():
        for end, node_id in (("begins", flow.source), ("ends", flow.target)):
            if node_id not in level.nodes:
                message = f"flow {flow.id} {end} at {node_id!r}, which is no node of its level"
                yield Finding(Rule.FLOW_ENDS, level.path or None, message)
    for node in level.nodes.values():
        incoming = {flow.id for flow in level.incoming[node.id]}
        outgoing = {flow.id for flow in level.outgoing[node.id]}
        for what, listed, actual in (("incoming", node.incoming, incoming), ("outgoing", node.outgoing, outgoing)):
            if odd := sorted(actual.symmetric_difference(listed)):
                message = f"{label_of(node)}: its {what} flows and the tree's flows differ in {', '.join(odd)}"
                yield Finding(Rule.FLOW_LISTED, node.key, message)


def _faults_of_degrees(node: Node, level: Level) -> Iterator[Finding]:
    incoming, outgoing = len(level.incoming[node.id]), len(level.outgoing[node.id])
    is_start, is_end = node.id == level.start_id, node.id == level.end_id
    fewest_in, most_in = (0, 0) if is_start else (1, _MOST_FLOWS)
    if not fewest_in <= incoming <= most_in:
        yield Finding(Rule.INCOMING, node.key, f"{label_of(node)} has {incoming} incoming flows")
    several = isinstance(node, Gateway) and not node.converges
    fewest_out, most_out = (0, 0) if is_end else (1, _MOST_FLOWS if several else 1)
    if not fewest_out <= outgoing <= most_out:
        yield Finding(Rule.OUTGOING, node.key, f"{label_of(node)} has {outgoing} outgoing flows")
    if is_start and any(flow.target == level.end_id for flow in level.outgoing[node.id]):
        yield Finding(Rule.START_TO_END, node.key, f"{label_of(node)} leads straight to the end event")


def _faults_of_reach(level: Level, branches: Branches) -> Iterator[Finding]:
    for node in level.nodes.values():
        # Where nothing leads there at all, that has been said.
        if node.id not in branches.branch_of and level.incoming[node.id]:
            yield Finding(Rule.REACHED, node.key, f"{label_of(node)} is not reached from the start event")


def _faults_of_loops(level: Level) -> Iterator[Finding]:
    """Find cycles that no exclusive gateway could leave; what lies behind a node in one has no end."""
    targets = {
        node_id: () if _is_exclusive(level.nodes[node_id]) else tuple(flow.target for flow in flows)
        for node_id, flows in level.outgoing.items()
    }
    for component in strong_components(targets, targets):
        if len(component) > 1 or component[0] in targets[component[0]]:
            node = level.nodes[component[0]]
            names = ", ".join(label_of(level.nodes[node_id]) for node_id in component)
            yield Finding(Rule.LOOP, node.key, f"no exclusive gateway leads out of the loop of {names}")


def _is_exclusive(node: Node) -> bool:
    return isinstance(node, Gateway) and node.is_exclusive


_RULE_OF_FLAW = {
    Flaw.NO_CONVERGE: Rule.CONVERGE,
    Flaw.SHARED_CONVERGE: Rule.CONVERGE_SHARED,
    Flaw.MIXED_BRANCHES: Rule.BRANCHES_APART,
}


def _faults_of_branches(level: Level, branches: Branches) -> Iterator[Finding]:
    for node_id, flaw in branches.flaws:
        node = level.nodes[node_id]
        message = f"{label_of(node)}: {flaw.value}"
        meeting = level.nodes.get(branches.meeting_of.get(node_id, ""))
        if flaw is Flaw.NO_CONVERGE and meeting:
            message += f", but at {label_of(meeting)}"
        yield Finding(_RULE_OF_FLAW[flaw], node.key, message)


def _faults_of_constants(level: Level) -> Iterator[Finding]:
    refers_to: dict[str, tuple[str, ...]] = {}
    for key, raw in level.constants.items():
        constant = read_mapping(raw)
        if constant.get("key") != key or not _KEY.fullmatch(read_text(key)):
            message = f"constant {key!r} has the key {read_text(constant.get('key'))!r}"
            yield Finding(Rule.CONSTANT_KEY, level.path or None, message)
        for node_id in read_mapping(constant.get("source_info")):
            if node_id not in level.nodes:
                message = f"constant {key} comes from {node_id!r}, which is no node of its level"
                yield Finding(Rule.CONSTANT_SOURCE, level.path or None, message)
        refers_to[key] = tuple(sorted(references_within(level, constant) & set(level.constants)))
    for component in strong_components(refers_to, refers_to):
        if len(component) > 1 or component[0] in refers_to[component[0]]:
            message = f"constants refer to each other in a circle: {', '.join(sorted(component))}"
            yield Finding(Rule.CONSTANT_CYCLE, level.path or None, message)

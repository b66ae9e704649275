"""What is wrong with a tree, by the rules that SOPS itself applies before it creates a task from it.

SOPS stops at the first fault and often does not say at which node; here all faults are found, each with its node and
its rule. SOPS refuses a tree with findings, or cannot run it. A tree without findings may still be refused: only the
server knows which plugins and templates exist and what plugins accept, and its validators refuse some rare nestings of
exclusive gateways whose branches reach the converge gateway of an outer gateway. Loops through exclusive gateways are
legal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.sops.pipeline_tree import nodes as node_types
from airflow_provider_sops.sops.pipeline_tree.branches import Flaw
from airflow_provider_sops.sops.pipeline_tree.graph import strong_components
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Event, Gateway, Node, SubProcess
from airflow_provider_sops.sops.pipeline_tree.variables import references_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_sops.sops.pipeline_tree.branches import Branches
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey


class Rule(Enum):
    """The rules, each with what it demands."""

    EVENTS = "a flow has one start event and one end event"
    NODE_TYPE = "a node has a type that SOPS knows"
    NODE_ID = "a node has the id under which it is listed"
    NAME = "an activity has a name of 1 to 50 characters"
    PLUGIN = "an activity has a plugin"
    SEQUENCE_FLOW_ENDS = "a sequence flow leads from one node of its level to another"
    SEQUENCE_FLOW_LISTED = "a node lists the sequence flows that lead to it and leave it, and only these"
    INCOMING = "every node has 1 to 1000 incoming sequence flows, the start event none"
    OUTGOING = (
        "every node has one outgoing sequence flow, a gateway that forks or decides up to 1000, the end event none"
    )
    START_TO_END = "something lies between start and end"
    REACHED = "the start event leads to every node"
    LOOP = "a loop goes through an exclusive gateway"
    CONDITION = "a condition belongs to a sequence flow of its level and has an expression"
    CONVERGE = "the branches of a parallel or conditional gateway all meet at one converge gateway"
    CONVERGE_SHARED = "a converge gateway belongs to one parallel or conditional gateway"
    BRANCHES_APART = "a branch of a parallel gateway is entered at the gateway and left at the converge gateway"
    CONSTANT_KEY = "a constant is listed under its key: ${name}, of letters, digits and underscores"
    CONSTANT_CYCLE = "a constant does not refer to itself, directly or through others"
    CONSTANT_SOURCE = "a constant's source is a node of its level"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    :param rule: the rule that is broken.
    :param node: the node with the fault, or the subprocess whose level has it; ``None`` for the outermost level.
    :param message: what is wrong, with the names and ids of all that is involved.
    """

    rule: Rule
    node: NodeKey | None
    message: str

    def __str__(self) -> str:
        return f"{self.message} ({self.rule.value})"


_KEY = re.compile(r"\$\{(?!_env_|_system\.)[a-zA-Z0-9_]+\}")
_LONGEST_NAME = 50
_MOST_SEQUENCE_FLOWS = 1000
_GATEWAY_TYPES = node_types.FORKS | {node_types.EXCLUSIVE_GATEWAY, node_types.CONVERGE_GATEWAY}
_ACTIVITY_TYPES = frozenset({node_types.SERVICE_ACTIVITY, node_types.SUBPROCESS})


def label_of(node: Node) -> str:
    """Return what to call a node in a text for people: its type, its name in quotes and its path."""
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
    sequence_flows = list(_faults_of_sequence_flows(level))
    yield from sequence_flows
    yield from _faults_of_constants(level)
    if events or sequence_flows:
        # The checks below follow the sequence flows and would only repeat these faults in other words.
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
            yield Finding(Rule.EVENTS, level.path or None, f"{where} has no {name} with its own id")
        elif event.type != wanted:
            yield Finding(Rule.NODE_TYPE, event.key, f"{label_of(event)}: the {name} must be an {wanted}")
    if level.start_id and level.start_id == level.end_id:
        yield Finding(Rule.EVENTS, level.path or None, f"{where} has the same event as its start and its end")


def _faults_of_node(node: Node, level: Level) -> Iterator[Finding]:
    if isinstance(node, Event):
        return
    known = _ACTIVITY_TYPES if isinstance(node, Activity) else _GATEWAY_TYPES
    if node.type not in known:
        yield Finding(Rule.NODE_TYPE, node.key, f"{label_of(node)} has a type that SOPS does not know")
    if read_text(node.raw.get("id")) != node.id:
        yield Finding(Rule.NODE_ID, node.key, f"{label_of(node)} has the id {read_text(node.raw.get('id'))!r}")
    if isinstance(node, Activity):
        if not 1 <= len(node.name) <= _LONGEST_NAME:
            yield Finding(Rule.NAME, node.key, f"{label_of(node)} has a name of {len(node.name)} characters")
        if not isinstance(node, SubProcess) and not node.plugin:
            yield Finding(Rule.PLUGIN, node.key, f"{label_of(node)} has no plugin")
    if isinstance(node, Gateway):
        yield from _faults_of_conditions(node, level)


def _faults_of_conditions(gateway: Gateway, level: Level) -> Iterator[Finding]:
    raw = read_mapping(gateway.raw.get("conditions"))
    for condition in gateway.conditions.values():
        fault = ""
        if condition.flow_id not in level.sequence_flows:
            fault = "but its level has no such sequence flow"
        elif not condition.is_default and "evaluate" not in read_mapping(raw.get(condition.flow_id)):
            fault = "but without an expression"
        if fault:
            message = f"{label_of(gateway)} has a condition for {condition.flow_id!r}, {fault}"
            yield Finding(Rule.CONDITION, gateway.key, message)


def _faults_of_sequence_flows(level: Level) -> Iterator[Finding]:
    for sequence_flow in level.sequence_flows.values():
        for end, node_id in (("begins", sequence_flow.source), ("ends", sequence_flow.target)):
            if node_id not in level.nodes:
                message = f"sequence flow {sequence_flow.id} {end} at {node_id!r}, but its level has no such node"
                yield Finding(Rule.SEQUENCE_FLOW_ENDS, level.path or None, message)
    for node in level.nodes.values():
        incoming = {sequence_flow.id for sequence_flow in level.incoming[node.id]}
        outgoing = {sequence_flow.id for sequence_flow in level.outgoing[node.id]}
        for what, listed, actual in (("incoming", node.incoming, incoming), ("outgoing", node.outgoing, outgoing)):
            if odd := sorted(actual.symmetric_difference(listed)):
                message = f"{label_of(node)}: its {what} and the tree's sequence flows differ in {', '.join(odd)}"
                yield Finding(Rule.SEQUENCE_FLOW_LISTED, node.key, message)


def _faults_of_degrees(node: Node, level: Level) -> Iterator[Finding]:
    incoming, outgoing = len(node.sources), len(node.targets)
    is_start, is_end = node.id == level.start_id, node.id == level.end_id
    fewest_in, most_in = (0, 0) if is_start else (1, _MOST_SEQUENCE_FLOWS)
    if not fewest_in <= incoming <= most_in:
        yield Finding(Rule.INCOMING, node.key, f"{label_of(node)} has {incoming} incoming sequence flows")
    several = isinstance(node, Gateway) and not node.converges
    fewest_out, most_out = (0, 0) if is_end else (1, _MOST_SEQUENCE_FLOWS if several else 1)
    if not fewest_out <= outgoing <= most_out:
        yield Finding(Rule.OUTGOING, node.key, f"{label_of(node)} has {outgoing} outgoing sequence flows")
    if is_start and level.end_id in node.targets:
        yield Finding(Rule.START_TO_END, node.key, f"{label_of(node)} leads straight to the end event")


def _faults_of_reach(level: Level, branches: Branches) -> Iterator[Finding]:
    for node in level.nodes.values():
        # A node without sources has broken another rule already.
        if node.id not in branches.branch_of and node.sources:
            yield Finding(Rule.REACHED, node.key, f"{label_of(node)} is not reached from the start event")


def _faults_of_loops(level: Level) -> Iterator[Finding]:
    """Find the cycles that no exclusive gateway leads out of: they would run for ever."""
    targets = {node.id: () if _is_exclusive(node) else node.targets for node in level.nodes.values()}
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
                message = f"constant {key} comes from {node_id!r}, but its level has no such node"
                yield Finding(Rule.CONSTANT_SOURCE, level.path or None, message)
        refers_to[key] = tuple(sorted(references_within(level, constant) & level.constants.keys()))
    for component in strong_components(refers_to, refers_to):
        if len(component) > 1 or component[0] in refers_to[component[0]]:
            message = f"constants refer to each other in a circle: {', '.join(sorted(component))}"
            yield Finding(Rule.CONSTANT_CYCLE, level.path or None, message)

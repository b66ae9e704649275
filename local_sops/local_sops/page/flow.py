"""A task's flow for the page: every node in the order of the flow, with its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bamboo_engine import states
from bamboo_engine.eri.models import ScheduleType
from pipeline.eri.models import Schedule

from local_sops.page.words import t
from local_sops.trees.nodes import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from local_sops.runtime.engine import LocalRuntime
    from local_sops.trees import Tree

APPROVE, SUBPROCESS_PLUGIN = "bk_approve", "subprocess_plugin"
_KINDS = {
    "EmptyStartEvent": "start",
    "EmptyEndEvent": "end",
    "SubProcess": "subprocess",
    "ParallelGateway": "parallel gateway",
    "ExclusiveGateway": "exclusive gateway",
    "ConditionalParallelGateway": "conditional parallel gateway",
    "ConvergeGateway": "converge gateway",
}


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as the page shows it.

    :param kind: the plugin's code of an activity, or the kind of another node.
    :param path: ids of the SubProcess nodes around it, outermost first.
    :param state: ``""`` if it has not been reached.
    :param waits: whether it waits for a callback.
    :param was_passed_over: whether the flow continued although it failed: it was skipped, or its error is ignored.
    """

    id: str
    name: str
    type: str
    kind: str
    path: tuple[str, ...]
    state: str
    start_time: str
    elapsed_seconds: int | None
    remarks: tuple[str, ...]
    error: str
    waits: bool
    was_passed_over: bool

    @property
    def needs_somebody(self) -> bool:
        """Whether the flow stops here until someone acts."""
        return self.waits or (self.state == states.FAILED and self.type != "SubProcess")


def node_rows(runtime: LocalRuntime, tree: Tree, status: Mapping[str, Any] | None) -> list[NodeRow]:
    """List the nodes of a tree, with those of a subprocess after its SubProcess node.

    :param status: the status tree of the pipeline; None before it has one.
    """
    reached = dict(_reached(status)) if status else {}
    is_revoked = status is not None and status["state"] == states.REVOKED
    waiting = set() if is_revoked else nodes_with_callback(running_nodes(status)) - subprocesses_of(tree)
    return [
        _row(runtime, node, path, reached.get(node["id"]), waits=node["id"] in waiting, is_revoked=is_revoked)
        for node, path in _in_flow_order(tree, ())
    ]


def running_nodes(status: Mapping[str, Any] | None) -> list[str]:
    """List the ids of the nodes that run, or wait."""
    return [node_id for node_id, one in _reached(status) if one["state"] == states.RUNNING] if status else []


def nodes_with_callback(running: Iterable[str]) -> set[str]:
    """Return which of some running nodes wait for a callback: of a person, or of a task of their own."""
    found = Schedule.objects.filter(
        node_id__in=list(running), type=ScheduleType.CALLBACK.value, finished=False, expired=False
    )
    return set(found.values_list("node_id", flat=True))


def subprocesses_of(tree: Tree) -> set[str]:
    """Return the ids of the nodes that wait for a task of their own."""
    return {node["id"] for node in walk(tree) if plugin_of(node) == SUBPROCESS_PLUGIN}


def plugin_of(node: Mapping[str, Any]) -> str:
    """Name the plugin of an activity; ``""`` for other nodes."""
    return str(node["component"]["code"]) if "component" in node else ""


def all_states(status: Mapping[str, Any] | None) -> dict[str, str]:
    """Node id -> state, for every node that was reached."""
    return {node_id: one["state"] for node_id, one in _reached(status)} if status else {}


def _reached(status: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for node_id, child in status["children"].items():
        yield node_id, child
        yield from _reached(child)


def _row(
    runtime: LocalRuntime,
    node: Mapping[str, Any],
    path: tuple[str, ...],
    status: Mapping[str, Any] | None,
    *,
    waits: bool,
    is_revoked: bool,
) -> NodeRow:
    failed = status is not None and status["state"] == states.FAILED and node["type"] != "SubProcess"
    return NodeRow(
        id=node["id"],
        name=node["name"],
        type=node["type"],
        kind=plugin_of(node) or _KINDS.get(node["type"], node["type"]),
        path=path,
        state=status["state"] if status else "",
        start_time=_without_zone(status["start_time"]) if status else "",
        elapsed_seconds=status["elapsed_time"] if status and status["start_time"] else None,
        remarks=tuple(_remarks(status, is_revoked=is_revoked)) if status else (),
        error=str(runtime.get_execution_data_outputs(node["id"]).get("ex_data", "")) if failed else "",
        waits=waits,
        was_passed_over=status is not None and bool(status["skip"] or status["error_ignored"]),
    )


def _without_zone(text: str | None) -> str:
    return text.rpartition(" ")[0] if text else ""


def _remarks(status: Mapping[str, Any], *, is_revoked: bool) -> Iterator[str]:
    if is_revoked and status["state"] == states.RUNNING:
        yield t("SOPS lets it finish; no other node begins")
    if status["skip"]:
        yield t("skipped")
    if status["error_ignored"]:
        yield t("error ignored")
    if status["retry"]:
        yield t("retry {number}", number=status["retry"])
    if status["loop"] > 1:
        yield t("round {number}", number=status["loop"])


def _in_flow_order(tree: Tree, path: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    nodes = {node["id"]: node for node in (tree["start_event"], tree["end_event"])}
    nodes |= tree["gateways"] | tree["activities"]
    for node_id in _topological(tree):
        node = nodes.pop(node_id)
        yield node, path
        if node["type"] == "SubProcess":
            yield from _in_flow_order(node["pipeline"], (*path, node_id))


def _topological(tree: Tree) -> list[str]:
    """Order the nodes topologically, each branch in one piece; loops are followed once."""
    targets: dict[str, list[str]] = {}
    for flow in tree["flows"].values():
        targets.setdefault(flow["source"], []).append(flow["target"])
    start = tree["start_event"]["id"]
    seen, left = {start}, list[str]()
    open_nodes = [(start, iter(reversed(targets.get(start, []))))]
    while open_nodes:
        node_id, following = open_nodes[-1]
        target = next((one for one in following if one not in seen), None)
        if target is None:
            open_nodes.pop()
            left.append(node_id)
        else:
            seen.add(target)
            open_nodes.append((target, iter(reversed(targets.get(target, [])))))
    return left[::-1]

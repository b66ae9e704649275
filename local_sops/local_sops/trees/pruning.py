"""Leave optional nodes out of a new task (``exclude_task_nodes_id``, ``execute_task_nodes_id``)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from local_sops.trees import InvalidTreeError, Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def nodes_but(tree: Tree, executed: Collection[str]) -> list[str]:
    """List the activities to exclude so that only these remain; unknown ids are ignored.

    :param executed: create_task's ``execute_task_nodes_id``.
    """
    return [node_id for node_id in tree["activities"] if node_id not in set(executed)]


def without_nodes(tree: Tree, excluded: Iterable[str]) -> Tree:
    """Copy a tree without some of its activities, and reconnect the flows.

    Empty branches of parallel gateways are removed too, as is a gateway whose branches are all empty, with its converge
    gateway. Exclusive and conditional gateways stay.

    :param tree: not changed.
    :param excluded: ids of top-level activities.
    :raises InvalidTreeError: one of them is unknown or not optional.
    """
    excluded = list(excluded)
    for node_id in excluded:
        if node_id not in tree["activities"]:
            raise InvalidTreeError(f"task node[id={node_id}] is not in template pipeline tree")
        if not tree["activities"][node_id]["optional"]:
            raise InvalidTreeError(f"task node[id={node_id}] is not optional")
    if not excluded:
        return tree
    pruned = _Pruning(copy.deepcopy(tree))
    for node_id in dict.fromkeys(excluded):
        pruned.remove_activity(node_id)
    pruned.remove_all_empty_branches()
    return pruned.tree


def _as_list(reference: Any) -> list[str]:
    if isinstance(reference, list):
        return reference
    return [reference] if reference else []


class _Pruning:
    """A tree during pruning; its incoming flows are always lists."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        for node in (*tree["activities"].values(), *tree["gateways"].values(), tree["end_event"]):
            node["incoming"] = _as_list(node["incoming"])

    def remove_activity(self, node_id: str) -> None:
        activity = self.tree["activities"].pop(node_id)
        self._splice_out(activity["incoming"], activity["outgoing"])
        self._forget_node(node_id)
        for constant in self.tree["constants"].values():
            (constant.get("source_info") or {}).pop(node_id, None)

    def remove_all_empty_branches(self) -> None:
        """Remove empty branches until there are none: removing a gateway may empty its enclosing branch."""
        removed = True
        while removed:
            parallel = [key for key, node in self.tree["gateways"].items() if node["type"] == "ParallelGateway"]
            removed = False
            for gateway_id in parallel:
                removed |= self._remove_empty_branches(gateway_id)

    def _remove_empty_branches(self, gateway_id: str) -> bool:
        """Remove a parallel gateway's flows straight to its converge gateway; return whether there were any."""
        gateway = self.tree["gateways"].get(gateway_id)
        if gateway is None:
            return False
        flows, gateways = self.tree["flows"], self.tree["gateways"]
        outgoing = _as_list(gateway["outgoing"])
        empty = [flow for flow in outgoing if gateways.get(flows[flow]["target"], {}).get("type") == "ConvergeGateway"]
        if not empty:
            return False
        converge_id = flows[empty[0]]["target"]
        if len(empty) == len(outgoing) and set(gateways[converge_id]["incoming"]) == set(empty):
            self._remove_gateway_pair(gateway_id, converge_id, empty)
            return True
        removable = empty if len(empty) < len(outgoing) else empty[1:]
        for flow in removable:
            gateways[flows[flow]["target"]]["incoming"].remove(flow)
            gateway["outgoing"].remove(flow)
            self._forget_flow(flow)
        return bool(removable)

    def _remove_gateway_pair(self, gateway_id: str, converge_id: str, between: list[str]) -> None:
        gateway = self.tree["gateways"].pop(gateway_id)
        converge = self.tree["gateways"].pop(converge_id)
        for flow in between:
            self._forget_flow(flow)
        self._splice_out(gateway["incoming"], converge["outgoing"])
        self._forget_node(gateway_id)
        self._forget_node(converge_id)

    def _splice_out(self, incoming: list[str], outgoing: str) -> None:
        """Redirect a removed element's incoming flows to the target of its outgoing flow."""
        target_id = self.tree["flows"][outgoing]["target"]
        for flow in incoming:
            self.tree["flows"][flow]["target"] = target_id
        target = self._node(target_id)
        position = target["incoming"].index(outgoing)
        target["incoming"][position : position + 1] = incoming
        for line in self.tree.get("line", ()):
            if line["id"] in incoming:
                line["target"]["id"] = target_id
        self._forget_flow(outgoing)

    def _node(self, node_id: str) -> dict[str, Any]:
        if node_id == self.tree["end_event"]["id"]:
            return self.tree["end_event"]  # type: ignore[no-any-return]
        return self.tree["activities"].get(node_id) or self.tree["gateways"][node_id]  # type: ignore[no-any-return]

    def _forget_flow(self, flow_id: str) -> None:
        del self.tree["flows"][flow_id]
        if "line" in self.tree:
            self.tree["line"] = [line for line in self.tree["line"] if line["id"] != flow_id]

    def _forget_node(self, node_id: str) -> None:
        if "location" in self.tree:
            self.tree["location"] = [place for place in self.tree["location"] if place["id"] != node_id]

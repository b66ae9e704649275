"""Find nodes in a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local_sops.trees import Tree


def walk(tree: Tree) -> Iterator[dict[str, Any]]:
    """Yield every node of a tree, subprocesses included: events, activities, gateways."""
    yield tree["start_event"]
    yield tree["end_event"]
    yield from tree["gateways"].values()
    for activity in tree["activities"].values():
        yield activity
        if activity["type"] == "SubProcess":
            yield from walk(activity["pipeline"])


def has_node(tree: Tree, node_id: str) -> bool:
    """Whether a tree contains a node with this id."""
    return any(node["id"] == node_id for node in walk(tree))


def activity_names(tree: Tree) -> dict[str, str]:
    """Node id -> name, for the activities of a tree and its subprocesses; gateways and events have none."""
    return {node["id"]: node["name"] for node in walk(tree) if "component" in node or "pipeline" in node}


def tree_at(tree: Tree, subprocess_stack: Sequence[str]) -> Tree:
    """Find the tree of a nested subprocess.

    :param subprocess_stack: ids of the SubProcess nodes to go through, outermost first.
    :raises KeyError: there is no such subprocess.
    """
    for subprocess_id in subprocess_stack:
        tree = tree["activities"][subprocess_id]["pipeline"]
    return tree


def node_at(tree: Tree, node_id: str, subprocess_stack: Sequence[str]) -> dict[str, Any]:
    """Find a node by its path.

    :param subprocess_stack: as in :func:`tree_at`.
    :raises KeyError: it is not there.
    """
    level = tree_at(tree, subprocess_stack)
    events = {event["id"]: event for event in (level["start_event"], level["end_event"])}
    node: dict[str, Any] = {**events, **level["gateways"], **level["activities"]}[node_id]
    return node

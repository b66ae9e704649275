"""What the builders of both modes share: task groups, labels of edges, and the ``node_args`` of a node."""

from __future__ import annotations

import fnmatch
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import TaskGroup

from airflow_provider_sops.service.text import visible
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Gateway
from airflow_provider_sops.sops.pipeline_tree.validity import label_of
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from airflow_provider_sops.sops.pipeline_tree import PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.graph import Edge
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node


#: The arguments of an operator that say where its task is.
PLACE = ("dag", "task_group")


class _Group(TaskGroup):
    """A task group that equals only itself: Airflow's own compares all that is in and around it, for each group."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__  # type: ignore[assignment,unused-ignore]


def task_group(group_id: str, display_name: str, *, is_prefix: bool = True) -> TaskGroup:
    """Return a new task group with a display name of any characters.

    :param is_prefix: whether the ids of its tasks begin with its own.
    """
    if AIRFLOW_V_3_0_PLUS:
        return _Group(group_id, group_display_name=display_name, prefix_group_id=is_prefix)
    return _Group(group_id, tooltip=display_name, prefix_group_id=is_prefix)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Let Python's garbage collector rest while a flow is read and built.

    Nearly everything that is made stays. The collector would look at all of it again and again, which takes a third of
    the time of a flow of 20,000 nodes, and more with every node.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def label_of_edge(tree: PipelineTree, edge: Edge) -> str:
    """Return an edge's label; empty for an edge without a condition."""
    node = tree.nodes[edge.source]
    condition = node.conditions.get(edge.sequence_flow.id) if isinstance(node, Gateway) else None
    if condition is None:
        return ""
    return visible(condition.name or condition.evaluate) or ("default" if condition.is_default else "")


def arguments_of(
    node: Node, node_args: Mapping[str, Mapping[str, Any]], *, fixed: Collection[str], advice: str
) -> dict[str, Any]:
    """Return the arguments for a node.

    :param node_args: arguments by the node's name (``*`` and ``?`` allowed), id, key, plugin code or stage; later
        entries win.
    :param fixed: arguments that follow from the flow or its options.
    :param advice: where to set these, for the error.
    :raises SopsInvalidParameterError: an entry sets a fixed argument.
    """
    found: dict[str, Any] = {}
    for pattern, arguments in node_args.items():
        if is_meant(node, [pattern]):
            found |= arguments
    if refused := sorted(found.keys() & fixed):
        raise SopsInvalidParameterError(
            f"node_args of {label_of(node)} must not set {', '.join(refused)}", advice=advice
        )
    return found


def is_meant(node: Node, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns matches a node's name, id, key, plugin code or stage."""
    words = {node.id, "/".join(node.key)}
    if isinstance(node, Activity):
        words |= {node.plugin, node.stage_name} - {""}
    return any(pattern in words or fnmatch.fnmatchcase(node.name, pattern) for pattern in patterns)

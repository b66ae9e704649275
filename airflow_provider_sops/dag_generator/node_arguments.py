"""Select the arguments in ``node_args`` that apply to a node."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.pipeline_tree.nodes import Activity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_sops.sops.pipeline_tree.nodes import Node


def arguments_of(node: Node, node_args: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the arguments for a node.

    :param node_args: arguments by the node's name (``*`` and ``?`` allowed), id, key, plugin code or stage; later
        entries win.
    """
    found: dict[str, Any] = {}
    for pattern, arguments in node_args.items():
        if is_meant(node, [pattern]):
            found |= arguments
    return found


def is_meant(node: Node, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns matches a node's name, id, key, plugin code or stage."""
    words = {node.id, "/".join(node.key)}
    if isinstance(node, Activity):
        words |= {node.plugin, node.stage_name} - {""}
    return any(pattern in words or fnmatch.fnmatchcase(node.name, pattern) for pattern in patterns)

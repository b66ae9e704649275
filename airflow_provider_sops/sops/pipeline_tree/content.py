"""What a template does, apart from how it is drawn and stored: the same content has the same hash.

The canonical form is made of what SOPS runs: nodes, flows, conditions, constants and outputs of every level. Left out
are positions, labels, ids that SOPS computes, what ``get_template_info`` adds for display, and the values of password
constants. Ways of writing that mean the same (``isSkipped`` and ``skippable``, a text and a list of one) become one.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.models import is_password
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, SubProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree

_NOT_CONTENT = frozenset(
    {
        "converge_gateway_id",
        "id",
        "incoming",
        "labels",
        "loop",
        "pipeline",
        "template_node_id",
        # Read under their new names.
        "can_retry",
        "isSkipped",
    }
)
_NOT_CONTENT_OF_CONSTANTS = frozenset({"schema"})
_SECRET = frozenset({"meta", "value", "value_emptied"})


def content_hash(tree: PipelineTree) -> str:
    """Return the hash of a template's content, ``sha256:`` and 64 digits.

    Unfold the subprocesses, or their content does not count.
    """
    levels = [
        [
            list(path),
            {node.key[-1]: content_of_node(node) for node in level.nodes.values()},
            {flow.id: [flow.source, flow.target] for flow in level.flows.values()},
            content_of_constants(level),
            sorted(level.outputs),
        ]
        for path, level in tree.levels.items()
    ]
    text = json.dumps(levels, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def content_of_node(node: Node) -> dict[str, Any]:
    """Return what a node does, by SOPS's names for it."""
    content = {key: value for key, value in node.raw.items() if key not in _NOT_CONTENT}
    content["outgoing"] = list(node.outgoing)
    if isinstance(node, Activity):
        content["skippable"], content["retryable"] = node.skippable, node.retryable
    if isinstance(node, SubProcess):
        # They are the values of the inner level's shown constants once it is unfolded.
        if node.unfolded:
            content.pop("constants", None)
        if node.always_use_latest:
            content.pop("version", None)
    return content


def content_of_constants(level: Level) -> dict[str, dict[str, Any]]:
    """Return the constants of a level by key, of passwords without the value."""
    return {key: _content_of_constant(read_mapping(raw)) for key, raw in level.constants.items()}


def _content_of_constant(constant: Mapping[str, Any]) -> dict[str, Any]:
    hidden = _NOT_CONTENT_OF_CONSTANTS | (_SECRET if is_password(constant) else frozenset())
    return {key: value for key, value in constant.items() if key not in hidden}

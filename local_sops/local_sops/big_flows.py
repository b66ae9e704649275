"""Large generated templates: rows of activities in parallel branches."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from local_sops.template_folder import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from local_sops.trees import Tree

_BRANCHES = 4
_MADE_AT = datetime(2020, 1, 1, tzinfo=UTC)


def big_templates() -> Sequence[Template]:
    """Create the templates of 200 and 1000 activities; the id is the size."""
    return [_template(size) for size in (200, 1000)]


def _template(size: int) -> Template:
    return Template(
        id=size,
        name=f"nodes_{size}",
        project_id=1,
        creator="admin",
        category="Default",
        description=f"{size} activities in {_BRANCHES} parallel branches.",
        edit_time=_MADE_AT,
        tree=_tree(size),
        schemes=(),
    )


def _tree(size: int) -> Tree:
    row = [_id("n", size, number) for number in range(size)]
    start, split, join, end = (_id("n", size, size + number) for number in range(4))
    length = size // _BRANCHES
    branches = [row[number * length : (number + 1) * length] for number in range(_BRANCHES)]
    edges = [(start, split), (join, end)]
    for branch in branches:
        edges += [(split, branch[0]), *pairwise(branch), (branch[-1], join)]
    flows = _flows(size, edges)
    incoming, outgoing = defaultdict(list), defaultdict(list)
    for flow in flows.values():
        incoming[flow["target"]].append(flow["id"])
        outgoing[flow["source"]].append(flow["id"])
    return {
        "start_event": _node(start, "EmptyStartEvent", incoming="", outgoing=outgoing[start][0]),
        "end_event": _node(end, "EmptyEndEvent", incoming=incoming[end], outgoing=""),
        "gateways": {
            split: _node(split, "ParallelGateway", incoming=incoming[split], outgoing=outgoing[split]),
            join: _node(join, "ConvergeGateway", incoming=incoming[join], outgoing=outgoing[join][0]),
        },
        "activities": {
            node_id: _activity(node_id, f"node {number}", incoming[node_id], outgoing[node_id][0])
            for number, node_id in enumerate(row, start=1)
        },
        "flows": flows,
        "constants": {},
        "outputs": [],
    }


def _id(kind: str, size: int, number: int) -> str:
    return f"{kind}{size:07x}{number:024x}"


def _flows(size: int, edges: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    numbered = {_id("l", size, number): edge for number, edge in enumerate(edges)}
    return {
        flow_id: {"id": flow_id, "source": source, "target": target, "is_default": False}
        for flow_id, (source, target) in numbered.items()
    }


def _node(node_id: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": node_id, "name": "", "type": kind, "labels": [], **fields}


def _activity(node_id: str, name: str, incoming: list[str], outgoing: str) -> dict[str, Any]:
    message = {"hook": False, "need_render": True, "value": name}
    return {
        **_node(node_id, "ServiceActivity", incoming=incoming, outgoing=outgoing),
        "name": name,
        "optional": True,
        "error_ignorable": False,
        "retryable": True,
        "skippable": True,
        "auto_retry": {"enable": False, "interval": 0, "times": 1},
        "timeout_config": {"enable": False, "seconds": 10, "action": "forced_fail"},
        "stage_name": "",
        "loop": None,
        "component": {"code": "bk_display", "version": "1.0", "data": {"bk_display_message": message}},
    }

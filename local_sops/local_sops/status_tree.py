"""The engine's states as the tree that get_task_status returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bamboo_engine import states
from pipeline.eri.models import State

from local_sops.times import elapsed_seconds, format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

Status = dict[str, Any]
NODE_SUSPENDED = "NODE_SUSPENDED"
"""The state of a pipeline in which a node is suspended, while the pipeline itself is not."""


def created_status() -> Status:
    """Create the status of something that has not started."""
    return {
        "start_time": None,
        "state": "CREATED",
        "retry": 0,
        "skip": 0,
        "finish_time": None,
        "elapsed_time": 0,
        "children": {},
    }


def node_status(state: State, zone: ZoneInfo) -> Status:
    """Create one node's own status. The key ``root_id:`` is the engine's, colon included."""
    return {
        "id": state.node_id,
        "state": state.name,
        "root_id:": state.root_id,
        "parent_id": state.parent_id,
        "version": state.version,
        "loop": state.loop,
        "retry": state.retry,
        "skip": state.skip,
        "error_ignorable": state.error_ignored,
        "error_ignored": state.error_ignored,
        "children": {},
        "elapsed_time": elapsed_seconds(state.started_time, state.archived_time),
        "start_time": format_time(state.started_time, zone) if state.started_time else None,
        "finish_time": format_time(state.archived_time, zone) if state.archived_time else None,
    }


def read_status(root_id: str, zone: ZoneInfo) -> Status | None:
    """Read the status of a pipeline and the nodes it has reached; None if it has not started."""
    return statuses_of([root_id], zone).get(root_id)


def statuses_of(root_ids: Iterable[str], zone: ZoneInfo) -> dict[str, Status]:
    """Read the statuses of several pipelines by id, in one query; unstarted ones are left out."""
    rows = State.objects.filter(root_id__in=list(root_ids)).order_by("pk")
    nodes: dict[str, Status] = {row.node_id: node_status(row, zone) for row in rows}
    roots = {row.node_id: nodes[row.node_id] for row in rows if row.node_id == row.root_id}
    for row in rows:
        if row.node_id != row.root_id and row.parent_id in nodes:
            nodes[row.parent_id]["children"][row.node_id] = nodes[row.node_id]
    for root in roots.values():
        root["parent_id"] = root["id"]
        last = _last_ignored(rows, root["id"])
        root["error_ignorable"] = root["error_ignored"] = last
        _derive_states(root)
    return roots


def _last_ignored(rows: Iterable[State], root_id: str) -> bool:
    """Return the ``error_ignored`` of a pipeline's latest state, as the engine's API does."""
    ignored = [row.error_ignored for row in rows if row.root_id == root_id]
    return bool(ignored and ignored[-1])


def read_subtree(root_id: str, node_id: str, zone: ZoneInfo) -> Status | None:
    """Read the status of a subprocess of a pipeline; None if the node does not exist or was not reached."""
    root = read_status(root_id, zone)
    found = _find(root, node_id) if root else None
    if found is not None:
        found["parent_id"] = found["root_id:"]
    return found


def with_names(status: Status, names: Mapping[str, str]) -> None:
    """Set the names of all nodes below; unnamed ones get ``""``."""
    for node_id, child in status["children"].items():
        child["name"] = names.get(node_id, "")
        with_names(child, names)


def _find(status: Status, node_id: str) -> Status | None:
    if node_id in status["children"]:
        child: Status = status["children"][node_id]
        return child
    for child in status["children"].values():
        found = _find(child, node_id)
        if found is not None:
            return found
    return None


def _derive_states(status: Status) -> None:
    """Derive a running pipeline's state from its nodes: a failure first, then a suspended one."""
    for child in status["children"].values():
        _derive_states(child)
    below = {child["state"] for child in status["children"].values()}
    if status["state"] != states.RUNNING:
        return
    if states.FAILED in below:
        status["state"] = states.FAILED
    elif below & {states.SUSPENDED, NODE_SUSPENDED}:
        status["state"] = NODE_SUSPENDED

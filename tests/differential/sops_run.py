"""What SOPS says of a task that has come to its end or to rest: every node, by its place in the template."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.differential.plain_sops import PlainSops

Key = tuple[str, ...]

#: In each node of a drawn tree its own id there, which SOPS leaves alone: before 3.28 a task does not tell it.
DRAWN_AS = "drawn_as"
_ID = re.compile(r"\b[ln][0-9a-f]{31}\b")


@dataclass(frozen=True)
class Row:
    """A node that the task has reached.

    :param outputs: of a plugin node, as get_task_node_detail lists them; of others ``None``.
    :param error: what SOPS says of its failure, ``without_ids``.
    """

    state: str
    loop: int
    retry: int
    skip: bool
    error_ignored: bool
    outputs: dict[str, Any] | None
    error: str


@dataclass(frozen=True)
class SopsRun:
    """A task.

    :param tree: its own tree, with its own ids.
    :param ids: its ids by the key in the template: the ids of the subprocesses around, then the node's own.
    :param rows: the nodes that it has reached, subprocesses and events among them.
    :param outputs: of the whole flow, by name; empty unless it is finished.
    """

    state: str
    tree: Any
    ids: Mapping[Key, str]
    rows: Mapping[Key, Row]
    outputs: Mapping[str, Any]


def read_run(sops: PlainSops, task_id: int) -> SopsRun:
    """Wait for a task's end and read it."""
    status = sops.final_status(task_id)
    detail = sops.detail(task_id)
    ids, rows = dict[Key, str](), dict[Key, Row]()
    for key, path, node in _nodes(detail["pipeline_tree"], (), ()):
        ids[key] = node["id"]
        found = _find(status, path)
        if found is None:
            continue
        outputs = None
        if node["type"] == "ServiceActivity":
            listed = sops.node_detail(task_id, path[-1], path[:-1])["outputs"]
            outputs = {item["key"]: item["value"] for item in listed}
        rows[key] = Row(
            state=found["state"],
            loop=found["loop"],
            retry=found["retry"],
            skip=found["skip"],
            # Of 2020 only the former word is known, of 2019 neither.
            error_ignored=found.get("error_ignored", found.get("error_ignorable", False)),
            outputs=outputs,
            error=without_ids(str((status.get("ex_data") or {}).get(node["id"], ""))),
        )
    outputs = {item["key"][2:-1]: item["value"] for item in detail["outputs"]}
    return SopsRun(status["state"], detail["pipeline_tree"], ids, rows, outputs)


def without_ids(text: str) -> str:
    """Leave out the ids of nodes and flows: each task has its own."""
    return _ID.sub("(id)", text)


def _nodes(tree: Any, around: Key, ids_around: Key) -> Iterator[tuple[Key, Key, Any]]:
    """Yield every node with its key in the template and its path in the task."""
    for name in ("start_event", "end_event"):
        yield (*around, name), (*ids_around, tree[name]["id"]), tree[name]
    for gateway in tree["gateways"].values():
        yield (*around, gateway[DRAWN_AS]), (*ids_around, gateway["id"]), gateway
    for activity in tree["activities"].values():
        key, path = (*around, activity[DRAWN_AS]), (*ids_around, activity["id"])
        yield key, path, activity
        if "pipeline" in activity:
            yield from _nodes(activity["pipeline"], key, path)


def _find(status: Any, path: Key) -> Any:
    for node_id in path:
        status = status["children"].get(node_id)
        if status is None:
            return None
    return status

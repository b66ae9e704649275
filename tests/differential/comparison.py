"""Compares what Airflow has shown with what SOPS has done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.differential.expectation import STATES, Expected, Fate
from tests.differential.sops_run import without_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.differential.sops_run import Key, SopsRun
    from tests.differential.watched_run import Shown, WatchedRun


def differences(
    expected: Mapping[Key, Expected], direct: SopsRun, watched: WatchedRun, watched_in_sops: SopsRun
) -> list[str]:
    """Return every difference, in a sentence that names the node.

    :param expected: what to show, from the direct run.
    :param watched_in_sops: what SOPS says of the task that was watched.
    """
    found = [*_of_sops(direct, watched_in_sops), *_of_flow(direct, watched)]
    if missing := sorted(set(expected) ^ set(watched.nodes)):
        found.append(f"the DAG and the tree do not have the same nodes: {missing}")
    for key in sorted(set(expected) & set(watched.nodes)):
        name = "/".join(key)
        found += [f"{name}: {text}" for text in _of_node(expected[key], watched.nodes[key])]
        shown_id, task_id = (watched.nodes[key].node or {}).get("node_id"), watched_in_sops.ids.get(key)
        if shown_id is not None and shown_id != task_id:
            found.append(f"{name}: it shows node {shown_id} of the task instead of {task_id}")
    return found


def _of_sops(direct: SopsRun, watched: SopsRun) -> Iterator[str]:
    """Yield where SOPS itself ran the watched flow in another way."""
    for key in sorted(set(direct.rows) | set(watched.rows)):
        rows = [run.rows.get(key) for run in (direct, watched)]
        if not _same(*[row and vars(row) for row in rows]):
            yield f"{'/'.join(key)}: SOPS ran it otherwise when watched: {rows[1]} instead of {rows[0]}"


def _of_flow(direct: SopsRun, watched: WatchedRun) -> Iterator[str]:
    state = "success" if direct.state == "FINISHED" else "failed"
    if (watched.state, watched.flow.state) != (state, state):
        yield f"the run is {watched.state} and flow is {watched.flow.state} instead of {state}"
    if state == "success" and not _same(watched.flow.returned, dict(direct.outputs)):
        yield f"flow returned {watched.flow.returned!r} instead of {direct.outputs!r}"


def _of_node(expected: Expected, shown: Shown) -> Iterator[str]:
    if shown.state not in STATES[expected.fate]:
        yield f"{expected.fate} in SOPS, but {shown.state} in Airflow ({shown.node})"
        return
    row, node = expected.row, shown.node or {}
    if row is not None and (shown.state == "success" or expected.fate == Fate.FAILED):
        outcome = "failed" if expected.fate == Fate.FAILED else "finished"
        if row.skip or row.error_ignored:
            outcome = "skipped" if row.skip else "error ignored"
        wanted = {"outcome": outcome, "state": row.state, "loop": row.loop, "retry": row.retry}
        told = {name: node.get(name) for name in wanted}
        if not _same(told, wanted):
            yield f"{told} instead of {wanted}"
        if row.error not in without_ids(node.get("error", "")):
            yield f"its error is {node.get('error')!r} instead of {row.error!r}"
    outputs = row.outputs if row is not None and shown.state == "success" else None
    if not _same(shown.returned, outputs):
        yield f"it returned {shown.returned!r} instead of {outputs!r}"


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; 1, 1.0 and true are not."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

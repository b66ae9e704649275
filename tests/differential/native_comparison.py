"""Compares a flow that Airflow ran by itself with the same flow run by SOPS alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.differential.sops_run import without_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.differential.native_run import NativeRun
    from tests.differential.sops_run import Key, Row, SopsRun
    from tests.differential.watched_run import Shown

#: Gateways that do nothing in SOPS that anything would show.
_PASSING = ("ParallelGateway", "ConvergeGateway")
_NOT_RUN = ("skipped", "upstream_failed")


def native_differences(direct: SopsRun, native: NativeRun, template: Any) -> list[str]:
    """Return every difference, in a sentence that names the node.

    :param direct: the run in SOPS.
    :param template: the flow's tree.
    """
    found = list(_of_flow(direct, native))
    for key, node in _nodes(template, ()):
        if key not in native.nodes:
            if "component" in node and key in direct.rows:
                found.append(f"{'/'.join(key)}: no task tells of it")
            continue
        about = _of_gateway if node["type"] in _PASSING else _of_node
        found += [f"{'/'.join(key)}: {text}" for text in about(key, direct, native)]
    return found


def _nodes(tree: Any, around: Key) -> Iterator[tuple[Key, Any]]:
    yield from (((*around, gateway_id), gateway) for gateway_id, gateway in tree["gateways"].items())
    for node_id, activity in tree["activities"].items():
        key = (*around, node_id)
        if "pipeline" in activity:
            yield from _nodes(activity["pipeline"], key)
        else:
            yield key, activity


def _of_flow(direct: SopsRun, native: NativeRun) -> Iterator[str]:
    state = "success" if direct.state == "FINISHED" else "failed"
    if native.state != state:
        yield f"the run is {native.state} instead of {state}"
    elif state == "success" and not _same(native.outputs, dict(direct.outputs)):
        yield f"its outputs are {native.outputs!r} instead of {direct.outputs!r}"


def _of_gateway(key: Key, direct: SopsRun, native: NativeRun) -> Iterator[str]:
    row, state = direct.rows.get(key), native.nodes[key].state
    # Where a run leaves out all that is behind it, SOPS leaves out the gateway too.
    if row is not None and row.state == "FINISHED" and state not in ("success", "failed"):
        yield f"the flow went through it in SOPS, but it is {state}"


def _of_node(key: Key, direct: SopsRun, native: NativeRun) -> Iterator[str]:
    row, shown = direct.rows.get(key), native.nodes[key]
    if row is not None:
        yield from _of_ended(row, shown)
    elif shown.node is not None:
        yield f"it has run, though not in SOPS: {shown.node}"
    elif key not in direct.ids:
        # Left out of the run: the flow goes on behind it. In a loop another node may have failed.
        may_be_failed = key in native.in_loops and direct.state != "FINISHED"
        if shown.state not in ("success", *_NOT_RUN) and not (may_be_failed and shown.state == "failed"):
            yield f"it was left out, but is {shown.state}"
    elif direct.state == "FINISHED" and shown.state not in (*_NOT_RUN, "success"):
        yield f"the flow has passed it by, but it is {shown.state}"


def _of_ended(row: Row, shown: Shown) -> Iterator[str]:
    if shown.node is None:
        yield f"it has not run ({shown.state}), but in SOPS: {row}"
        return
    outcome = "failed" if row.state == "FAILED" else "finished"
    if row.skip or row.error_ignored:
        outcome = "skipped" if row.skip else "error ignored"
    wanted = {"outcome": outcome, "state": row.state, "loop": row.loop, "retry": row.retry}
    told = {name: shown.node.get(name) for name in wanted}
    if not _same(told, wanted):
        yield f"{told} instead of {wanted}"
    if row.error not in without_ids(shown.node.get("error", "")):
        yield f"its error is {shown.node.get('error')!r} instead of {row.error!r}"
    if row.state == "FINISHED" and row.outputs is not None and not _same(shown.returned, row.outputs):
        yield f"it returned {shown.returned!r} instead of {row.outputs!r}"


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; 1, 1.0 and true are not."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

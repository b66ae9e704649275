"""What the tab shows of the state of a SOPS task and of its nodes, as plain JSON data without secrets. No I/O."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.plugins.known_task import shown_value
from airflow_provider_sops.service.reading import read_text, read_time
from airflow_provider_sops.service.secrets import HIDDEN
from airflow_provider_sops.service.text import visible, web_address
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, SubProcess
from airflow_provider_sops.sops.task_secrets import WITHHELD
from airflow_provider_sops.sops.verdict import Verdict, judge, nodes_at_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_sops.plugins.known_task import KnownTask
    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus
    from airflow_provider_sops.sops.pipeline_tree import PipelineTree, TreeIndex
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node

#: What a node is that waits for a person, was skipped by one, or never runs. SOPS has no words for them.
WAITING, SKIPPED, NOT_TAKEN = "WAITING", "SKIPPED", "NOT_TAKEN"
APPROVAL = "bk_approve"
_TASK_ACTIONS = {
    Verdict.RUNNING: ("pause", "revoke"),
    Verdict.WAITING_FOR_PERSON: ("pause", "revoke"),
    Verdict.FAILING: ("pause", "revoke"),
    Verdict.FAILED: ("revoke",),
}


def task_view(known: KnownTask, status: TaskStatus) -> dict[str, Any]:
    """Return what is shown of a task in some state.

    :param status: as SOPS gives it, with errors.
    """
    secrets = known.secrets
    index = secrets.tree()
    verdict = judge(status, index)
    at_work = nodes_at_work(status, index) if verdict is Verdict.REVOKED else ()
    shown = secrets.status(status)
    detail = known.detail
    return {
        "state": status.state.value,
        "look": _look_of_task(status, verdict),
        "verdict": verdict.value,
        "start": _moment(detail.start_time or status.start_time),
        "end": _moment(detail.finish_time or status.finish_time),
        "seconds": status.elapsed_seconds,
        "goes_on": not verdict.is_final or bool(at_work),
        "rests": verdict in (Verdict.FAILED, Verdict.WAITING_FOR_PERSON),
        "still_working": [known.shown(node.name) or node.id for node in at_work],
        "actions": list(_task_actions(status, verdict)),
        "nodes": [_row(known, node, shown, is_over=verdict.is_final) for node in in_order(known.tree)],
        "constants": known.constants(),
        "outputs": known.outputs() if status.state == TaskState.FINISHED else [],
    }


def lasts(*, goes_on: bool) -> float:
    """For how many seconds nobody needs to ask again; a task that has ended changes no more."""
    return 3.0 if goes_on else 600.0


def in_order(tree: PipelineTree) -> Iterator[Node]:
    """Yield the nodes as the flow reaches them, those of a subprocess behind it."""
    waiting = [iter(tree.graph.order_in[()])]
    while waiting:
        key = next(waiting[-1], None)
        if key is None:
            waiting.pop()
            continue
        yield tree.nodes[key]
        if key in tree.levels:
            waiting.append(iter(tree.graph.order_in[key]))


def _row(known: KnownTask, node: Node, status: TaskStatus, *, is_over: bool) -> dict[str, Any]:
    path = known.path_of(node.key)
    row = status.at(path)
    state = state_of(node, row, is_over=is_over)
    return {
        "id": node.id,
        "path": list(path[:-1]),
        "name": known.shown(node.name),
        "kind": kind_of(node),
        "type": node.type,
        "state": row.state.value if row else "",
        "look": state,
        "start": _moment(row.start_time) if row else None,
        "end": _moment(row.finish_time) if row else None,
        "seconds": row.elapsed_seconds if row else None,
        "retries": row.retry if row else 0,
        "rounds": row.loop if row else 0,
        "ignored": bool(row and row.error_ignored and row.state == TaskState.FINISHED),
        "error": visible(status.error_of(row)) if row and row.state == TaskState.FAILED else "",
        "asked": known.asked(node) if state == WAITING else None,
        "actions": list(_node_actions(node, row, state, is_over=is_over)),
    }


def state_of(node: Node, row: NodeStatus | None, *, is_over: bool) -> str:
    """Return the word for a node by which it is drawn: SOPS's, or one of this module's."""
    if row is None:
        return NOT_TAKEN if is_over else ""
    if row.state == TaskState.RUNNING and node.waits_for_person and not is_over:
        return WAITING
    if row.skip and row.state == TaskState.FINISHED:
        return SKIPPED
    return row.state.value


def kind_of(node: Node) -> str:
    """Return what a node is: its plugin's code, or SOPS's word for its type."""
    if isinstance(node, SubProcess):
        return "SubProcess"
    return visible(node.plugin or node.type)


def look_of(status: TaskStatus, index: TreeIndex | None) -> str:
    """Return the word for a task by which it is shown.

    :param index: its nodes; ``None`` as long as they were not read.
    """
    return _look_of_task(status, judge(status, index))


def _look_of_task(status: TaskStatus, verdict: Verdict) -> str:
    if verdict is Verdict.WAITING_FOR_PERSON and status.state != TaskState.SUSPENDED:
        return WAITING
    return status.state.value


def _task_actions(status: TaskStatus, verdict: Verdict) -> tuple[str, ...]:
    if status.state == TaskState.SUSPENDED:
        return ("resume", "revoke")
    return _TASK_ACTIONS.get(verdict, ())


def _node_actions(node: Node, row: NodeStatus | None, state: str, *, is_over: bool) -> Iterator[str]:
    if is_over or row is None or not isinstance(node, Activity) or isinstance(node, SubProcess):
        return
    if row.state == TaskState.FAILED:
        if node.retryable:
            yield "retry"
        if node.skippable:
            yield "skip"
    elif state == WAITING:
        yield "answer" if node.plugin == APPROVAL else "continue"
    elif row.state == TaskState.SUSPENDED:
        yield "resume_node"


def _moment(time: Any) -> str | None:
    return time.isoformat() if time else None


def node_view(
    known: KnownTask, node: Node, data: Any, log_text: str, histories: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what is shown of one node.

    :param data: its inputs and outputs, already without secrets.
    :param log_text: its log, likewise.
    :param histories: its earlier tries, likewise.
    """
    return {
        "id": node.id,
        "name": known.shown(node.name),
        "error": visible(data.ex_data),
        "inputs": _listed(data.inputs),
        "input_values": _editable(data.inputs),
        "outputs": _listed({key: value for key, value in data.outputs.items() if not key.startswith("_")}),
        "log": visible(log_text),
        "tries": list(histories),
    }


def inner_view(sops_task_id: int, data: Any, status: TaskStatus | None) -> dict[str, Any]:
    """Return what is shown of the SOPS task that an independent subprocess runs as.

    :param data: the outputs of the node around it, which hold the address of its page.
    :param status: its state; ``None`` if SOPS does not tell.
    """
    return {
        "sops_task_id": sops_task_id,
        "url": web_address(read_text(data.outputs.get("task_url"))),
        "look": look_of(status, None) if status else "",
        "state": status.state.value if status else "",
    }


def _editable(inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return inputs that somebody may change for a retry; ``None`` where some are hidden, which would be sent so."""
    own = {name: value for name, value in inputs.items() if not name.startswith("_")}
    text = json.dumps(own, ensure_ascii=False, default=str)
    return None if HIDDEN in text or WITHHELD in text else own


def _listed(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"key": visible(name), "value": shown_value(value)}
        for name, value in values.items()
        if not name.startswith("_") and name != "ex_data" and value not in ("", None)
    ]


def history_of(raw: Mapping[str, Any], data: Any) -> dict[str, Any]:
    """Return what is shown of an earlier try.

    :param raw: as SOPS gives it, for its times.
    :param data: its inputs and outputs, already without secrets.
    """
    return {
        "start": _moment(read_time(raw.get("start_time"))),
        "end": _moment(read_time(raw.get("archived_time") or raw.get("finish_time"))),
        "error": visible(data.ex_data),
        "inputs": _listed(data.inputs),
    }

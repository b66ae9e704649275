"""What the tab shows of a SOPS task, as plain JSON data without secrets. No I/O.

Texts of SOPS stay data: characters that nobody sees, or that turn the direction of a text, are escaped here, and the
page writes them as text only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.drawing.picture.layout import lay_out, route
from airflow_provider_sops.drawing.tree import figures_of, lines_of
from airflow_provider_sops.service.reading import read_mapping, read_text, read_time
from airflow_provider_sops.service.secrets import HIDDEN
from airflow_provider_sops.service.text import visible
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, SubProcess
from airflow_provider_sops.sops.pipeline_tree.variables import COMPONENT_OUTPUTS
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.task_secrets import WITHHELD, TaskSecrets
from airflow_provider_sops.sops.verdict import Verdict, judge, nodes_at_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_sops.drawing.picture import Figure, Line
    from airflow_provider_sops.sops.models import NodeStatus, TaskDetail, TaskStatus
    from airflow_provider_sops.sops.pipeline_tree import NodeKey
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node

#: What a node is that waits for a person, was skipped by one, or never runs. SOPS has no words for them.
WAITING, SKIPPED, NOT_TAKEN = "WAITING", "SKIPPED", "NOT_TAKEN"
APPROVAL = "bk_approve"
#: The inputs of an approval and of a pause that say who is asked, and what.
_VERIFIERS, _QUESTION = "bk_verifier", ("bk_approve_title", "bk_approve_message", "description")
_LONGEST_VALUE = 20_000
_TASK_ACTIONS = {
    Verdict.RUNNING: ("pause", "revoke"),
    Verdict.WAITING_FOR_PERSON: ("pause", "revoke"),
    Verdict.FAILING: ("pause", "revoke"),
    Verdict.FAILED: ("revoke",),
}


@dataclass(frozen=True)
class KnownTask:
    """A SOPS task apart from its state, with what is to be hidden of it.

    :param detail: as SOPS gives it.
    """

    detail: TaskDetail

    @cached_property
    def secrets(self) -> TaskSecrets:
        """What is to be hidden."""
        return TaskSecrets([self.detail]).work_out()

    @cached_property
    def tree(self) -> PipelineTree:
        """Its flow."""
        return PipelineTree(self.detail.pipeline_tree)

    @cached_property
    def drawing(self) -> dict[str, Any]:
        """All its levels as figures and lines with their places, and an ``id`` that changes with them."""
        return drawing_of(self.tree, self.shown)

    @property
    def name(self) -> str:
        """Its name without the key behind it."""
        key = TaskKey.in_name(self.detail.name)
        return self.full_name.rpartition(" #")[0] if key else self.full_name

    @property
    def full_name(self) -> str:
        """Its name as SOPS shows it."""
        return self.shown(self.detail.name)

    def shown(self, text: str) -> str:
        """Return a text of the flow without passwords, and with everything in it to be seen."""
        return visible(self.secrets.known.hide_in(text) if self.secrets.exist else text)

    def path_of(self, key: NodeKey) -> tuple[str, ...]:
        """Return the ids of a node in the task, behind those of the subprocesses around it."""
        return tuple(self.tree.nodes[key[:depth]].id for depth in range(1, len(key) + 1))

    def find(self, node_id: str) -> Node | None:
        """Return a node by its id in the task."""
        return next((node for node in self.tree.nodes.values() if node.id == node_id), None)

    def constants(self) -> list[dict[str, Any]]:
        """Return what the task was given."""
        found = []
        for key, raw in self.detail.constants.items():
            constant = read_mapping(raw)
            if constant.get("source_type") == COMPONENT_OUTPUTS:
                continue
            value = HIDDEN if is_password(constant) else self.secrets.known.hide(constant.get("value"))
            found.append(
                {"key": visible(key), "name": self.shown(read_text(constant.get("name"))), "value": shown_value(value)}
            )
        return found

    def outputs(self) -> list[dict[str, Any]]:
        """Return what the task has put out; nothing before it is FINISHED."""
        outputs = self.secrets.outputs(self.detail.shown_outputs)
        return [{"key": visible(name), "value": shown_value(value)} for name, value in outputs.items()]

    def asked(self, node: Node) -> dict[str, str] | None:
        """Return who is asked by a node that waits for a person, and what; ``None`` for other nodes."""
        if not node.waits_for_person or node.component is None:
            return None
        inputs = {name: read_mapping(raw).get("value") for name, raw in node.component.data.items()}
        question = (self._filled(inputs.get(name)) for name in _QUESTION)
        return {"who": self._filled(inputs.get(_VERIFIERS)), "what": "\n".join(filter(None, question))}

    def _filled(self, value: Any) -> str:
        """Return an input; where it is a constant as a whole, what that was given."""
        text = read_text(value) if isinstance(value, str | int) else ""
        constant = read_mapping(self.detail.constants.get(text.strip()))
        if constant and not is_password(constant) and isinstance(constant.get("value"), str | int):
            text = read_text(constant["value"])
        return self.shown(text)


def shown_value(value: Any) -> str:
    """Return a value as a text for people: a text as it is, all else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return visible(text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…")


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


def lasts(view: Mapping[str, Any]) -> float:
    """For how many seconds nobody needs to ask again; a task that has ended changes no more."""
    return 3.0 if view["goes_on"] else 600.0


def drawing_of(tree: PipelineTree, shown: Callable[[str], str]) -> dict[str, Any]:
    """Return the levels of a tree as figures and lines with their places, and an ``id`` that changes with them.

    :param shown: makes a text of the flow one that may be shown.
    """
    levels = []
    for path, level in tree.levels.items():
        figures, lines = figures_of(level, {}), lines_of(level)
        layout = lay_out(figures, lines)
        ids = [tree.nodes[path[:depth]].id for depth in range(1, len(path) + 1)]
        levels.append(
            {
                "path": ids,
                "name": shown(tree.nodes[path].name) if path else "",
                "figures": [_drawn_figure(each, layout.boxes[each.id], shown) for each in figures],
                "lines": [_drawn_line(each, layout, shown) for each in lines],
            }
        )
    text = json.dumps(levels, ensure_ascii=True, sort_keys=True)
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:16], "levels": levels}


def _drawn_figure(figure: Figure, box: Any, shown: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": figure.id,
        "shape": figure.shape.value,
        "name": shown(figure.name),
        "detail": shown(figure.detail),
        "optional": figure.is_optional,
        "box": [round(box.x, 1), round(box.y, 1), box.width, box.height],
    }


def _drawn_line(line: Line, layout: Any, shown: Callable[[str], str]) -> dict[str, Any]:
    points = route(layout.boxes[line.source], layout.boxes[line.target], line.sides, layout.ways.get(line.id, ()))
    return {
        "points": [[round(x, 1), round(y, 1)] for x, y in points],
        "label": shown(line.label),
        "words": shown(line.words),
    }


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

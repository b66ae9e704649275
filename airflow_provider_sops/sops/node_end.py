"""How a node has ended, by its row in the task's status: for all that wait for nodes, or look at them afterwards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.text import shortened
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.node_result import NodeOutcome, NodeResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus


#: Servers since 2021 begin each entry with time and level; a line without them continues the previous entry.
_STAMP = re.compile(r"\[\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[^\]]*\]\s?\[[A-Z]+\] ?")
#: Patterns that occur only in engine lines.
_SAID_BY_ENGINE = re.compile(
    r"\broot[_ ]pipeline\[|\btop_pipeline\(|\[pipeline-trace\]|\[interrupt\(|\[fence\] "
    r"|\[(?:exclusive|conditional_parallel)_gateway\] |\[eri_(?:execute|schedule) worker\]"
    r"|<(?:ContextValue|ExecutionData|CallbackData): ?\{"
)
#: How the entries of the variable renderer begin.
_SAID_BY_RENDERING = re.compile(
    r"pipeline (?:get|resolve) template\[|constant content\(|forbidden (?:template|by whitelist): |isolated render "
)
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")


def without_engine_lines(log_text: str) -> str:
    """Return the plugin's part of a node's log."""
    kept: list[str] = []
    is_engine = is_stamped = in_traceback = False
    for line in log_text.splitlines():
        stamp = _STAMP.match(line)
        if _is_of_engine(line, stamp.end() if stamp else 0):
            is_engine, is_stamped, in_traceback = True, stamp is not None, False
        elif is_engine and not stamp and (is_stamped or in_traceback or _goes_on(line)):
            # The first line that is not indented is the exception, and ends the traceback.
            in_traceback = line.startswith((" ", "\t", _TRACEBACK))
        else:
            is_engine = False
            kept.append(line)
    return "\n".join(kept)


def _is_of_engine(line: str, begin: int) -> bool:
    return _SAID_BY_ENGINE.search(line) is not None or _SAID_BY_RENDERING.match(line, begin) is not None


def _goes_on(line: str) -> bool:
    """Whether a line without a timestamp continues an exception that an engine line reported."""
    return not line or line.startswith((_TRACEBACK, *_CHAINED))


def node_result(
    outcome: NodeOutcome, row: NodeStatus | None, task_state: str, *, error: str = "", reason: str = ""
) -> NodeResult:
    """Return a result with all that a row says.

    :param row: the node's last one; ``None`` if it was never seen.
    :param task_state: the last state word of the task.
    :param error: SOPS's error text, for a failed node.
    :param reason: what else there is to know, in a sentence.
    """
    if row is None:
        return NodeResult(outcome, task_state=task_state, error=error, reason=reason)
    return NodeResult(
        outcome,
        state=row.state.value,
        task_state=task_state,
        version=row.version,
        loop=row.loop,
        retry=row.retry,
        start_time=row.start_time_text,
        finish_time=row.finish_time_text,
        elapsed_seconds=row.elapsed_seconds,
        error=error,
        reason=reason,
    )


def finished_outcome(row: NodeStatus) -> NodeOutcome:
    """Return how a node came to be FINISHED."""
    if row.skip:
        return NodeOutcome.SKIPPED
    return NodeOutcome.ERROR_IGNORED if row.error_ignored else NodeOutcome.FINISHED


def end_in(status: TaskStatus, row: NodeStatus) -> NodeResult:
    """Return how a node has ended that its task, which is over, has reached."""
    if row.state == TaskState.FAILED:
        return node_result(NodeOutcome.FAILED, row, status.state.value, error=shortened(status.error_of(row)))
    outcome = finished_outcome(row) if row.state == TaskState.FINISHED else NodeOutcome.TASK_OVER
    return node_result(outcome, row, status.state.value)


def detail_arguments(path: Sequence[str], plugin: str) -> dict[str, Any]:
    """Return what ``get_task_node_detail`` must be told of a node.

    :param path: its id in the task, behind those of the subprocesses around it.
    :param plugin: its plugin's code, without which outputs have no names; empty for a node that has none.
    """
    *stack, node_id = path
    return {"node_id": node_id, "component_code": plugin or None, "subprocess_stack": stack or None}

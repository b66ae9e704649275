"""What the task of a node writes to its log and pushes once the node has ended."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_time
from airflow_provider_sops.service.text import log_entry, quoted, shortened
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.node_end import detail_arguments, without_engine_lines
from airflow_provider_sops.sops.node_result import NodeOutcome
from airflow_provider_sops.sops.task_secrets import OUTPUTS_OF_ENGINE
from airflow_provider_sops.task_instance.xcom import CHANGED
from airflow_provider_sops.waiting.follow import few
from airflow_provider_sops.waiting.model import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_sops.hooks.configuration import NodeDetails
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import NodeData
    from airflow_provider_sops.sops.node_result import NodePath, NodeResult
    from airflow_provider_sops.sops.task_secrets import TaskSecrets
    from airflow_provider_sops.task_instance.log import TaskLog

NO_DATA = "Inputs and outputs of the node cannot be read: %s"
NO_LOG = "The node's log cannot be read: %s"
#: How many lines of a node's log are written to the Airflow task's.
MOST_LOG_LINES = 500
_PASSED_OVER = {
    NodeOutcome.SKIPPED: "It failed and was skipped in SOPS; the flow went on.",
    NodeOutcome.ERROR_IGNORED: "It failed and the flow went on, as the node says.",
}
#: The ends after which the flow went on, so that the mirror is green.
GREEN = frozenset({NodeOutcome.FINISHED, *_PASSED_OVER})


@dataclass(frozen=True, slots=True)
class NodeReport:
    """Inputs, outputs and log of a node, without the secrets in them.

    :param outputs: ``None`` if they could not be read.
    """

    lines: tuple[LogLine, ...] = ()
    outputs: Mapping[str, Any] | None = field(default=None, repr=False)


def is_read(which: NodeDetails, outcome: NodeOutcome, log: TaskLog) -> bool:
    """Whether inputs, outputs and log of an ended node are read; if not, the log says so.

    :param which: of which nodes; one that was skipped after a failure has failed.
    """
    if which == "all" or (which == "failed" and outcome != NodeOutcome.FINISHED):
        return True
    log.info('Inputs, outputs and log of the node were not read (node_details="%s").', which)
    return False


def node_xcom(result: NodeResult, sops_task_id: int, node_id: str) -> dict[str, Any]:
    """Return what the task of a node pushes under ``NODE_XCOM_KEY``."""
    return {**result.to_event(), "node_id": node_id, "sops_task_id": sops_task_id}


def status_lines(result: NodeResult) -> list[LogLine]:
    """Return what SOPS's status says about the node's end."""
    lines = []
    if result.start_time:
        lines.append(LogLine(_times(result)))
    told = [f"retried {_times_of(result.retry)}"] if result.retry else []
    told += [f"round {result.loop} of its loop"] if result.loop > 1 else []
    if told:
        lines.append(LogLine(f"SOPS: {', '.join(told)}."))
    if result.outcome in _PASSED_OVER:
        lines.append(LogLine(_PASSED_OVER[result.outcome], logging.WARNING))
    return lines


def _times(result: NodeResult) -> str:
    """Return when SOPS ran the node, in UTC as all of Airflow's log, and once in SOPS's own time zone."""
    began, ended = _in_utc(result.start_time), _in_utc(result.finish_time)
    told = f"ended {ended}, took {result.elapsed_seconds} s" if ended else "has not ended"
    own = "" if result.start_time in began else f" (began {result.start_time} in SOPS's time zone)"
    return f"SOPS: began {began}, {told}{own}."


def _in_utc(text: str) -> str:
    moment = read_time(text)
    return text if moment is None else f"{moment.in_timezone('UTC').format('YYYY-MM-DD HH:mm:ss')} UTC"


def _times_of(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def report(node_id: str, data: NodeData, log_text: str, secrets: TaskSecrets) -> NodeReport:
    """Return what to log and to return.

    :param node_id: the node's id in its task.
    :param data: what SOPS returns for the node.
    :param log_text: the node's log; what the engine wrote there is left out.
    :param secrets: of the task.
    """
    data, plugin_text = secrets.node(node_id, data, without_engine_lines(log_text))
    lines = _values("input", data.inputs) + _values("output", data.outputs)
    changed = [name for name in data.changed_outputs if name in data.outputs]
    lines += [LogLine(CHANGED % ("outputs", quoted(name)), logging.WARNING) for name in changed]
    return NodeReport((*few(lines), *_last_lines(plugin_text)), data.outputs)


def _values(kind: str, values: Mapping[str, Any]) -> list[LogLine]:
    told = {name: value for name, value in values.items() if name not in OUTPUTS_OF_ENGINE}
    return [LogLine(f"SOPS: {kind} {quoted(name)} = {shortened(repr(value))}") for name, value in told.items()]


def _last_lines(log_text: str) -> list[LogLine]:
    written = log_text.splitlines()
    lines = [LogLine(f"SOPS: | {shortened(line)}") for line in written[-MOST_LOG_LINES:]]
    if len(written) <= MOST_LOG_LINES:
        return lines
    return [LogLine(f"SOPS: the last {MOST_LOG_LINES} of the {len(written)} lines of the node's log:"), *lines]


@dataclass(frozen=True, slots=True)
class EndedNode:
    """A node whose inputs, outputs and log are to be read. Without them its end counts all the same.

    :param path: its id in the task, behind those of the subprocesses around it.
    :param plugin: its plugin's code; empty for a node that has none.
    :param version: of its last try; empty if it is not known.
    """

    path: NodePath
    plugin: str
    version: str

    def read(self, hook: SopsHook, sops_task_id: int, secrets: TaskSecrets, log: TaskLog) -> NodeReport:
        """Ask SOPS, on a worker; an empty report if it does not tell."""
        data = self.read_data(hook, sops_task_id, secrets, log)
        if data is None:
            return NodeReport()
        try:
            text = hook.get_task_node_log(sops_task_id, self.path[-1], version=self.version or None)
        except SopsError as error:
            log.debug(NO_LOG, secrets.message(str(error)))
            text = ""
        return report(self.path[-1], data, text, secrets)

    def read_data(self, hook: SopsHook, sops_task_id: int, secrets: TaskSecrets, log: TaskLog) -> NodeData | None:
        """Ask SOPS for inputs and outputs alone; ``None`` if it does not tell."""
        try:
            return hook.get_task_node_detail(sops_task_id, **detail_arguments(self.path, self.plugin), fresh=True).data
        except SopsError as error:
            log.warning(NO_DATA, secrets.message(str(error)))
            return None


def write(lines: Iterable[LogLine], log: TaskLog) -> None:
    """Write lines to a task's log."""
    for line in lines:
        log.log(line.level, "%s", log_entry(line.text))

"""What a mirror writes to its log, and hands on, once its node has ended."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.node_waiting import NodeOutcome
from airflow_provider_sops.sops.progress import quoted, shortened
from airflow_provider_sops.sops.waiting import LogLine

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_sops.sops.models import NodeData
    from airflow_provider_sops.sops.node_waiting import NodeResult

_HIDDEN = "***"
#: A shorter text says nothing, but would be found everywhere.
_SHORTEST_SECRET = 3
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


def node_xcom(result: NodeResult, sops_task_id: int, node_id: str) -> dict[str, Any]:
    """Return what a mirror pushes under ``NODE_XCOM_KEY``."""
    return {**result.to_event(), "node_id": node_id, "sops_task_id": sops_task_id}


def told(result: NodeResult) -> list[LogLine]:
    """Return what SOPS's status says of the node's end."""
    lines = []
    if result.start_time:
        ended = f"ended {result.finish_time}" if result.finish_time else "has not ended"
        lines.append(LogLine(f"SOPS: began {result.start_time}, {ended}, took {result.elapsed_seconds} s."))
    if result.retry or result.loop > 1:
        lines.append(LogLine(f"SOPS: {result.retry} retries, {result.loop} rounds."))
    if result.outcome in _PASSED_OVER:
        lines.append(LogLine(_PASSED_OVER[result.outcome], logging.WARNING))
    return lines


def report(data: NodeData, log_text: str = "", secret_inputs: Collection[str] = ()) -> NodeReport:
    """Return what to log and to hand on.

    :param data: what SOPS tells of the node.
    :param log_text: what its plugin wrote.
    :param secret_inputs: names of the inputs that hold passwords; their values are hidden wherever they occur.
    """
    secrets = {text for name in secret_inputs for text in secret_texts(data.inputs.get(name))}
    inputs = {name: _HIDDEN if name in secret_inputs else _hide(value, secrets) for name, value in data.inputs.items()}
    outputs = {name: _hide(value, secrets) for name, value in data.outputs.items()}
    lines = [LogLine(f"SOPS: input {quoted(name)} = {shortened(repr(value))}") for name, value in inputs.items()]
    lines += [LogLine(f"SOPS: output {quoted(name)} = {shortened(repr(value))}") for name, value in outputs.items()]
    lines += [LogLine(f"SOPS: | {shortened(line)}") for line in _hide(log_text, secrets).splitlines()]
    return NodeReport(tuple(lines), outputs)


def secret_texts(value: Any) -> set[str]:
    """Return all texts in a JSON value that are long enough to tell a secret by."""
    if isinstance(value, dict):
        return {text for each in value.values() for text in secret_texts(each)}
    if isinstance(value, list):
        return {text for each in value for text in secret_texts(each)}
    return {value} if isinstance(value, str) and len(value) >= _SHORTEST_SECRET else set()


def _hide(value: Any, secrets: Collection[str]) -> Any:
    if not secrets:
        return value
    if isinstance(value, dict):
        return {name: _hide(each, secrets) for name, each in value.items()}
    if isinstance(value, list):
        return [_hide(each, secrets) for each in value]
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret, _HIDDEN)
    return value

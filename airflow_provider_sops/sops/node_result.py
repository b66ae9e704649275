"""Which node of a task a wait is for, and how it ended; both as JSON too, for triggers and their events.

A node that a task passes by has no row in its status, now or later, just like one that it has not reached yet. What
tells them apart is the arrival of other nodes. A node in a loop is FINISHED once in each round; there too, the arrival
of others tells that the loop is over.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_sops.service.reading import read_int, read_list, read_mapping, read_text
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from airflow_provider_sops.waiting.event import read_outcome

NodePath = tuple[str, ...]

_TEXTS = ("state", "task_state", "version", "start_time", "finish_time", "error", "reason")
_NUMBERS = ("loop", "retry", "elapsed_seconds")


class NodeOutcome(StrEnum):
    """How waiting for a node ended. For a new word the same holds as for one of ``wait_result.Outcome``."""

    FINISHED = "finished"
    #: The task has reached it; the end of a wait for no more than that.
    ARRIVED = "arrived"
    #: It failed and somebody, or the node's own time limit, skipped it; the flow went on.
    SKIPPED = "skipped"
    #: It failed and the flow goes on, as the node says.
    ERROR_IGNORED = "error ignored"
    FAILED = "failed"
    NEVER_RUNS = "never runs"
    #: The task has ended, or has failed elsewhere, before the node came to an end.
    TASK_OVER = "task over"
    TIMED_OUT = "timed out"
    UNREACHABLE = "unreachable"
    UNKNOWN_TASK = "unknown task"


@dataclass(frozen=True, slots=True)
class NodeInTask:
    """A node and what its task's other nodes say of it.

    Each path has the ids of the *task's* nodes, from the outermost subprocess to the node itself.

    :param never_after: nodes of which each, once it has arrived, proves that this one will not run if it has not.
    :param last_round_after: for a node in a loop: nodes of which each, once it has arrived, proves that this one will
        not run again; ``None`` for a node that runs at most once.
    :param waits_for_person: whether the node runs until somebody acts in SOPS.
    :param until_arrival: whether to wait only until the task has reached the node.
    :param plugin: the code of its plugin; empty for gateways and subprocesses, which have no outputs.
    :param secrets_of: ids of the SOPS tasks whose passwords its texts may hold: its own, and before it the tasks around
        that; empty for a flow without passwords.
    """

    path: NodePath
    never_after: tuple[NodePath, ...] = ()
    last_round_after: tuple[NodePath, ...] | None = None
    waits_for_person: bool = False
    until_arrival: bool = False
    plugin: str = ""
    secrets_of: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """The node's own id."""
        return self.path[-1]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        rounds = self.last_round_after
        return {
            "path": list(self.path),
            "never_after": [list(path) for path in self.never_after],
            "last_round_after": None if rounds is None else [list(path) for path in rounds],
            "waits_for_person": self.waits_for_person,
            "until_arrival": self.until_arrival,
            "plugin": self.plugin,
            **({"secrets_of": list(self.secrets_of)} if self.secrets_of else {}),
        }

    @classmethod
    def from_json(cls, data: Any) -> NodeInTask:
        """Read back what ``to_json`` gave.

        :raises SopsInvalidParameterError: it names no node.
        """
        data = read_mapping(data)
        path = _read_path(data.get("path"))
        if not path:
            raise SopsInvalidParameterError("a wait for a node of a SOPS task names no node")
        rounds = data.get("last_round_after")
        return cls(
            path=path,
            never_after=tuple(map(_read_path, read_list(data.get("never_after")))),
            last_round_after=None if rounds is None else tuple(map(_read_path, read_list(rounds))),
            waits_for_person=bool(data.get("waits_for_person")),
            until_arrival=bool(data.get("until_arrival")),
            plugin=read_text(data.get("plugin")),
            secrets_of=tuple(map(read_int, read_list(data.get("secrets_of")))),
        )


@dataclass(frozen=True, slots=True)
class NodeResult:
    """How waiting for a node ended. Made of JSON types, since a trigger sends it as an event.

    :param state: the node's last state word, empty if it was never seen.
    :param task_state: the task's.
    :param version: of the node's last try, as SOPS calls it; its log is asked for by that.
    :param loop: the rounds of a node in a loop.
    :param start_time: of the last try, as SOPS writes it.
    :param error: SOPS's error text, for a failed node.
    :param reason: what else there is to know, in a sentence.
    """

    outcome: NodeOutcome
    state: str = ""
    task_state: str = ""
    version: str = ""
    loop: int = 0
    retry: int = 0
    start_time: str = ""
    finish_time: str = ""
    elapsed_seconds: int = 0
    error: str = ""
    reason: str = ""

    def to_event(self) -> dict[str, Any]:
        """Return the result as plain JSON data."""
        return {**asdict(self), "outcome": self.outcome.value}

    @classmethod
    def from_event(cls, event: Any) -> NodeResult:
        """Read a result back.

        :raises SopsInvalidParameterError: if ``event`` is nothing that ``to_event`` made.
        :raises SopsError: if it was made by a newer version, for an outcome that this one does not know.
        """
        data = read_mapping(event)
        outcome = read_outcome(event, NodeOutcome, "a node", invalid=SopsInvalidParameterError, unknown=SopsError)
        known: dict[str, Any] = {"outcome": outcome}
        known |= {name: read_text(data.get(name)) for name in _TEXTS}
        known |= {name: read_int(data.get(name)) for name in _NUMBERS}
        return cls(**known)


def _read_path(value: Any) -> NodePath:
    return tuple(map(read_text, read_list(value)))

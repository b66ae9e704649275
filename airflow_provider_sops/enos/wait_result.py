"""The rules of a wait for an EnOS instance, and how it ended; both as JSON too, for triggers and their events."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.errors import EnosError, EnosInvalidParameterError
from airflow_provider_sops.enos.verdict import FailedTask
from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.waiting.event import read_outcome

if TYPE_CHECKING:
    from collections.abc import Mapping


class InstanceKind(StrEnum):
    """What is waited for, in words."""

    FLOW = "flow instance"
    TASK = "task instance"


class Outcome(StrEnum):
    """How waiting for an instance ended.

    An older worker may have to read the word: add one only if a trigger sends it where its arguments ask for it.
    """

    ENDED = "ended"
    TIMED_OUT = "timed out"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class WaitPolicy:
    """How long to wait and how often to ask.

    :param poll_interval_seconds: time between two looks.
    :param deadline: when to give up, in seconds since the epoch; ``None`` for never.
    :param max_outage_seconds: how long the wait goes on without an answer.
    :param rerun_wait_seconds: how long a failure with automatic reruns left may stand still before it is the end.
    :param settle_seconds: how long a failed flow in which nothing runs, but some nodes have not begun, must stand still
        before that is the end.
    """

    poll_interval_seconds: float = 30.0
    deadline: float | None = None
    max_outage_seconds: float = 3600.0
    rerun_wait_seconds: float = 1800.0
    settle_seconds: float = 60.0

    def to_json(self) -> dict[str, Any]:
        """Return the policy as plain JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WaitPolicy:
        """Read back what ``to_json`` gave, also where it comes from another version of this package."""
        data = read_mapping(data)
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})


@dataclass(frozen=True, slots=True)
class WaitResult:
    """How waiting ended. Goes from a trigger to the operator as an event, so it is made of JSON types.

    :param status: the last status word that EnOS gave; empty where it never answered.
    :param reason: what else there is to know, in a sentence.
    :param failed: the tasks that failed.
    """

    outcome: Outcome
    status: str = ""
    reason: str = ""
    failed: tuple[FailedTask, ...] = ()

    def to_event(self) -> dict[str, Any]:
        """Return the result as plain JSON data."""
        return {
            "outcome": self.outcome.value,
            "status": self.status,
            "reason": self.reason,
            "failed": [asdict(task) for task in self.failed],
        }

    @classmethod
    def from_event(cls, event: Any) -> WaitResult:
        """Read a result back.

        :raises EnosInvalidParameterError: if ``event`` is nothing that ``to_event`` made.
        :raises EnosError: if it was made by a newer version, for an outcome that this one does not know.
        """
        data = read_mapping(event)
        outcome = read_outcome(event, Outcome, "an EnOS instance", invalid=EnosInvalidParameterError, unknown=EnosError)
        return cls(
            outcome=outcome,
            status=read_text(data.get("status")),
            reason=read_text(data.get("reason")),
            failed=tuple(
                FailedTask(*(read_text(task.get(key)) for key in ("instance_id", "label", "status")))
                for task in map(read_mapping, read_list(data.get("failed")))
            ),
        )

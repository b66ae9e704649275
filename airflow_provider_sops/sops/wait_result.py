"""The rules of a wait for a SOPS task, and how it ended; both as JSON too, for triggers and their events."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError, SopsNotFoundError
from airflow_provider_sops.sops.person_request import WaitingNode
from airflow_provider_sops.waiting.event import read_outcome
from airflow_provider_sops.waiting.model import Look
from airflow_provider_sops.waiting.outage import Outage
from airflow_provider_sops.waiting.pace import LONGEST_PAUSE_SECONDS, pause_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

OnFailed = Literal["fail", "wait"]

#: For how long SOPS answers from its cache, unless it is asked not to.
CACHED_SECONDS = 10.0


class Outcome(StrEnum):
    """How waiting for a task ended.

    An older worker may have to read the word: add one only if a trigger sends it where its arguments ask for it, as
    ``announce_failures`` does.
    """

    FINISHED = "finished"
    FAILED = "failed"
    REVOKED = "revoked"
    EXPIRED = "expired"
    #: Nodes failed and a person is needed; said once for each set of failed nodes, then waiting goes on.
    PERSON_NEEDED = "person needed"
    #: Nodes begin to wait for people; said once for each of them, then waiting goes on.
    ASKED = "asked"
    TIMED_OUT = "timed out"
    NOT_STARTED = "not started"
    UNREACHABLE = "unreachable"
    UNKNOWN_TASK = "unknown task"


@dataclass(frozen=True, slots=True)
class WaitPolicy:
    """How long to wait, how often to ask and what a failure means.

    :param on_failed: ``"fail"`` ends the wait once a failed task has settled, ``"wait"`` leaves it to people.
    :param poll_interval_seconds: time between two looks.
    :param paced: whether ``poll_interval_seconds`` is only the longest time: what began a moment ago is looked at more
        often, see ``waiting.pace``.
    :param deadline: when to give up, in seconds since the epoch; ``None`` for never.
    :param start_deadline: when a task must have left CREATED, in seconds since the epoch; ``None`` for never.
    :param max_outage_seconds: how long the wait goes on without an answer.
    :param failure_rest_seconds: how long a failure must rest, nothing changing, before it counts; for whoever leaves
        time to somebody else to retry the nodes.
    :param announce_failures: whether PERSON_NEEDED is an outcome, with ``on_failed="wait"``.
    :param announce_requests: whether ASKED is an outcome.
    :param announced: the failures that were announced before, as ``WaitResult.failure_marks`` gave them.
    :param told: what was told of the nodes before, as ``WaitResult.told`` gave it.
    :param overcome: marks of failures whose nodes were retried just before the wait: an answer that still shows only
        these is old, for as long as SOPS can give old answers.
    :param always_fresh: never let the server answer from its cache; needed after a retry or a skip.
    """

    on_failed: OnFailed = "fail"
    poll_interval_seconds: float = LONGEST_PAUSE_SECONDS
    deadline: float | None = None
    start_deadline: float | None = None
    max_outage_seconds: float = 3600.0
    failure_rest_seconds: float = 0.0
    announce_failures: bool = False
    announced: tuple[str, ...] = ()
    overcome: tuple[str, ...] = ()
    always_fresh: bool = False
    told: str = ""
    paced: bool = False
    announce_requests: bool = False

    def ordinary_look(self, age_seconds: float) -> Look:
        """Return the next ordinary look.

        :param age_seconds: how long what is waited for has been running.
        """
        longest = self.poll_interval_seconds
        if not self.paced:
            return Look(longest)
        delay = pause_seconds(age_seconds, longest)
        return Look(delay, fresh=delay < CACHED_SECONDS, longest_delay_seconds=longest)

    def after_announcing(self, result: WaitResult) -> WaitPolicy:
        """Return the policy to go on with once somebody was told of the failures or requests in ``result``."""
        return replace(self, announced=result.failure_marks, told=result.told)

    def outage(self, now: float) -> Outage:
        """Return the account of missing answers for a wait that begins now."""
        return Outage("SOPS", "task", now, self.max_outage_seconds, (SopsNotFoundError,))

    def to_json(self) -> dict[str, Any]:
        """Return the policy as plain JSON data."""
        data = {**asdict(self), "announced": list(self.announced), "overcome": list(self.overcome)}
        later = ("told", "paced", "announce_requests")
        return {name: value for name, value in data.items() if name not in later or value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WaitPolicy:
        """Read back what ``to_json`` gave, also where it comes from another version of this package."""
        data = read_mapping(data)
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        marks = {name: tuple(map(str, data.get(name) or ())) for name in ("announced", "overcome")}
        return cls(**{**known, **marks})


@dataclass(frozen=True, slots=True)
class FailedNode:
    """A node that failed, for messages.

    :param label: its name in quotes, or type and id where it has no name.
    :param error: SOPS's error text; empty where it gave none.
    """

    id: str
    label: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class WaitResult:
    """How waiting ended. Goes from a trigger to the operator as an event, so it is made of JSON types.

    :param state: the last state word that SOPS gave; empty where it never answered.
    :param reason: what else there is to know, in a sentence.
    :param failure_marks: identify these failures, for ``WaitPolicy.announced``.
    :param told: what the log has told of the nodes, for ``WaitPolicy.told``; only with PERSON_NEEDED and ASKED.
    :param waiting: the nodes that begin to wait for people; only with ASKED.
    """

    outcome: Outcome
    state: str = ""
    reason: str = ""
    failed_nodes: tuple[FailedNode, ...] = ()
    failure_marks: tuple[str, ...] = ()
    told: str = ""
    waiting: tuple[WaitingNode, ...] = ()

    def to_event(self) -> dict[str, Any]:
        """Return the result as plain JSON data."""
        return {
            "outcome": self.outcome.value,
            "state": self.state,
            "reason": self.reason,
            "failed_nodes": [asdict(node) for node in self.failed_nodes],
            "failure_marks": list(self.failure_marks),
            **({"told": self.told} if self.told else {}),
            **({"waiting": [node.to_json() for node in self.waiting]} if self.waiting else {}),
        }

    @classmethod
    def from_event(cls, event: Any) -> WaitResult:
        """Read a result back.

        :raises SopsInvalidParameterError: if ``event`` is nothing that ``to_event`` made.
        :raises SopsError: if it was made by a newer version, for an outcome that this one does not know.
        """
        data = read_mapping(event)
        outcome = read_outcome(event, Outcome, "a SOPS task", invalid=SopsInvalidParameterError, unknown=SopsError)
        return cls(
            outcome=outcome,
            state=read_text(data.get("state")),
            reason=read_text(data.get("reason")),
            failed_nodes=tuple(
                FailedNode(*(read_text(node.get(key)) for key in ("id", "label", "error")))
                for node in map(read_mapping, read_list(data.get("failed_nodes")))
            ),
            failure_marks=tuple(map(read_text, read_list(data.get("failure_marks")))),
            told=read_text(data.get("told")),
            waiting=tuple(map(WaitingNode.from_json, read_list(data.get("waiting")))),
        )

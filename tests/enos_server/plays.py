"""How instances play out: a status for each look, the last one for ever."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FAIL, INIT, SUCCESS, RUNNING, SUSPEND, INTERNAL_ERROR, WAIT, READY, TIMEOUT, CANCEL, RERUN, SKIP = range(-1, 11)

WORDS: Mapping[int, str] = {
    FAIL: "FAIL",
    INIT: "INIT",
    SUCCESS: "SUCCESS",
    RUNNING: "RUNNING",
    SUSPEND: "SUSPEND",
    INTERNAL_ERROR: "INTERNAL_ERROR",
    WAIT: "WAIT",
    READY: "READY",
    TIMEOUT: "TIMEOUT",
    CANCEL: "CANCEL",
    RERUN: "RERUN",
    SKIP: "SKIP",
}
ENDED = frozenset({FAIL, SUCCESS, INTERNAL_ERROR, TIMEOUT, CANCEL, SKIP})


@dataclass(frozen=True)
class TaskPlay:
    """One task of a flow.

    :param statuses: one for each look at the flow's instance or at one of its tasks.
    :param recalls: the number of automatic reruns so far, for each look.
    :param log: ``None``: it has none.
    """

    statuses: Sequence[int] = (INIT, RUNNING, SUCCESS)
    recalls: Sequence[int] = (0,)
    recall_limit: int = 0
    log: str | None = "it went well"


@dataclass(frozen=True)
class Play:
    """One run of a flow: its own statuses, and its tasks by name."""

    statuses: Sequence[int] = (INIT, RUNNING, SUCCESS)
    tasks: Mapping[str, TaskPlay] = field(default_factory=lambda: {"extract": TaskPlay()})


@dataclass
class Flow:
    """A flow and how its coming instances play out; the last play is that of all further ones."""

    flow_id: int
    name: str
    plays: list[Play] = field(default_factory=lambda: [Play()])
    owner: str = "u1"
    parameters: dict[str, Any] = field(default_factory=dict)
    active: bool = True
    last_triggered: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def next_play(self) -> Play:
        """Return the play of the next instance."""
        return self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]

    def task_id(self, name: str) -> int:
        """Return the id of one of its tasks."""
        return self.flow_id * 100 + list(self.plays[0].tasks).index(name)


def at(sequence: Sequence[int], look: int) -> int:
    """Return what a sequence has for a look."""
    return sequence[min(look, len(sequence) - 1)]

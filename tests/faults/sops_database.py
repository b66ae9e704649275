"""What really ran, read from local_sops's own database behind the back of its API."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.task_key import TaskKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TASKS = """
    SELECT id, name, instance_id, is_started, start_requested_by, current_flow, start_time, finish_time,
           tree_json
    FROM local_sops_task WHERE instr(name, ?) ORDER BY id
"""
_STATES = "SELECT node_id, name, skip, started_time, archived_time FROM eri_state WHERE root_id = ?"
#: What waits for people, which no later task has to wait for.
_WAITS_FOR_PEOPLE = ("pause_node",)


@dataclass(frozen=True)
class RanNode:
    """An activity that the engine has reached, subprocesses left out: what runs is inside them."""

    id: str
    name: str
    component: str
    state: str
    was_skipped: bool
    began: datetime | None
    ended: datetime | None

    @property
    def waits_for_person(self) -> bool:
        """Whether it does nothing until somebody answers."""
        return self.component in _WAITS_FOR_PEOPLE

    def runs_at(self, moment: datetime) -> bool:
        """Whether it was at work at a moment; a skipped one has ended when it failed, not when it was skipped."""
        if (
            self.waits_for_person
            or self.was_skipped
            or self.state == "READY"
            or self.began is None
            or self.began > moment
        ):
            return False
        return self.ended > moment if self.ended else self.state == "RUNNING"


@dataclass(frozen=True)
class RanTask:
    """A SOPS task.

    :param state: as the API says it: FAILED as soon as one node has failed.
    """

    id: int
    name: str
    state: str
    is_started: bool
    start_was_asked_for: bool
    waits_for_claim: bool
    began: datetime | None
    ended: datetime | None
    nodes: tuple[RanNode, ...]

    @property
    def key(self) -> TaskKey:
        """The key in the name."""
        key = TaskKey.in_name(self.name)
        assert key is not None
        return key

    @property
    def start_is_pending(self) -> bool:
        """Whether SOPS is about to start it."""
        return self.start_was_asked_for and not (self.is_started or self.waits_for_claim)

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen in it any more."""
        return self.state in ("FINISHED", "REVOKED", "EXPIRED")

    def __str__(self) -> str:
        nodes = ", ".join(f"{node.name} {node.state} {_clock(node.began)}-{_clock(node.ended)}" for node in self.nodes)
        return (
            f"task {self.id} (generation {self.key.generation}) {self.state} "
            f"{_clock(self.began)}-{_clock(self.ended)}: {nodes or 'no node'}"
        )


class SopsDatabase:
    """Reads local_sops's database, alive or dead.

    :param path: its SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def tasks(self, keyword: str) -> list[RanTask]:
        """Return the tasks whose name holds ``keyword``, in the order of their creation."""
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            return [
                _read_task(row, connection.execute(_STATES, (row["instance_id"],)).fetchall())
                for row in connection.execute(_TASKS, (keyword,)).fetchall()
            ]


def _read_task(row: sqlite3.Row, states: list[sqlite3.Row]) -> RanTask:
    activities = dict(_activities(json.loads(row["tree_json"])))
    nodes = tuple(
        RanNode(
            id=state["node_id"],
            name=activities[state["node_id"]]["name"],
            component=activities[state["node_id"]]["component"]["code"],
            state=state["name"],
            was_skipped=bool(state["skip"]),
            began=_time(state["started_time"]),
            ended=_time(state["archived_time"]),
        )
        for state in states
        if state["node_id"] in activities
    )
    return RanTask(
        id=row["id"],
        name=row["name"],
        state=_state(row, {state["node_id"]: state["name"] for state in states}),
        is_started=bool(row["is_started"]),
        start_was_asked_for=bool(row["start_requested_by"]),
        waits_for_claim=row["current_flow"] == "func_claim",
        began=_time(row["start_time"]),
        ended=_time(row["finish_time"]),
        nodes=nodes,
    )


def _state(row: sqlite3.Row, states: Mapping[str, str]) -> str:
    root = states.get(row["instance_id"], "CREATED")
    return "FAILED" if root == "RUNNING" and "FAILED" in states.values() else root


def _activities(tree: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for node_id, node in tree["activities"].items():
        if node["type"] == "SubProcess":
            yield from _activities(node["pipeline"])
        else:
            yield node_id, node


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def _clock(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%M:%S.%f}"[:-3]

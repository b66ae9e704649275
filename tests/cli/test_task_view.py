"""The live table, on a terminal that is played."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest
from rich.console import Console

from airflow_provider_sops.cli.task_view import LiveTaskView, shown_rows
from airflow_provider_sops.sops.models import NodeStatus, TaskDetail, TaskState, TaskStatus
from airflow_provider_sops.sops.pipeline_tree import TreeIndex

TREE: dict[str, Any] = {
    "start_event": {"id": "s", "type": "EmptyStartEvent", "outgoing": "f1"},
    "end_event": {"id": "e", "type": "EmptyEndEvent", "incoming": ["f3"]},
    "activities": {
        "a": {"id": "a", "type": "ServiceActivity", "name": "[red]first\x1b[2J", "incoming": ["f1"], "outgoing": "f2"},
        "b": {"id": "b", "type": "ServiceActivity", "name": "second", "incoming": ["f2"], "outgoing": "f3"},
    },
    "gateways": {},
    "flows": {
        "f1": {"id": "f1", "source": "s", "target": "a"},
        "f2": {"id": "f2", "source": "a", "target": "b"},
        "f3": {"id": "f3", "source": "b", "target": "e"},
    },
}
DETAIL = TaskDetail.read({"id": 25, "name": "[bold]deploy", "pipeline_tree": TREE})


def node(state: str, *, node_id: str = "a", **fields: Any) -> NodeStatus:
    return NodeStatus(node_id, node_id, TaskState(state), **fields)


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=None, width=80, height=24)


def written(terminal: Console) -> str:
    assert isinstance(terminal.file, io.StringIO)
    return terminal.file.getvalue()


def test_it_shows_every_node_with_its_state_and_names_as_they_are(terminal: Console) -> None:
    with LiveTaskView(terminal) as view:
        view.begin(DETAIL, TreeIndex(TREE))
        view.show(TaskStatus(TaskState.RUNNING, nodes={"a": node("FINISHED", elapsed_seconds=7, retry=1)}))

    head, _, first, second = written(terminal).splitlines()[-5:-1]
    assert "SOPS task 25 [bold]deploy  RUNNING" in head
    assert first.split() == ["[red]first\\u001b[2J", "FINISHED", "7", "2"]
    assert second.split()[:2] == ["second", "-"]


def test_warnings_stand_above_it_and_what_it_shows_anyway_does_not(terminal: Console) -> None:
    with LiveTaskView(terminal) as view:
        view.begin(DETAIL, TreeIndex(TREE))
        view.log.warning("SOPS is out of reach\x07")
        view.tell("node a FINISHED", logging.INFO)

    assert "SOPS is out of reach\\u0007" in written(terminal)
    assert "node a FINISHED" not in written(terminal)


def test_a_tree_that_cannot_be_read_leaves_the_head(terminal: Console) -> None:
    with LiveTaskView(terminal) as view:
        view.begin(TaskDetail.read({"id": 25, "name": "deploy"}), None)
        view.show(TaskStatus(TaskState.RUNNING))

    assert "SOPS task 25 deploy  RUNNING" in written(terminal)


@pytest.mark.parametrize(
    ("states", "most", "shown"),
    [
        (["FINISHED", "RUNNING", None], 5, {0, 1, 2}),
        (["FINISHED", "RUNNING", None, None], 2, {1, 2}),
        (["FAILED", "FINISHED", "RUNNING", None], 1, {0}),
        (["FINISHED", "FINISHED", "RUNNING", None], 3, {1, 2, 3}),
        (["FINISHED", "FINISHED"], 0, {1}),
    ],
)
def test_a_small_terminal_shows_what_matters_now(states: list[str | None], most: int, shown: set[int]) -> None:
    nodes = [None if state is None else node(state) for state in states]

    assert shown_rows(nodes, most) == shown

from __future__ import annotations

import re

import pytest

from airflow_provider_sops.sops.models import TaskStatus
from demo.progress import ChangeLog, named_nodes, node_table

STATUS = TaskStatus.read(
    {
        "id": "root",
        "state": "RUNNING",
        "children": {
            "n3": {"id": "n3", "name": "publish", "state": "CREATED"},
            "n2": {
                "id": "n2",
                "name": "test",
                "state": "RUNNING",
                "start_time": "2026-11-20 18:34:09 +0800",
                "elapsed_time": 4,
            },
            "n1": {
                "id": "n1",
                "name": "compile",
                "state": "FINISHED",
                "start_time": "2026-11-20 18:34:08 +0800",
                "elapsed_time": 5,
            },
            "g1": {"id": "g1", "name": "", "state": "FINISHED", "start_time": "2026-11-20 18:34:08 +0800"},
        },
    }
)


def test_nodes_without_a_name_are_left_out_and_the_rest_stands_in_order_of_start() -> None:
    assert [node.name for node in named_nodes(STATUS)] == ["compile", "test", "publish"]


def test_table_has_name_state_start_and_duration_of_each_node() -> None:
    _, compiled, _, publish = node_table(named_nodes(STATUS))

    assert re.fullmatch(r" +compile +FINISHED +\d\d:\d\d:08 +5 s", compiled)
    assert re.fullmatch(r" +publish +CREATED +0 s", publish)


def test_a_state_is_printed_once_until_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    log = ChangeLog()
    for state in ("RUNNING", "RUNNING", "FINISHED"):
        log.states("SOPS", [("n1", "node compile", state)])

    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("  ")[2] for line in lines] == ["node compile: RUNNING", "node compile: FINISHED"]

"""What counts as a difference where Airflow runs the flow itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.differential.native_comparison import native_differences
from tests.differential.native_run import NativeRun
from tests.differential.sops_run import Key, Row, SopsRun
from tests.differential.watched_run import Shown

FAILED = Row("FAILED", loop=1, retry=0, skip=False, error_ignored=False, outputs=None, error="no disk")
NODE = {"outcome": "failed", "state": "FAILED", "loop": 1, "retry": 0, "error": "no disk"}
TEMPLATE = {
    "gateways": {},
    "activities": {name: {"type": "ServiceActivity", "component": {}} for name in ("bad", "left_out")},
}
#: In SOPS one node failed, and the other was left out.
SOPS = SopsRun("FAILED", {}, {("bad",): "n1"}, {("bad",): FAILED}, {})


def found(shown: Shown, **more: Any) -> list[str]:
    nodes: dict[Key, Shown] = {("bad",): Shown("failed", None, NODE), ("left_out",): shown}
    return native_differences(SOPS, NativeRun("failed", None, nodes, **more), TEMPLATE)


@pytest.mark.parametrize("state", ["success", "skipped", "upstream_failed"])
def test_a_node_that_was_left_out_has_not_failed(state: str) -> None:
    assert found(Shown(state, None)) == []
    assert found(Shown("failed", None)) == ["left_out: it was left out, but is failed"]


def test_a_node_that_was_left_out_of_a_loop_has_the_state_of_the_loop() -> None:
    in_loops = frozenset({("bad",), ("left_out",)})

    assert found(Shown("failed", None), in_loops=in_loops) == []


def test_a_node_that_was_left_out_has_not_run() -> None:
    in_loops = frozenset({("bad",), ("left_out",)})

    (difference,) = found(Shown("failed", None, NODE), in_loops=in_loops)

    assert difference.startswith("left_out: it has run, though not in SOPS")

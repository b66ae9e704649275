"""Where a node of a template is in the SOPS task of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sops.sops.node_result import NodeInTask
from airflow_provider_sops.sops.pipeline_tree.mapping import TaskMapping
from airflow_provider_sops.task_instance.mirrored_node import FlowTask, MirroredNode, key_text

NODE = MirroredNode(
    key=("call", "a"),
    never_after=(("x",), ("call", "b")),
    last_round_after=(("call", "c"), ("y",)),
    waits_for_person=True,
    has_data=True,
    plugin="pause_node",
    has_secrets=True,
)


def task(paths: dict[str, list[str]], *independent: str) -> FlowTask:
    return FlowTask(7, "http://sops/7", paths, independent)


@pytest.mark.parametrize(
    "node", [NODE, MirroredNode(key=("a",)), MirroredNode(key=("a",), last_round_after=(), never_after=(("b",),))]
)
def test_it_survives_json(node: MirroredNode) -> None:
    assert MirroredNode.from_json(json.loads(json.dumps(node.to_json()))) == node


def test_it_and_what_proves_something_of_it_have_the_ids_of_the_task() -> None:
    paths = {"call": ["n1"], "call/a": ["n1", "n2"], "call/b": ["n1", "n3"], "y": ["n4"]}
    assert NODE.in_task(task(paths)) == NodeInTask(
        path=("n1", "n2"),
        # What is not in the task proves nothing.
        never_after=(("n1", "n3"),),
        last_round_after=(("n4",),),
        waits_for_person=True,
        plugin="pause_node",
        secrets_of=(7,),
    )


def test_a_node_that_was_excluded_is_nowhere() -> None:
    flow = task({"call": ["n1"], "call/b": ["n1", "n3"]})
    assert NODE.in_task(flow) is None
    assert NODE.task_around(flow) is None


def test_a_node_in_an_independent_subprocess_is_in_that_task() -> None:
    flow = task({"call": ["n1"], "x": ["n9"]}, "call")
    assert NODE.task_around(flow) == ("call",)
    assert NODE.arrival_of(("call",), flow) == NodeInTask(
        path=("n1",), never_after=(("n9",),), until_arrival=True, secrets_of=(7,)
    )
    inner = NODE.inside(("call",))
    inner_flow = FlowTask(8, "http://sops/8", {"a": ["m1"], "b": ["m2"], "c": ["m3"]}, outer=(7,))
    assert inner.in_task(inner_flow) == NodeInTask(
        path=("m1",),
        never_after=(("m2",),),
        last_round_after=(("m3",),),
        waits_for_person=True,
        plugin="pause_node",
        # The passwords of the flow around it may go into it.
        secrets_of=(7, 8),
    )


@pytest.mark.parametrize(
    ("ids", "elsewhere", "independent"),
    [
        ({("a",): "n1"}, set(), []),
        ({("call",): "n1"}, {("call", "a"), ("call", "deep", "b")}, ["call"]),
        ({("s",): "n1", ("s", "call"): "n2"}, {("s", "call", "a")}, ["s/call"]),
    ],
)
def test_a_task_names_its_independent_subprocesses(ids: Any, elsewhere: Any, independent: list[str]) -> None:
    found = FlowTask.of(7, "", TaskMapping(ids, frozenset(), frozenset(elsewhere), ()))
    assert found.independent == independent
    assert found.paths == {key_text(key): [ids[key[:depth]] for depth in range(1, len(key) + 1)] for key in ids}

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from tests.sops.builders import activity, answer_with, pipeline_tree, subprocess

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node


def found(tree: Any, node_id: str) -> Node:
    known = TreeIndex(tree).get(node_id)
    assert known is not None
    return known


BRANCHES = pipeline_tree(
    "start > p > a > v > end",
    "start > p > b > v > end",
    nodes={"p": "ParallelGateway", "v": "ConvergeGateway", "a": activity("审批", "bk_approve")},
)


def test_a_node_has_its_name_type_and_plugin() -> None:
    known = found(BRANCHES, "a")

    assert (known.id, known.name, known.type, known.plugin) == ("a", "审批", "ServiceActivity", "bk_approve")


def test_gateways_and_events_are_nodes_without_a_plugin() -> None:
    assert [(found(BRANCHES, key).type, found(BRANCHES, key).plugin) for key in ("start", "p", "v", "end")] == [
        ("EmptyStartEvent", ""),
        ("ParallelGateway", ""),
        ("ConvergeGateway", ""),
        ("EmptyEndEvent", ""),
    ]


def test_a_node_knows_its_neighbours() -> None:
    assert (found(BRANCHES, "p").sources, found(BRANCHES, "p").targets) == (("start",), ("a", "b"))
    assert (found(BRANCHES, "v").sources, found(BRANCHES, "v").targets) == (("a", "b"), ("end",))
    assert (found(BRANCHES, "start").sources, found(BRANCHES, "end").targets) == ((), ())


def test_a_loop_leads_back() -> None:
    tree = pipeline_tree("start > a > e > a > e > end", nodes={"e": "ExclusiveGateway"})

    assert found(tree, "a").sources == ("start", "e")
    assert found(tree, "e").targets == ("a", "end")


def test_a_node_knows_how_often_sops_retries_it_by_itself_however_deep_it_is() -> None:
    inner = pipeline_tree(
        "s2 > b > c > e2",
        nodes={
            "b": activity("b", auto_retry={"enable": True, "interval": 25, "times": 4}),
            "c": activity("c", auto_retry={"enable": False, "interval": 25, "times": 4}),
        },
    )
    retried = {"enable": True, "interval": 5, "times": 1}
    tree = pipeline_tree("start > s > d > end", nodes={"s": subprocess("sub", inner, auto_retry=retried)})

    retries = {key: (found(tree, key).auto_retry_times, found(tree, key).auto_retry_interval_seconds) for key in "bcds"}
    assert retries == {"b": (4, 25), "c": (0, 0), "d": (0, 0), "s": (0, 0)}


def test_nodes_within_subprocesses_are_found_however_deep() -> None:
    deepest = pipeline_tree("s3 > c > e3", nodes={"c": activity("wait", "pause_node")})
    deep = pipeline_tree("s2 > t > e2", nodes={"t": subprocess("deep", deepest)})
    tree = pipeline_tree("start > s > end", nodes={"s": subprocess("sub", deep)})

    assert (found(tree, "s").type, found(tree, "s").plugin) == ("SubProcess", "")
    assert (found(tree, "c").name, found(tree, "c").sources) == ("wait", ("s3",))
    assert len(TreeIndex(tree)) == len(list(TreeIndex(tree))) == 9


@pytest.mark.parametrize(
    ("plugin", "waits"), [("pause_node", True), ("bk_approve", True), ("sleep_timer", False), ("", False)]
)
def test_a_pause_and_an_approval_wait_for_a_person(plugin: str, waits: bool) -> None:
    tree = pipeline_tree("start > a > end", nodes={"a": activity("a", plugin)})

    assert found(tree, "a").waits_for_person is waits


def test_a_tree_of_2019_with_fewer_fields_is_read() -> None:
    tree = {
        "activities": {"n1": {"name": "暂停", "component": {"code": "pause_node", "data": {}}, "incoming": "l1"}},
        "start_event": {"id": "n0", "outgoing": "l1"},
        "end_event": {"id": "n2"},
        "flows": {"l1": {"source": "n0", "target": "n1"}, "l2": {"source": "n1", "target": "n2"}},
        "gateways": {},
    }

    known = found(tree, "n1")

    assert (known.name, known.type, known.plugin) == ("暂停", "", "pause_node")
    assert (known.sources, known.targets) == (("n0",), ("n2",))


def test_an_independent_subprocess_is_one_node_its_inner_nodes_run_in_another_task() -> None:
    inner = pipeline_tree("s2 > b > e2")
    node = activity("sub", "subprocess_plugin")
    node["component"]["data"] = {"subprocess": {"value": {"pipeline": inner}}}

    tree = TreeIndex(pipeline_tree("start > a > end", nodes={"a": node}))

    assert [each.id for each in tree] == ["start", "end", "a"]


@pytest.mark.parametrize("tree", [{}, {"activities": {}}, {"start_event": {}, "end_event": None}])
def test_no_tree_is_an_empty_index_that_knows_no_node(tree: Any) -> None:
    index = TreeIndex(tree)

    assert not index
    assert (index.get(""), index.get("a"), list(index)) == (None, None, [])


@given(answer_with("activities", "gateways", "flows", "start_event", "end_event"))
def test_no_tree_stops_the_reading(tree: Any) -> None:
    assert all(TreeIndex(tree).get(each.id) == each for each in TreeIndex(tree))


def test_the_nodes_that_wait_for_people_make_an_index_of_their_own() -> None:
    tree = pipeline_tree("start > a > b > end", nodes={"a": activity("ask", "pause_node"), "b": activity("copy")})

    people = TreeIndex(tree).human_plugins

    assert people == {"a": "pause_node"}
    known = TreeIndex.of_plugins(people).get("a")
    assert known is not None
    assert known.waits_for_person


def test_a_node_tells_what_sops_does_to_it_by_itself() -> None:
    retried = activity("a", auto_retry={"enable": True, "interval": 5, "times": 3})
    skipped = activity("b", timeout_config={"enable": True, "seconds": 9, "action": "forced_fail_and_skip"})
    failed = activity("c", timeout_config={"enable": True, "seconds": 9, "action": "forced_fail"})
    tree = pipeline_tree("start > a > b > c > end", nodes={"a": retried, "b": skipped, "c": failed})

    assert [found(tree, key).auto_retry_times for key in ("a", "b", "c", "start")] == [3, 0, 0, 0]
    assert [found(tree, key).timeout_skip_seconds for key in ("a", "b", "c", "end")] == [None, 9, None, None]

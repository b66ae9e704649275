from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.pipeline_tree.levels import Level, read_levels
from airflow_provider_sops.sops.pipeline_tree.node_reading import read_ids
from airflow_provider_sops.sops.pipeline_tree.nodes import (
    Activity,
    AutoRetry,
    Component,
    Event,
    Gateway,
    SubProcess,
    TimeoutConfig,
)
from tests.sops.builders import activity, answer_with, pipeline_tree, subprocess


def read(tree: Any) -> Level:
    return next(read_levels(tree))


def read_activity(**fields: Any) -> Activity:
    node = read(pipeline_tree("start > a > end", nodes={"a": activity("a", **fields)})).nodes["a"]
    assert isinstance(node, Activity)
    return node


@pytest.mark.parametrize(
    ("value", "ids"),
    [("l1", ("l1",)), (["l1", "l2"], ("l1", "l2")), ("", ()), ([], ()), (None, ()), ([""], ()), (7, ("7",))],
)
def test_flows_are_listed_as_a_text_or_as_a_list(value: Any, ids: tuple[str, ...]) -> None:
    assert read_ids(value) == ids


def test_an_activity_has_what_the_editor_sets() -> None:
    node = read_activity(
        optional=False,
        skippable=False,
        retryable=False,
        error_ignorable=True,
        auto_retry={"enable": True, "interval": 5, "times": 3},
        timeout_config={"enable": True, "seconds": 10, "action": "forced_fail_and_skip"},
        stage_name="步骤1",
        template_node_id="t",
        component={"code": "bk_display", "version": "1.0", "data": {"m": {"value": "x"}}},
    )

    assert (node.optional, node.skippable, node.retryable, node.error_ignorable) == (False, False, False, True)
    assert node.auto_retry == AutoRetry(times=3, interval_seconds=5)
    assert node.timeout_config == TimeoutConfig(10, "forced_fail_and_skip")
    assert (node.stage_name, node.template_node_id, node.key) == ("步骤1", "t", ("t",))
    assert node.component == Component("bk_display", "1.0", {"m": {"value": "x"}})


@pytest.mark.parametrize("old", [{"isSkipped": False, "can_retry": False}, {"skippable": False, "retryable": False}])
def test_the_names_of_old_servers_are_read_too(old: dict[str, bool]) -> None:
    node = read_activity(**old)

    assert (node.skippable, node.retryable) == (False, False)


def test_what_a_server_does_not_know_yet_has_its_default() -> None:
    node = read_activity(component={"code": "sleep_timer", "data": {}})

    assert (node.skippable, node.retryable, node.error_ignorable) == (True, True, False)
    assert (node.auto_retry, node.timeout_config, node.template_node_id) == (None, None, "")
    assert node.key == ("a",)
    assert node.component is not None
    assert node.component.version == "legacy"


@pytest.mark.parametrize(
    "fields",
    [
        {"auto_retry": {"enable": False, "times": 3}, "timeout_config": {"enable": False, "seconds": 3}},
        # The defaults of independent subprocesses are misspelt, and nothing reads them.
        {"auto_retry": {"enabled": True, "times": 3}, "timeout_config": {"enabled": True, "seconds": 3}},
        {"auto_retry": None, "timeout_config": {"enable": True, "seconds": "soon"}},
    ],
)
def test_retry_and_timeout_that_are_not_enabled_are_none(fields: dict[str, Any]) -> None:
    node = read_activity(**fields)

    assert (node.auto_retry, node.timeout_config) == (None, None)


@pytest.mark.parametrize(
    ("fields", "times", "interval_seconds"),
    [
        ({}, 10, 0),
        ({"times": 3}, 3, 0),
        ({"times": "3", "interval": "5"}, 3, 5),
        ({"times": 0, "interval": 5}, 0, 5),
        ({"times": -2, "interval": -5}, 2, 5),
        ({"times": 99, "interval": 3600}, 10, 60),
        ({"times": "many", "interval": None}, 10, 60),
        ({"times": 1e999, "interval": "9" * 5000}, 10, 60),
    ],
)
def test_automatic_retries_are_read_as_the_server_reads_them(
    fields: dict[str, Any], times: int, interval_seconds: int
) -> None:
    node = read_activity(auto_retry={"enable": True, **fields})

    assert node.auto_retry == AutoRetry(times, interval_seconds)


def test_inputs_that_are_not_rendered_are_told_apart() -> None:
    data = {"a": {"value": "${x}"}, "b": {"value": "${y}", "need_render": False}}
    node = read_activity(component={"code": "c", "data": data})

    assert node.component is not None
    assert list(node.component.rendered_values()) == ["${x}"]


def test_a_gateway_has_its_conditions_by_flow() -> None:
    tree = pipeline_tree("start > e > a > end", "start > e > b > end", nodes={"e": "ExclusiveGateway"})
    tree["gateways"]["e"]["conditions"] = {"e-a": {"evaluate": "${x} == 1", "name": "一"}}
    tree["gateways"]["e"]["default_condition"] = {"flow_id": "e-b", "name": "else"}

    level = read(tree)
    gateway = level.nodes["e"]

    assert isinstance(gateway, Gateway)
    assert (gateway.is_exclusive, gateway.forks, gateway.converges) == (True, False, False)
    assert [(flow.target, flow.label, flow.evaluate, flow.is_default) for flow in level.outgoing["e"]] == [
        ("a", "一", "${x} == 1", False),
        ("b", "else", "", True),
    ]


def test_a_condition_without_a_name_is_labelled_by_its_expression() -> None:
    tree = pipeline_tree("start > e > end", nodes={"e": "ExclusiveGateway"})
    tree["gateways"]["e"]["conditions"] = {"e-end": {"evaluate": "${x} == 1", "name": ""}}

    assert read(tree).outgoing["e"][0].label == "${x} == 1"


def test_flows_are_in_the_order_in_which_the_node_lists_them() -> None:
    tree = pipeline_tree("start > p > a > end", "start > p > b > end", nodes={"p": "ParallelGateway"})
    tree["gateways"]["p"]["outgoing"] = ["p-b", "p-a"]
    tree["end_event"]["incoming"] = ["b-end", "a-end"]

    level = read(tree)

    assert [flow.target for flow in level.outgoing["p"]] == ["b", "a"]
    assert [flow.source for flow in level.incoming["end"]] == ["b", "a"]


def test_flows_to_nowhere_are_kept_but_lead_nowhere() -> None:
    tree = pipeline_tree("start > a > end")
    tree["flows"]["x"] = {"id": "x", "source": "a", "target": "nobody"}

    level = read(tree)

    assert "x" in level.sequence_flows
    assert [each.target for each in level.outgoing["a"]] == list(level.nodes["a"].targets) == ["end"]


def test_levels_come_before_those_inside_them() -> None:
    leaf = pipeline_tree("s3 > c > e3")
    middle = pipeline_tree("s2 > t > e2", nodes={"t": subprocess("t", leaf)})
    tree = pipeline_tree("start > s > u > end", nodes={"s": subprocess("s", middle), "u": subprocess("u", leaf)})

    assert [level.path for level in read_levels(tree)] == [(), ("s",), ("s", "t"), ("u",)]


def test_inner_nodes_have_the_path_of_template_ids_as_their_key() -> None:
    inner = pipeline_tree("x1 > x2 > x3", nodes={"x2": activity("leaf", template_node_id="leaf")})
    tree = pipeline_tree("n1 > n2 > n3", nodes={"n2": subprocess("s", inner, template_node_id="sub")})

    assert [node.key for level in read_levels(tree) for node in level.nodes.values()] == [
        ("n1",),
        ("n3",),
        ("sub",),
        ("sub", "x1"),
        ("sub", "x3"),
        ("sub", "leaf"),
    ]


def test_a_subprocess_tells_which_template_it_runs() -> None:
    fields = {"template_id": "n12", "original_template_id": "7", "always_use_latest": True}
    node = read(pipeline_tree("start > s > end", nodes={"s": {"type": "SubProcess", "name": "s", **fields}})).nodes["s"]

    assert isinstance(node, SubProcess)
    assert (node.template_id, node.always_use_latest) == ("7", True)
    assert (node.unfolded, node.independent) == (False, False)


def test_an_independent_subprocess_is_a_subprocess_with_a_plugin() -> None:
    value = {"template_id": "7", "template_source": "project", "pipeline": pipeline_tree("s2 > b > e2")}
    component = {"code": "subprocess_plugin", "version": "1.0.0", "data": {"subprocess": {"value": value}}}
    tree = pipeline_tree("start > a > end", nodes={"a": activity("sub", component=component)})

    outer, inner = read_levels(tree)
    node = outer.nodes["a"]

    assert isinstance(node, SubProcess)
    assert (node.independent, node.unfolded, node.template_id, node.plugin) == (True, True, "7", "subprocess_plugin")
    assert (inner.path, list(inner.nodes)) == (("a",), ["s2", "e2", "b"])


def test_a_tree_of_2019_is_read() -> None:
    tree = {
        "activities": {
            "node1": {
                "id": "node1",
                "type": "ServiceActivity",
                "name": "timing",
                "incoming": "line1",
                "outgoing": "line2",
                "isSkipped": True,
                "can_retry": False,
                "optional": False,
                "component": {"code": "sleep_timer", "data": {"bk_timing": {"hook": False, "value": "2"}}},
            }
        },
        "start_event": {"id": "node0", "type": "EmptyStartEvent", "name": "", "incoming": "", "outgoing": "line1"},
        "end_event": {"id": "node2", "type": "EmptyEndEvent", "name": "", "incoming": "line2", "outgoing": ""},
        "flows": {
            "line1": {"id": "line1", "source": "node0", "target": "node1", "is_default": False},
            "line2": {"id": "line2", "source": "node1", "target": "node2", "is_default": False},
        },
        "gateways": {},
        "constants": {},
        "outputs": [],
    }

    level = read(tree)
    node = level.nodes["node1"]

    assert isinstance(node, Activity)
    assert (node.incoming, node.outgoing, node.retryable, node.optional) == (("line1",), ("line2",), False, False)
    assert isinstance(level.nodes["node0"], Event)
    assert (level.start_id, level.end_id, level.outputs) == ("node0", "node2", ())


@given(answer_with("activities", "gateways", "flows", "start_event", "end_event", "constants", "outputs"))
def test_no_tree_stops_the_reading(tree: Any) -> None:
    for level in read_levels(tree if isinstance(tree, dict) else {}):
        assert set(level.outgoing) == set(level.incoming) == set(level.nodes)

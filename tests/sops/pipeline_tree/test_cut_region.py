from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.regions import cut_region, cut_values, marker_id, regions_of
from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import activity, constant, pipeline_tree, subprocess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.pipeline_trees.blocks import Flow

C, E, V = "ConditionalParallelGateway", "ExclusiveGateway", "ConvergeGateway"
LOOP = ("start > a > b > x > a", "start > a > b > x > d > end")


def cut(tree: Any, node_id: str, known: KnownValues | None = None, **arguments: Any) -> Any:
    """Cut out the region to which a node of the top level belongs."""
    whole = PipelineTree(tree)
    (region,) = (region for region in regions_of(whole, ()) if (node_id,) in region.nodes)
    return cut_region(whole, region, known or KnownValues(), **arguments)


def deciding(tree: Any, **expressions: str) -> Any:
    """Give the gateway ``x`` an expression for each of its flows, which lead to the nodes named."""
    tree["gateways"]["x"]["conditions"] = {
        f"x-{target}": {"evaluate": text, "name": text} for target, text in expressions.items()
    }
    return tree


def ways(tree: Any) -> set[str]:
    """All flows between the nodes, with the ids that the events and the converge gateway of a cut have been given."""
    names = {tree["start_event"]["id"]: "start", tree["end_event"]["id"]: "end"}
    names |= {node_id: "meet" for node_id, node in tree["gateways"].items() if node["type"] == V}
    return {
        f"{names.get(flow['source'], flow['source'])} > {names.get(flow['target'], flow['target'])}"
        for flow in tree["flows"].values()
    }


def output(key: str, node_id: str) -> Any:
    fields = {"source_type": "component_outputs", "custom_type": "", "show_type": "hide"}
    return constant(key, source_info={node_id: ["data"]}, **fields)


def says(text: str, **fields: Any) -> Any:
    component = {"code": "bk_display", "version": "1.0", "data": {"bk_display_message": {"value": text}}}
    return activity(text, component=component, **fields)


class TestOneNode:
    def test_it_stands_alone_between_start_and_end_with_its_own_id(self) -> None:
        piece = cut(pipeline_tree("start > a > b > end"), "b")

        assert ways(piece) == {"start > b", "b > end"}
        assert (piece["activities"]["b"]["id"], piece["activities"]["b"]["template_node_id"]) == ("b", "b")

    def test_of_a_task_it_keeps_the_id_that_it_had_in_the_template(self) -> None:
        tree = pipeline_tree("start > a > end", nodes={"a": activity("a", template_node_id="t")})
        (region,) = regions_of(PipelineTree(tree), ())

        piece = cut_region(PipelineTree(tree), region, KnownValues())
        assert piece["activities"]["a"]["template_node_id"] == "t"

    def test_what_sops_reads_without_asking_is_there(self) -> None:
        node = activity("a")
        del node["optional"]
        piece = cut(pipeline_tree("start > a > end", nodes={"a": node}), "a")

        assert (piece["activities"]["a"]["optional"], piece["activities"]["a"]["error_ignorable"]) == (False, False)

    def test_a_subprocess_comes_with_all_that_is_inside(self) -> None:
        inner = pipeline_tree("s2 > x1 > y1 > e2")
        piece = cut(pipeline_tree("start > call > end", nodes={"call": subprocess("call", inner)}), "call")

        assert piece["activities"]["call"]["pipeline"] == inner

    def test_a_subprocess_passes_on_what_sops_needs_to_unfold_it_again(self) -> None:
        given = {"${p}": constant("${p}", "x", show_type="show"), "${h}": constant("${h}", show_type="hide")}
        inner = pipeline_tree("s2 > x1 > e2", constants=given)
        unfolded = cut(pipeline_tree("start > call > end", nodes={"call": subprocess("call", inner)}), "call")
        folded = {"type": "SubProcess", "name": "call", "optional": True, "constants": {"${p}": given["${p}"]}}
        same = cut(pipeline_tree("start > call > end", nodes={"call": folded}), "call")

        for piece in (unfolded, same):
            assert piece["activities"]["call"]["constants"] == {"${p}": {**given["${p}"], "index": 0}}

    def test_one_inside_a_subprocess_is_cut_out_of_its_level(self) -> None:
        inner = pipeline_tree(
            "s2 > x1 > e2", nodes={"x1": says("${here}")}, constants={"${here}": constant("${here}", show_type="hide")}
        )
        tree = PipelineTree(pipeline_tree("start > call > end", nodes={"call": subprocess("call", inner)}))
        (region,) = regions_of(tree, ("call",))

        piece = cut_region(tree, region, KnownValues())
        assert ways(piece) == {"start > x1", "x1 > end"}
        assert piece["constants"].keys() == {"${here}"}

    def test_it_is_not_retried_by_the_server(self) -> None:
        retried = activity("a", auto_retry={"enable": True, "interval": 5, "times": 3})
        piece = cut(pipeline_tree("start > a > end", nodes={"a": retried}), "a")

        assert piece["activities"]["a"]["auto_retry"] == {"enable": False, "interval": 5, "times": 3}


class TestGateway:
    def test_an_exclusive_one_has_a_marker_at_each_exit(self) -> None:
        tree = pipeline_tree("start > x > a > end", "start > x > b > end", nodes={"x": E})
        piece = cut(deciding(tree, a="1 == 1", b="1 == 0"), "x")
        markers = {flow_id: marker_id(flow_id) for flow_id in ("x-a", "x-b")}

        assert piece["activities"].keys() == set(markers.values())
        assert piece["gateways"]["x"]["conditions"] == tree["gateways"]["x"]["conditions"]
        assert {flow_id: piece["flows"][flow_id]["target"] for flow_id in markers} == markers
        assert ways(piece) == {
            "start > x",
            *(f"x > {marker}" for marker in markers.values()),
            *(f"{marker} > end" for marker in markers.values()),
        }

    def test_the_markers_of_a_conditional_one_meet(self) -> None:
        tree = pipeline_tree("start > x > a > v > end", "start > x > b > v > end", nodes={"x": C, "v": V})
        piece = cut(deciding(tree, a="1 == 1", b="1 == 1"), "x")
        markers = {marker_id("x-a"), marker_id("x-b")}

        assert {way for way in ways(piece) if "meet" in way} == {
            "meet > end",
            *(f"{marker} > meet" for marker in markers),
        }
        assert piece["activities"].keys() == markers

    def test_the_converge_gateway_of_the_tree_is_forgotten(self) -> None:
        tree = pipeline_tree("start > x > a > v > end", "start > x > b > v > end", nodes={"x": C, "v": V})
        tree["gateways"]["x"]["converge_gateway_id"] = "v"

        assert "converge_gateway_id" not in cut(deciding(tree, a="1 == 1", b="1 == 1"), "x")["gateways"]["x"]

    def test_two_exits_to_one_node_have_markers_of_their_own(self) -> None:
        tree = pipeline_tree("start > x > a > end", nodes={"x": E})
        tree["flows"]["second"] = {"id": "second", "source": "x", "target": "a", "is_default": False}

        assert cut(tree, "x")["activities"].keys() == {marker_id("x-a"), marker_id("second")}


class TestLoop:
    def test_it_is_whole_with_a_marker_at_its_exit(self) -> None:
        piece = cut(deciding(pipeline_tree(*LOOP, nodes={"x": E}), a="1 == 1", d="1 == 0"), "b")
        marker = marker_id("x-d")

        assert ways(piece) == {"start > a", "a > b", "b > x", "x > a", f"x > {marker}", f"{marker} > end"}

    def test_each_of_several_exits_has_a_marker(self) -> None:
        tree = pipeline_tree("start > a > x > a", "start > a > x > b > end", "start > a > x > end", nodes={"x": E})

        assert cut(tree, "x")["activities"].keys() == {"a", marker_id("x-b"), marker_id("x-end")}

    def test_a_node_that_the_run_leaves_out_is_gone(self) -> None:
        piece = cut(pipeline_tree(*LOOP, nodes={"x": E}), "x", excluded=["b", "d"])

        assert {"start > a", "a > x", "x > a"} < ways(piece)
        assert piece["activities"].keys() == {"a", marker_id("x-d")}

    def test_its_first_node_can_be_left_out(self) -> None:
        piece = cut(pipeline_tree(*LOOP, nodes={"x": E}), "x", excluded=["a"])

        assert {"start > b", "b > x", "x > b"} < ways(piece)

    def test_outside_of_it_nodes_are_not_left_out_here(self) -> None:
        assert "a" in cut(pipeline_tree("start > a > end"), "a", excluded=["a"])["activities"]

    def test_its_nodes_are_always_retried_by_the_server(self) -> None:
        retried = activity("a", auto_retry={"enable": True, "interval": 5, "times": 3})
        piece = cut(pipeline_tree(*LOOP, nodes={"x": E, "a": retried}), "a")

        assert piece["activities"]["a"]["auto_retry"]["enable"] is True

    def test_one_with_two_entries_is_refused(self) -> None:
        tree = pipeline_tree(
            "start > y > a > b > x > a", "start > y > b", "start > y > a > b > x > end", nodes={"x": E, "y": E}
        )

        with pytest.raises(SopsInvalidParameterError, match=r"entered at several places: .*\(a\).*\(b\)"):
            cut(tree, "a")


class TestVariables:
    def test_only_those_that_its_nodes_need_come_along(self) -> None:
        constants = {"${a}": constant("${a}", "${b}"), "${b}": constant("${b}"), "${c}": constant("${c}")}
        tree = pipeline_tree("start > n > m > end", nodes={"n": says("${a}"), "m": says("${c}")}, constants=constants)

        assert cut(tree, "n")["constants"].keys() == {"${a}", "${b}"}

    def test_those_in_the_conditions_of_a_gateway_too(self) -> None:
        constants = {"${n}": constant("${n}", "1"), "${m}": constant("${m}")}
        tree = pipeline_tree("start > x > a > end", "start > x > b > end", nodes={"x": E}, constants=constants)

        assert cut(deciding(tree, a="${n} == 1", b="1 == 1"), "x")["constants"].keys() == {"${n}"}

    def test_what_others_have_put_out_is_data(self) -> None:
        constants = {"${out}": output("${out}", "a")}
        tree = pipeline_tree("start > a > b > end", nodes={"b": says("${out}")}, constants=constants)

        found = cut(tree, "b", KnownValues(data={"${out}": ["${x}"]}))["constants"]
        assert (found["${out}"]["source_type"], found["${out}"]["value"]) == ("custom", ["${sops_dollar}{x}"])

    def test_its_own_outputs_are_put_out(self) -> None:
        constants = {"${mine}": output("${mine}", "a"), "${other}": output("${other}", "b")}
        piece = cut(pipeline_tree("start > a > b > end", constants=constants), "a")

        assert piece["outputs"] == ["${mine}"]
        assert piece["constants"]["${mine}"]["source_info"] == {"a": ["data"]}


class TestValues:
    CONSTANTS = {"${a}": constant("${a}", "${out}"), "${out}": output("${out}", "n"), "${c}": constant("${c}")}  # noqa: RUF012

    def test_each_becomes_an_output_of_a_tree_of_one_node(self) -> None:
        level = PipelineTree(pipeline_tree("start > n > end", constants=self.CONSTANTS)).levels[()]
        piece, names = cut_values(level, {"first": "${a + 1}", "second": ["${c}"]}, KnownValues(data={"${out}": 3}))

        assert names == {"first": "${sops_value_0}", "second": "${sops_value_1}"}
        assert piece["outputs"] == list(names.values())
        assert {key: each["value"] for key, each in piece["constants"].items()} == {
            "${a}": "${out}",
            "${out}": 3,
            "${c}": "",
            "${sops_value_0}": "${a + 1}",
            "${sops_value_1}": ["${c}"],
        }
        assert len(piece["activities"]) == 1
        PipelineTree(piece).check()

    def test_the_names_are_none_of_the_flows_own(self) -> None:
        constants = {"${sops_value_0}": constant("${sops_value_0}", "own")}
        level = PipelineTree(pipeline_tree("start > n > end", constants=constants)).levels[()]
        piece, names = cut_values(level, {"v": "${sops_value_0}"}, KnownValues())

        assert names == {"v": "${sops_value_0_}"}
        assert piece["constants"]["${sops_value_0}"]["value"] == "own"

    def test_they_are_copied(self) -> None:
        values: dict[str, Any] = {"v": ["x"]}
        level = PipelineTree(pipeline_tree("start > n > end")).levels[()]
        piece, names = cut_values(level, values, KnownValues())
        piece["constants"][names["v"]]["value"].append("changed")

        assert values == {"v": ["x"]}


def all_pieces(tree: Any) -> Iterator[Any]:
    whole = PipelineTree(tree)
    for path in whole.levels:
        for region in regions_of(whole, path):
            yield cut_region(whole, region, KnownValues())


def node_lists_its_flows(piece: Any, node: Any) -> bool:
    for field, end in (("outgoing", "source"), ("incoming", "target")):
        listed = node[field] if isinstance(node[field], list) else [node[field]] if node[field] else []
        if sorted(listed) != sorted(flow["id"] for flow in piece["flows"].values() if flow[end] == node["id"]):
            return False
    return True


@given(flows())
def test_every_region_of_every_flow_is_a_valid_tree(flow: Flow) -> None:
    for piece in all_pieces(web_tree(flow)):
        PipelineTree(piece).check()
        nodes = (piece["start_event"], piece["end_event"], *piece["activities"].values(), *piece["gateways"].values())
        assert all(node_lists_its_flows(piece, node) for node in nodes)


@given(flows())
def test_cutting_does_not_change_the_tree_and_gives_the_same_again(flow: Flow) -> None:
    tree = web_tree(flow)
    before = copy.deepcopy(tree)
    first = list(all_pieces(tree))
    again = copy.deepcopy(first)
    for piece in first:
        for node in piece["activities"].values():
            node.get("component", {}).clear()

    assert tree == before
    assert list(all_pieces(tree)) == again


@pytest.mark.integration
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flow=flows())
def test_the_validators_of_the_engine_accept_every_region(hook: SopsHook, flow: Flow) -> None:
    for piece in all_pieces(web_tree(flow)):
        assert hook.fast_create_task("region", piece).task_id > 0

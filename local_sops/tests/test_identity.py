from __future__ import annotations

import re

import pytest
from tree_fixtures import constant, display, tree_of

from local_sops.trees import InvalidTreeError
from local_sops.trees.identity import with_new_ids

ENGINE_ID = re.compile(r"[nl][0-9a-f]{31}")


def test_every_node_gateway_and_flow_gets_a_new_id_in_the_engines_style() -> None:
    tree = tree_of(
        [display("a"), display("b")],
        "start>fork fork>a fork>b a>join b>join join>end",
        {"fork": "ParallelGateway", "join": "ConvergeGateway"},
    )
    renewed = with_new_ids(tree)
    ids = [renewed["id"], renewed["start_event"]["id"], renewed["end_event"]["id"]]
    ids += [*renewed["activities"], *renewed["gateways"], *renewed["flows"]]
    assert len(set(ids)) == len(ids) == 13
    assert all(ENGINE_ID.fullmatch(one) for one in ids)


def test_flows_still_lead_from_node_to_node() -> None:
    renewed = with_new_ids(tree_of([display("a"), display("b")], "start>a a>b b>end"))
    names = {node["id"]: node["name"] for node in renewed["activities"].values()}
    first, second = renewed["activities"].values()
    flow = renewed["flows"][first["outgoing"]]
    assert (names[flow["source"]], names[flow["target"]]) == ("a", "b")
    assert second["incoming"] == [first["outgoing"]]


def test_activities_keep_their_first_origin() -> None:
    tree = tree_of([display("a"), display("b", template_node_id="older")], "start>a a>b b>end")
    origins = [node["template_node_id"] for node in with_new_ids(tree)["activities"].values()]
    assert origins == ["a", "older"]


def test_a_subprocess_is_renewed_too_and_shares_the_id_of_its_node() -> None:
    child = tree_of([display("inner")], "start>inner inner>end")
    outer = {**display("sub"), "type": "SubProcess", "pipeline": child}
    renewed = with_new_ids(tree_of([outer], "start>sub sub>end"))
    (sub,) = renewed["activities"].values()
    (inner,) = sub["pipeline"]["activities"].values()
    assert sub["pipeline"]["id"] == sub["id"]
    assert inner["template_node_id"] == "inner"
    assert inner["id"] != "inner"


def test_conditions_and_defaults_follow_their_flows() -> None:
    tree = tree_of(
        [display("a"), display("b")], "start>choice choice>a choice>b a>end b>end", {"choice": "ExclusiveGateway"}
    )
    tree["gateways"]["choice"]["conditions"] = {"choice-a": {"evaluate": "1 == 1", "name": "yes"}}
    tree["gateways"]["choice"]["default_condition"] = {"flow_id": "choice-b", "name": "default"}
    (gateway,) = with_new_ids(tree)["gateways"].values()
    assert list(gateway["conditions"]) == [gateway["outgoing"][0]]
    assert gateway["default_condition"]["flow_id"] == gateway["outgoing"][1]


def test_variables_follow_the_nodes_they_come_from() -> None:
    code = constant("code", "", source_type="component_outputs", source_info={"a": ["_result"]})
    renewed = with_new_ids(tree_of([display("a")], "start>a a>end", constants=[code]))
    assert renewed["constants"]["${code}"]["source_info"] == {next(iter(renewed["activities"])): ["_result"]}


def test_a_variable_from_a_node_that_is_not_there_is_refused() -> None:
    code = constant("code", "", source_type="component_outputs", source_info={"gone": ["_result"]})
    with pytest.raises(InvalidTreeError, match="gone"):
        with_new_ids(tree_of([display("a")], "start>a a>end", constants=[code]))

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.validity import Rule
from tests.pipeline_trees.blocks import Conditional, Exclusive, Loop, Parallel, Sub, Task
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import answer_with, constant, pipeline_tree

if TYPE_CHECKING:
    from tests.pipeline_trees.blocks import Flow

T = Task()


def faults(tree: Any) -> set[tuple[Rule, str]]:
    return {(fault.rule, "/".join(fault.node or ())) for fault in PipelineTree(tree).findings}


def drawn(*ways: str, **gateways: str) -> Any:
    """A tree whose nodes list their sequence flows, as real ones do."""
    kinds = {"P": "ParallelGateway", "E": "ExclusiveGateway", "C": "ConditionalParallelGateway", "V": "ConvergeGateway"}
    tree = pipeline_tree(*ways, nodes={key: kinds[kind] for key, kind in gateways.items()})
    events = {tree[name]["id"]: tree[name] for name in ("start_event", "end_event")}
    for node_id, node in {**tree["activities"], **tree["gateways"], **events}.items():
        node["incoming"] = [flow["id"] for flow in tree["flows"].values() if flow["target"] == node_id]
        node["outgoing"] = [flow["id"] for flow in tree["flows"].values() if flow["source"] == node_id]
    return tree


VALID: dict[str, Flow] = {
    "one node": (T,),
    "parallel branches, one of them empty": (Parallel(((T,), ())),),
    "only empty parallel branches": (Parallel(((), ())),),
    "conditional branches": (Conditional(((T,), (T,)), (True, False)),),
    "an exclusive gateway whose branches meet at a converge gateway": (Exclusive(((T,), (T,))), T),
    "one whose branches meet at a node": (Exclusive(((T,), (T,)), converges=False), T),
    "one whose branches all lead to the end": (Exclusive(((T,), (T,)), converges=False),),
    "one branch that leads to the end": (Exclusive(((T,), (T,)), ends=True), T),
    "an exclusive gateway that shares the converge gateway around": (
        Parallel(((Exclusive(((T,), (T,)), converges=False),), (T,))),
    ),
    "a loop": (Loop((T,)), T),
    "a loop in a parallel branch": (Parallel(((Loop((T,)),), (T,))),),
    "a loop from behind the join back to before the fork": (Loop((Parallel(((T,), (T,))),)),),
    "a converge gateway without a fork": (Loop((), converges=True),),
    "a subprocess": (Sub((T, Sub((T,)))),),
}


@pytest.mark.parametrize("flow", VALID.values(), ids=VALID.keys())
def test_what_sops_accepts_has_no_findings(flow: Flow) -> None:
    assert PipelineTree(web_tree(flow)).findings == ()
    PipelineTree(web_tree(flow)).check()


@given(flows())
def test_no_flow_that_the_engine_accepts_has_findings(flow: Flow) -> None:
    assert PipelineTree(web_tree(flow)).findings == ()


BROKEN = {
    "a fork whose branches end apart": (
        drawn("start > p > a > end", "start > p > b > end", p="P"),
        {(Rule.CONVERGE, "p")},
    ),
    "a fork whose branches meet at a plain node": (
        drawn("start > p > a > c > end", "start > p > b > c > end", p="P"),
        {(Rule.CONVERGE, "p")},
    ),
    "a conditional gateway without a converge gateway": (
        drawn("start > c > a > end", "start > c > b > end", c="C"),
        {(Rule.CONVERGE, "c")},
    ),
    "two forks that share a converge gateway": (
        drawn(
            "start > p > a > v > end", "start > p > q > b > v > end", "start > p > q > c > v > end", p="P", q="P", v="V"
        ),
        {(Rule.CONVERGE_SHARED, "v")},
    ),
    "an exclusive gateway in a parallel branch that leads to the end": (
        drawn("start > p > e > a > v > end", "start > p > e > end", "start > p > b > v > end", p="P", e="E", v="V"),
        {(Rule.CONVERGE, "p")},
    ),
    "a jump from one branch into another": (
        drawn(
            "start > p > e > a > v > end", "start > p > e > b > v > end", "start > p > b > v > end", p="P", e="E", v="V"
        ),
        {(Rule.BRANCHES_APART, "b")},
    ),
    "a jump from behind the join into a branch": (
        drawn("start > p > a > v > e > end", "start > p > b > v > e > a > v > e > end", p="P", e="E", v="V"),
        {(Rule.BRANCHES_APART, "a")},
    ),
    "a loop without an exclusive gateway": (
        drawn("start > e > a > b > a", "start > e > end", e="E"),
        {(Rule.LOOP, "a")},
    ),
    "a node that nothing leads to": (drawn("start > a > end", "b > a > end"), {(Rule.INCOMING, "b")}),
    "an island": (drawn("start > a > end", "x > y > x", "a > end"), {(Rule.REACHED, "x"), (Rule.REACHED, "y")}),
    "a node that leads nowhere": (drawn("start > e > a", "start > e > end", e="E"), {(Rule.OUTGOING, "a")}),
    "a plain node that forks": (
        drawn("start > a > b > end", "start > a > c > end"),
        {(Rule.OUTGOING, "a")},
    ),
    "nothing between start and end": (drawn("start > end"), {(Rule.START_TO_END, "start")}),
    "a loop back to the start": (
        drawn("start > a > e > start", "a > e > end", e="E"),
        {(Rule.INCOMING, "start")},
    ),
}


@pytest.mark.parametrize(("tree", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_what_sops_refuses_is_found_with_node_and_rule(tree: Any, expected: set[tuple[Rule, str]]) -> None:
    tree["activities"] = {key: activity for key, activity in tree["activities"].items() if key not in ("start", "end")}

    assert faults(tree) == expected


def broken(**parts: Any) -> Any:
    """The tree of one node, with parts replaced: ``activities__a__name=""``."""
    tree = web_tree((T,))
    for path, value in parts.items():
        *way, last = path.split("__")
        place = tree
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return tree


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        (broken(start_event={}), (Rule.EVENTS, "")),
        (broken(end_event=None), (Rule.EVENTS, "")),
        (broken(end_event__type="ExecutableEndEvent"), (Rule.NODE_TYPE, "end")),
        (broken(activities__a1__type="SubCanvas"), (Rule.NODE_TYPE, "a1")),
        (broken(activities__a1__id="b"), (Rule.NODE_ID, "a1")),
        (broken(activities__a1__name=""), (Rule.NAME, "a1")),
        (broken(activities__a1__name="长" * 51), (Rule.NAME, "a1")),
        (broken(activities__a1__component={}), (Rule.PLUGIN, "a1")),
        (broken(flows__l2__target="nobody"), (Rule.SEQUENCE_FLOW_ENDS, "")),
        (broken(activities__a1__outgoing="l9"), (Rule.SEQUENCE_FLOW_LISTED, "a1")),
        (broken(constants={"${a}": constant("${b}")}), (Rule.CONSTANT_KEY, "")),
        (broken(constants={"${a-b}": constant("${a-b}")}), (Rule.CONSTANT_KEY, "")),
        (broken(constants={"${_env_a}": constant("${_env_a}")}), (Rule.CONSTANT_KEY, "")),
        (broken(constants={"${a}": constant("${a}", source_info={"x": ["y"]})}), (Rule.CONSTANT_SOURCE, "")),
        (broken(constants={"${a}": constant("${a}", "${a}_x")}), (Rule.CONSTANT_CYCLE, "")),
    ],
)
def test_a_fault_of_one_part_is_found(tree: Any, fault: tuple[Rule, str]) -> None:
    assert fault in faults(tree)


def test_constants_that_refer_to_each_other_in_a_circle_are_found_once() -> None:
    constants = {
        "${a}": constant("${a}", "${b}"),
        "${b}": constant("${b}", {"x": ["${a}"]}),
        "${c}": constant("${c}", "${a}"),
    }
    tree = {**web_tree((T,)), "constants": constants}

    (fault,) = PipelineTree(tree).findings

    assert (fault.rule, fault.message) == (
        Rule.CONSTANT_CYCLE,
        "constants refer to each other in a circle: ${a}, ${b}",
    )


def test_a_subprocess_may_be_given_a_variable_by_the_name_of_its_own() -> None:
    tree = web_tree((Sub((T,)),))
    tree["activities"]["s1"]["pipeline"]["constants"] = {"${a}": constant("${a}", "${a}")}

    assert not faults(tree)


def test_a_hidden_constant_of_a_subprocess_may_not_refer_to_itself() -> None:
    tree = web_tree((Sub((T,)),))
    tree["activities"]["s1"]["pipeline"]["constants"] = {"${a}": constant("${a}", "${a}", show_type="hide")}

    assert (Rule.CONSTANT_CYCLE, "s1") in faults(tree)


@pytest.mark.parametrize("conditions", [{"l99": {"evaluate": "1 == 1"}}, {"l2": {"name": "no expression"}}])
def test_a_condition_needs_a_sequence_flow_and_an_expression(conditions: Any) -> None:
    tree = web_tree((Exclusive(((T,), (T,))),))
    tree["gateways"]["g1"]["conditions"].update(copy.deepcopy(conditions))

    assert (Rule.CONDITION, "g1") in faults(tree)


def test_a_fault_inside_a_subprocess_names_the_whole_path() -> None:
    tree = web_tree((T, Sub((T, Sub((T,))))))
    inner = next(node for node in tree["activities"].values() if "pipeline" in node)["pipeline"]
    deepest = next(node for node in inner["activities"].values() if "pipeline" in node)["pipeline"]
    deepest["activities"]["a1"]["name"] = ""

    assert faults(tree) == {(Rule.NAME, "s3/s3/a1")}


def test_the_error_names_node_and_rule_and_what_to_do() -> None:
    tree = drawn("start > p > a > c > end", "start > p > b > c > end", p="P")

    with pytest.raises(SopsInvalidParameterError) as error:
        PipelineTree(tree).check()

    assert str(error.value) == (
        "the pipeline_tree is not valid: ParallelGateway (p): its branches do not all meet at one converge gateway,"
        " but at ServiceActivity 'c' (c) (the branches of a parallel or conditional gateway all meet at one converge"
        " gateway). Repair the template in SOPS's editor."
    )


@given(answer_with("activities", "gateways", "flows", "start_event", "end_event", "constants", "outputs"))
def test_no_tree_stops_the_search(tree: Any) -> None:
    read = PipelineTree(tree if isinstance(tree, dict) else {})

    assert all(fault.message for fault in read.findings)

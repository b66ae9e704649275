from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.region_variables import (
    escaped,
    outputs_of_task,
    own_outputs,
    plain_constant,
    region_constants,
)
from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues
from tests.sops.builders import activity, constant, password, pipeline_tree, subprocess

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree.levels import Level


def output(key: str, *nodes: str) -> Any:
    sources = {node: ["data", "code"] for node in nodes}
    return constant(key, source_type="component_outputs", custom_type="", source_info=sources, show_type="hide")


def level_with(**constants: Any) -> Level:
    return PipelineTree(pipeline_tree("start > a > b > end", constants=keyed(constants))).levels[()]


def inner_level(**constants: Any) -> Level:
    inner = pipeline_tree("s2 > a > e2", constants=keyed(constants))
    return PipelineTree(pipeline_tree("start > call > end", nodes={"call": subprocess("call", inner)})).levels[
        ("call",)
    ]


def says(text: str) -> Any:
    component = {"code": "bk_display", "version": "1.0", "data": {"bk_display_message": {"value": text}}}
    return activity(text, component=component)


def keyed(constants: dict[str, Any]) -> dict[str, Any]:
    """Definitions by ``${name}``; a bare value is one of a text field."""
    return {
        f"${{{name}}}": {**each, "key": f"${{{name}}}"} if isinstance(each, dict) else constant(f"${{{name}}}", each)
        for name, each in constants.items()
    }


def constants_of(
    level: Level, *used: str, given: Any = None, data: Any = None, own: dict[str, Any] | None = None
) -> dict[str, Any]:
    return region_constants(level, used, KnownValues(given or {}, data or {}), own or {})


def test_a_region_takes_what_its_nodes_use_directly_or_through_others() -> None:
    level = level_with(a="x ${b}", b="${c + 1}", c="1", d="${a}")

    assert list(constants_of(level, "${b}")) == ["${b}", "${c}"]


class TestOwnOutputs:
    def test_those_of_the_nodes_with_their_first_source_alone(self) -> None:
        level = level_with(mine=output("", "a", "b"), other=output("", "b"), plain="1")
        own = own_outputs(level, [level.nodes["a"]])

        assert own.keys() == {"${mine}"}
        assert own["${mine}"]["source_info"] == {"a": ["data", "code"]}

    def test_a_second_source_does_not_count(self) -> None:
        level = level_with(out=output("", "a", "b"))

        assert own_outputs(level, [level.nodes["b"]]) == {}

    def test_a_source_that_is_gone_does_not_count(self) -> None:
        level = level_with(out=output("", "gone", "b"))

        assert own_outputs(level, [level.nodes["b"]])["${out}"]["source_info"] == {"b": ["data", "code"]}

    def test_they_are_among_the_constants_whether_used_or_not(self) -> None:
        level = level_with(mine=output("", "a"))
        own = own_outputs(level, [level.nodes["a"]])

        assert constants_of(level, own=own)["${mine}"]["source_type"] == "component_outputs"
        # Its value in another round of the same node is no value to begin with.
        assert constants_of(level, "${mine}", own=own, data={"${mine}": 1})["${mine}"] == own["${mine}"] | {"index": 0}


class TestDefinitions:
    def test_they_stay_as_they_are(self) -> None:
        level = level_with(a=constant("", "x ${b}", custom_type="select", validation="^.+$"), b="1")

        found = constants_of(level, "${a}")["${a}"]
        assert {**found, "index": None} == {**level.constants["${a}"], "source_info": {}, "index": None}

    def test_without_the_nodes_whose_inputs_they_are(self) -> None:
        level = level_with(a=constant("", "x", source_type="component_inputs", source_info={"b": ["message"]}))

        assert constants_of(level, "${a}")["${a}"]["source_info"] == {}

    def test_what_a_run_was_given_stands_in_their_place(self) -> None:
        found = constants_of(level_with(a="old", b="1"), "${a}", given={"${a}": "new ${b}", "${b}": 7})

        assert (found["${a}"]["value"], found["${b}"]["value"]) == ("new ${b}", 7)

    def test_of_a_select_the_choices_stay_beside_the_choice(self) -> None:
        choices = {"items_text": "[]", "type": "0"}
        level = level_with(a=constant("", choices, custom_type="select", is_meta=True))

        found = constants_of(level, "${a}", given={"${a}": "x"})["${a}"]

        assert found["value"] == "x"
        assert found["meta"]["value"] == choices

    def test_choices_that_stand_beside_it_already_are_kept(self) -> None:
        level = level_with(a=constant("", "y", custom_type="select", is_meta=True, meta={"value": "choices"}))

        assert constants_of(level, "${a}", given={"${a}": "x"})["${a}"]["meta"] == {"value": "choices"}

    @pytest.mark.parametrize(
        ("definition", "value"),
        [({"default": ["s"]}, ["s"]), ({"default_text": "t"}, "t"), ({"items_text": "[]"}, ""), ("${b}", "${b}")],
        ids=["a select", "a table", "no default", "a reference"],
    )
    def test_a_select_without_a_value_has_its_default_and_its_choices_beside_it(
        self, definition: Any, value: Any
    ) -> None:
        level = level_with(a=constant("", definition, custom_type="text_value_select", is_meta=True), b="1")

        found = constants_of(level, "${a}")["${a}"]

        assert found["value"] == value
        assert found["meta"]["value"] == definition

    def test_a_password_keeps_its_type(self) -> None:
        found = constants_of(level_with(a=password("")), "${a}", given={"${a}": "hunter3"})["${a}"]

        assert (found["custom_type"], found["value"]) == ("password", "hunter3")

    def test_they_are_numbered(self) -> None:
        found = constants_of(level_with(a="${b}", b="${c}", c="1"), "${a}")

        assert [each["index"] for each in found.values()] == [0, 1, 2]


class TestOutputsOfOthers:
    @pytest.mark.parametrize("value", ["text", "", 7, 1.5, True, None, [1, {"k": None}], {"k": "v"}])
    def test_they_are_plain_constants_with_their_json_type(self, value: Any) -> None:
        found = constants_of(level_with(out=output("", "a")), "${out}", data={"${out}": value})

        assert found == {"${out}": plain_constant("${out}", value)}
        assert type(found["${out}"]["value"]) is type(value)
        assert found["${out}"]["source_type"] == "custom"

    def test_those_without_a_value_are_left_out(self) -> None:
        assert constants_of(level_with(out=output("", "a")), "${out}") == {}

    def test_a_name_is_no_longer_than_sops_allows(self) -> None:
        key = f"${{{'n' * 60}}}"

        assert (plain_constant(key, 1)["key"], plain_constant(key, 1)["name"]) == (key, "n" * 50)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("${b}", "${sops_dollar}{b}"),
            (["x${1 + 1}y", {"k": "${b}"}], ["x${sops_dollar}{1 + 1}y", {"k": "${sops_dollar}{b}"}]),
        ],
    )
    def test_what_looks_like_an_expression_is_escaped(self, value: Any, expected: Any) -> None:
        found = constants_of(level_with(out=output("", "a"), b="1"), "${out}", data={"${out}": value})

        assert found["${out}"]["value"] == expected
        assert found["${sops_dollar}"]["value"] == "$"
        assert found.keys() == {"${out}", "${sops_dollar}"}
        assert [each["index"] for each in found.values()] == [0, 1]

    def test_one_that_has_to_be_escaped_is_enough(self) -> None:
        level = level_with(first=output("", "a"), second=output("", "a"))
        found = constants_of(level, "${first}", "${second}", data={"${first}": "${b}", "${second}": "b"})

        assert found.keys() == {"${first}", "${second}", "${sops_dollar}"}

    def test_a_flows_own_constant_of_that_name_is_left_alone(self) -> None:
        level = level_with(out=output("", "a"), sops_dollar="€")
        found = constants_of(level, "${out}", "${sops_dollar}", data={"${out}": "${b}"})

        assert {key: each["value"] for key, each in found.items()} == {
            "${out}": "${sops_dollar_}{b}",
            "${sops_dollar}": "€",
            "${sops_dollar_}": "$",
        }

    @pytest.mark.parametrize("text", ["$ {b}", "$b {}", "100 $"])
    def test_a_dollar_sign_alone_is_not_escaped(self, text: str) -> None:
        found = constants_of(level_with(out=output("", "a")), "${out}", data={"${out}": text})

        assert found.keys() == {"${out}"}
        assert escaped(text, "${d}") == text


class TestOutputsOfATask:
    def flow(self, **fields: Any) -> Any:
        constants = keyed({"used": "${behind}", "behind": "1", "alone": "2", "done": output("", "b")})
        nodes = {"a": says("${used}"), "b": says("${kept}")}
        outputs = ["${alone}", "${done}", "${behind}", "${gone}"]
        return pipeline_tree("start > a > b > end", nodes=nodes, constants=constants, outputs=outputs, **fields)

    def test_those_that_no_node_refers_to_are_dropped_but_for_outputs_of_nodes(self) -> None:
        assert outputs_of_task(PipelineTree(self.flow()).levels[()]) == ["${done}", "${behind}"]

    def test_a_node_that_is_left_out_refers_to_nothing(self) -> None:
        assert outputs_of_task(PipelineTree(self.flow()).levels[()], ["a"]) == ["${done}"]

    def test_a_subprocess_gives_all(self) -> None:
        tree = PipelineTree(pipeline_tree("start > call > end", nodes={"call": subprocess("call", self.flow())}))

        assert outputs_of_task(tree.levels[("call",)]) == ["${alone}", "${done}", "${behind}"]


class TestParametersOfASubprocess:
    def test_its_shown_constants_are_data(self) -> None:
        found = constants_of(inner_level(p="${around}"), "${p}", data={"${p}": ["${x}"]})

        assert found["${p}"] == plain_constant("${p}", ["${sops_dollar}{x}"])

    def test_what_they_are_given_refers_to_nothing_inside(self) -> None:
        assert list(constants_of(inner_level(p="${q}", q="1"), "${p}", data={"${p}": "x"})) == ["${p}"]

    def test_one_that_sops_computes_keeps_its_type(self) -> None:
        level = inner_level(p=constant("", "around", custom_type="ip", is_meta=False))
        found = constants_of(level, "${p}", data={"${p}": "10.0.0.1"})["${p}"]

        assert (found["custom_type"], found["value"]) == ("ip", "10.0.0.1")

    def test_a_select_keeps_its_choices_beside_what_it_was_given(self) -> None:
        choices = {"default": "x", "items_text": "[]"}
        level = inner_level(p=constant("", choices, custom_type="text_value_select", is_meta=True))
        found = constants_of(level, "${p}", data={"${p}": "y"})["${p}"]

        assert (found["value"], found["meta"]["value"]) == ("y", choices)

    def test_its_hidden_constants_are_definitions(self) -> None:
        level = inner_level(h=constant("", "x ${p}", show_type="hide"), p="1")
        found = constants_of(level, "${h}", data={"${p}": 7})

        assert {key: each["value"] for key, each in found.items()} == {"${h}": "x ${p}", "${p}": 7}


def test_the_tree_is_not_changed() -> None:
    level = level_with(a=constant("", {"default": {"deep": ["${b}"]}}, is_meta=True), b="1", mine=output("", "a", "b"))
    before = copy.deepcopy(dict(level.constants))
    own = own_outputs(level, [level.nodes["a"]])

    found = constants_of(level, "${a}", "${mine}", given={"${b}": 2}, own=own)
    for each in found.values():
        each["source_info"]["x"] = each["index"] = "changed"
    found["${a}"]["value"]["deep"].append("changed")

    assert level.constants == before

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from airflow_provider_sops.sops.pipeline_tree.variables import (
    Variable,
    needed_keys,
    references,
    secret_inputs,
    secret_variables,
)
from tests.sops.builders import activity, constant, password, pipeline_tree, subprocess
from tests.sops.builders import subprocess as sub

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree.levels import Level


def display(text: Any, **fields: Any) -> Any:
    data = {"bk_display_message": {"hook": False, "value": text, **fields}}
    return activity("show", component={"code": "bk_display", "version": "1.0", "data": data})


def variables(tree: Any, *path: str) -> dict[str, Variable]:
    return dict(PipelineTree(tree).variables[path])


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("${a}", {"${a}"}),
        ("x${a}y${b}", {"${a}", "${b}"}),
        ("${a + b[0]}", {"${a}", "${b}"}),
        ("${ a }", {"${a}"}),
        ({"k": ["${a}", {"x": "${b}"}]}, {"${a}", "${b}"}),
        ({"${a}": 1}, {"${a}"}),
        ("$a {a} ${} a", set()),
        ("${a{b}}", set()),
        (7, set()),
        (None, set()),
        ("${_system.task_id}", {"${_system}", "${task_id}"}),
    ],
)
def test_references_are_the_words_inside_an_expression(value: Any, keys: set[str]) -> None:
    assert references(value) == keys


def test_a_variable_knows_who_uses_it() -> None:
    tree = pipeline_tree(
        "start > a > e > b > end",
        "start > a > e > end",
        nodes={"a": display("${who}"), "b": display("none"), "e": "ExclusiveGateway"},
        constants={"${who}": constant("${who}", "bob"), "${x}": constant("${x}", "hi ${who}")},
    )
    tree["gateways"]["e"]["conditions"] = {"e-b": {"evaluate": "'${who}' == 'bob'", "name": "b"}}

    assert variables(tree)["${who}"].used_by == (("a",), ("e",))
    assert variables(tree)["${who}"].used_by_variables == ("${x}",)
    assert variables(tree)["${x}"].used_by == ()


def test_an_input_that_is_taken_literally_uses_nothing() -> None:
    tree = pipeline_tree(
        "start > a > end",
        nodes={"a": display("${who}", need_render=False)},
        constants={"${who}": constant("${who}")},
    )

    assert variables(tree)["${who}"].used_by == ()


def test_an_output_of_a_node_knows_its_first_source_only() -> None:
    source_info = {"a": ["data", "code"], "b": ["data"]}
    tree = pipeline_tree(
        "start > a > b > end",
        constants={"${d}": constant("${d}", source_type="component_outputs", source_info=source_info)},
        outputs=["${d}"],
    )
    known = variables(tree)["${d}"]

    assert (known.source, known.source_field, known.is_output) == (("a",), "data", True)


def test_an_output_whose_node_is_gone_comes_from_nowhere() -> None:
    tree = pipeline_tree(
        "start > a > end", constants={"${d}": constant("${d}", source_type="component_outputs", source_info={})}
    )

    assert (variables(tree)["${d}"].source, variables(tree)["${d}"].source_field) == (None, "")


def test_a_subprocess_uses_what_its_shown_constants_are_given() -> None:
    shown, hidden = constant("${in}", "${outer}"), constant("${own}", "${outer2}", show_type="hide")
    inner = pipeline_tree("s2 > x > e2", constants={"${in}": shown, "${own}": hidden})
    constants = {"${outer}": constant("${outer}"), "${outer2}": constant("${outer2}")}
    tree = pipeline_tree("start > s > end", nodes={"s": subprocess("s", inner)}, constants=constants)

    assert variables(tree)["${outer}"].used_by == (("s",),)
    assert variables(tree)["${outer2}"].used_by == ()
    assert set(variables(tree, "s")) == {"${in}", "${own}"}


def test_what_a_subprocess_is_given_uses_none_of_its_own_variables() -> None:
    inner = pipeline_tree("s2 > x1 > e2", constants={"${said}": constant("${said}", "${said}")})
    tree = pipeline_tree("start > call > end", nodes={"call": subprocess("call", inner)})

    assert variables(tree, "call")["${said}"].used_by_variables == ()


def test_a_folded_subprocess_is_given_its_values_by_the_node() -> None:
    node = {"type": "SubProcess", "name": "s", "constants": {"${in}": constant("${in}", "${outer}")}}
    tree = pipeline_tree("start > s > end", nodes={"s": node}, constants={"${outer}": constant("${outer}")})

    assert variables(tree)["${outer}"].used_by == (("s",),)


def test_variables_come_in_the_order_of_the_editor() -> None:
    constants = {key: constant(key, index=index) for key, index in (("${b}", 1), ("${a}", 0))}
    constants["${c}"] = constant("${c}")

    assert list(variables(pipeline_tree("start > a > end", constants=constants))) == ["${a}", "${b}", "${c}"]


def test_a_password_is_known_and_its_value_stays_out_of_the_repr() -> None:
    known = variables(pipeline_tree("start > a > end", constants={"${p}": password("${p}", "hunter2")}))["${p}"]

    assert (known.is_password, known.value) == (True, "hunter2")
    assert "hunter2" not in repr(known)


def test_what_the_form_shows_is_known() -> None:
    fields = {"name": "环境", "show_type": "hide"}
    tree = pipeline_tree("start > a > end", constants={"${env}": constant("${env}", **fields)})
    known = variables(tree)["${env}"]

    assert (known.name, known.is_shown) == ("环境", False)


def level_with(**constants: Any) -> Level:
    """A level with constants of these names and values."""
    definitions = {f"${{{name}}}": {**constant(f"${{{name}}}"), **fields} for name, fields in constants.items()}
    return PipelineTree(pipeline_tree("start > a > end", constants=definitions)).levels[()]


class TestNeededKeys:
    def test_only_what_is_used_directly_or_through_others_is_needed(self) -> None:
        level = level_with(a={"value": "x ${b}"}, b={"value": "${c + 1}"}, c={"value": "1"}, d={"value": "${a}"})

        assert needed_keys(level, ["${a}"]) == ["${a}", "${b}", "${c}"]

    def test_names_of_no_constants_are_left_out(self) -> None:
        assert needed_keys(level_with(a={"value": "${nobody}"}), ["${a}", "${_system}"]) == ["${a}"]

    def test_a_given_definition_may_refer_to_others(self) -> None:
        level = level_with(a={"value": "x ${b}"}, b={"value": "1"}, c={"value": "2"})

        assert needed_keys(level, ["${a}"], {"${a}": "${c}"}) == ["${a}", "${c}"]

    def test_what_outputs_held_in_the_template_refers_to_nothing(self) -> None:
        level = level_with(out={"source_type": "component_outputs", "value": "${b}"}, b={"value": "1"})

        assert needed_keys(level, ["${out}"]) == ["${out}"]

    def test_a_circle_ends(self) -> None:
        assert needed_keys(level_with(a={"value": "${b}"}, b={"value": "${a}"}), ["${a}"]) == ["${a}", "${b}"]


def node(**inputs: Any) -> Any:
    made = activity("a", "bk_http_request")
    made["component"]["data"] = {name: {"hook": False, "value": value} for name, value in inputs.items()}
    return made


def constants(*made: Any) -> Any:
    return {each["key"]: each for each in made}


def found(tree: PipelineTree, key: tuple[str, ...] = ("a",)) -> tuple[str, ...]:
    activity_node = tree.nodes[key]
    assert isinstance(activity_node, Activity)
    return secret_inputs(activity_node, secret_variables(tree)[key[:-1]])


@pytest.mark.parametrize(
    ("inputs", "secret"),
    [
        ({"url": "${host}"}, ()),
        ({"url": "${host}", "token": "${pw}"}, ("token",)),
        ({"header": [{"name": "auth", "value": "Bearer ${pw}"}], "url": "${host}"}, ("header",)),
        ({"url": "${ pw.upper() }"}, ("url",)),
    ],
)
def test_an_input_that_refers_to_a_password_is_secret(inputs: Any, secret: tuple[str, ...]) -> None:
    made = pipeline_tree(
        "s > a > e", nodes={"a": node(**inputs)}, constants=constants(password("${pw}"), constant("${host}", "web"))
    )
    assert found(PipelineTree.from_dict(made)) == secret


def test_so_is_one_that_refers_to_it_by_way_of_others() -> None:
    given = constants(password("${pw}"), constant("${basic}", "x:${pw}"), constant("${header}", "Basic ${basic}"))
    made = pipeline_tree("s > a > e", nodes={"a": node(header="${header}", url="${url}")}, constants=given)
    assert found(PipelineTree.from_dict(made)) == ("header",)


def test_so_is_one_inside_a_subprocess_that_is_given_the_password() -> None:
    inner = pipeline_tree(
        "s2 > a > e2",
        nodes={"a": node(token="${given}", url="${other}")},
        constants=constants(
            constant("${given}", "${pw}", show_type="show"), constant("${other}", "web", show_type="show")
        ),
    )
    made = pipeline_tree("s > call > e", nodes={"call": sub("call", inner)}, constants=constants(password("${pw}")))
    assert found(PipelineTree.from_dict(made), ("call", "a")) == ("token",)

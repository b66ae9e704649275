"""What a converter is told: the node and its inputs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_sops.dag_generator.converters.convertible_node import NodeInput, NodeInputs
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues
from tests.dag_generator.converters.nodes import flow_with, node_input
from tests.sops.builders import constant

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_an_input_that_the_node_has_not_is_answered_with_those_that_it_has() -> None:
    inputs = NodeInputs({"url": node_input("a"), "method": node_input("b")})
    with pytest.raises(KeyError, match=r"no input 'urll'; its inputs are: method, url"):
        inputs["urll"]


def test_an_input_that_a_tree_may_lack_can_be_asked_for() -> None:
    assert NodeInputs().get("url") is None
    with pytest.raises(KeyError, match=r"its inputs are: none"):
        NodeInputs()["url"]


WHO = {"${who}": constant("${who}", "world"), "${n}": constant("${n}", 3)}
CONTEXT: Any = {"who": "Jinja"}


class SayOperator(BaseOperator):
    template_fields: Sequence[str] = ("message",)

    def __init__(self, *, message: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message = message


def rendered(message: Any) -> Any:
    operator = SayOperator(task_id="say", message=message)
    operator.render_template_fields(CONTEXT)
    return operator.message


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("hello ${who}", "hello world"),
        ("${n}", 3),
        ({"to": ["${who}", 1]}, {"to": ["world", 1]}),
        ("", ""),
        (0, 0),
        ([], []),
        (None, None),
    ],
)
def test_it_becomes_its_value_with_its_type(value: Any, meant: Any) -> None:
    assert rendered(node_input(value, constants=WHO)) == meant


def test_inside_lists_and_dicts_it_becomes_its_value_too() -> None:
    who = node_input("${who}", constants=WHO)
    assert rendered({"to": [who, {"cc": (who, "x")}]}) == {"to": ["world", {"cc": ("world", "x")}]}


@pytest.mark.parametrize("text", ["{{ who }}", "{% raise %}", "run.sh", "{# #}"])
def test_texts_of_sops_are_no_templates_of_airflow(text: str) -> None:
    assert rendered(node_input(text)) == text
    assert rendered(node_input("${who}", constants={"${who}": constant("${who}", text)})) == text


def test_outputs_and_parameters_of_the_run_come_from_where_it_is_told_to_read() -> None:
    known = KnownValues(given={"${who}": "you"}, data={"${answer}": "${who}"})
    answer = constant("${answer}", source_type="component_outputs", show_type="hide")
    assert rendered(node_input("${who}", known, constants=WHO)) == "you"
    assert rendered(node_input("${answer}", known, constants={**WHO, "${answer}": answer})) == "${who}"


def test_what_sops_does_not_render_stays_as_it_is() -> None:
    plain = node_input("${who}", constants=WHO, is_rendered=False)
    assert plain.literal == rendered(plain) == "${who}"


@pytest.mark.parametrize(("value", "is_literal"), [("30", True), (["a", {"b": 1}], True), ("${who}", False)])
def test_only_a_value_without_variables_is_known_before_the_run(value: Any, is_literal: bool) -> None:
    found = node_input(value, constants=WHO)
    assert found.is_literal is is_literal
    if is_literal:
        assert found.literal == value
    else:
        with pytest.raises(LookupError, match=r"input message of node node_1 contains variables"):
            _ = found.literal


def test_a_known_value_is_not_read_from_the_run() -> None:
    _, level = flow_with()

    def read(context: Any) -> KnownValues:
        raise AssertionError

    assert NodeInput("node_1", "message", "hello", level, read).resolve(CONTEXT) == "hello"


def test_nobody_can_change_the_tree_through_a_value() -> None:
    listed = ["a"]
    found = node_input(listed)
    found.literal.append("b")
    found.resolve(CONTEXT).append("c")
    assert listed == ["a"]


def test_functions_make_other_values_of_it() -> None:
    number = node_input("${n}", constants=WHO).map(str).map(lambda text: "-n " + text)
    assert rendered([number]) == ["-n 3"]
    assert node_input("30").map(int).literal == 30


def test_a_function_leaves_the_input_itself_alone() -> None:
    found = node_input("30")
    found.map(int)
    assert found.literal == "30"


def test_a_run_whose_constants_only_sops_can_render_fails_for_good() -> None:
    known = KnownValues(given={"${who}": "${1 + 1}"})
    with pytest.raises(AirflowFailException, match=r"input message of node node_1: only SOPS can render") as raised:
        node_input("${who}", known, constants=WHO).resolve(CONTEXT)
    assert isinstance(raised.value.__context__, SopsInvalidParameterError)


def test_it_cannot_be_written_into_a_text() -> None:
    found = node_input("${who}", constants=WHO)
    with pytest.raises(TypeError, match=r"input message of node node_1 cannot be part of a string yet.*map"):
        f"hello {found}"
    with pytest.raises(TypeError):
        _ = "hello " + found  # type: ignore[operator]


def test_a_copy_is_the_same() -> None:
    found = node_input("a")
    assert copy.deepcopy([found])[0] is copy.copy(found) is found


def test_what_airflow_stores_of_it_is_always_the_same_and_holds_no_value() -> None:
    assert str(node_input("hunter2")) == repr(node_input("other")) == "<input message of SOPS node node_1>"


def test_it_refers_to_no_operator() -> None:
    assert list(node_input("a").iter_references()) == []

"""Which nodes may become operators, and what is said of converters that are wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseNotifier, BaseOperator, TaskGroup

from airflow_provider_sops.dag_generator.converters.conversion import reason_for_sops
from airflow_provider_sops.dag_generator.converters.registry import NodeConverter
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from tests.dag_generator.converters.nodes import TASK_ARGS, Conversion, flow_with, new_dag
from tests.sops.builders import constant, password

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode

NODE = {"inputs": {"message": "hello ${who}", "note": "n"}, "constants": {"${who}": constant("${who}", "world")}}


class SayOperator(BaseOperator):
    template_fields: Sequence[str] = ("message",)

    def __init__(self, *, message: Any = "", note: Any = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message = message
        self.note = note


def say(node: ConvertibleNode) -> BaseOperator:
    return SayOperator(**node.task_args, message=node.inputs["message"])


def refused(build: Any, **arguments: Any) -> str:
    with pytest.raises(SopsInvalidParameterError) as raised:
        Conversion(NODE, **arguments).by(NodeConverter(build))
    text = str(raised.value)
    assert text.startswith("node 'Say it' (node_1) cannot be converted, plugin my_plugin v1.0: ")
    return text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"inputs": {"message": "${nobody}"}}, ""),
        ({"error_ignorable": True}, "error_ignorable"),
        (
            {"timeout_config": {"enable": True, "seconds": 9, "action": "forced_fail_and_skip"}},
            "forced_fail_and_skip",
        ),
        ({"timeout_config": {"enable": True, "seconds": 9, "action": "forced_fail"}}, ""),
        ({"timeout_config": {"enable": False, "seconds": 9, "action": "forced_fail_and_skip"}}, ""),
        ({"inputs": {"b": "${1 + n}", "a": ["${n[0]}"]}}, "Only SOPS can render its inputs: a, b."),
        ({"inputs": {"message": "${secret}"}}, "It uses a password, which must stay in SOPS: message."),
        ({"component": None}, "It runs no plugin."),
    ],
)
def test_some_nodes_stay_in_sops_whatever_converters_there_are(fields: dict[str, Any], reason: str) -> None:
    node, level = flow_with(**{**NODE, **fields})
    found = reason_for_sops(node, level, {"${secret}"})
    assert reason in found
    assert bool(found) is bool(reason)


def test_an_expression_that_sops_does_not_render_keeps_no_node_in_sops() -> None:
    component = {"code": "my_plugin", "data": {"message": {"value": "${1 + n}", "need_render": False}}}
    assert reason_for_sops(*flow_with(component=component), secret=()) == ""


def test_a_password_is_named_by_its_input_alone() -> None:
    node, level = flow_with({"message": "${key}"}, constants={"${key}": password("${key}", "hunter2")})
    assert "hunter2" not in reason_for_sops(node, level, {"${key}"})


def test_the_operator_is_made_in_the_dag_with_what_it_is_given() -> None:
    conversion = Conversion(NODE)
    operator = conversion.by(NodeConverter(say))
    assert operator is conversion.dag.get_task("say__node_1")
    assert operator.trigger_rule == "none_failed_min_one_success"
    operator.render_template_fields({})
    assert isinstance(operator, SayOperator)
    assert operator.message == "hello world"


def test_the_converter_is_told_everything_about_the_node() -> None:
    told: list[ConvertibleNode] = []
    Conversion(NODE, needed_outputs=["code"]).by(NodeConverter(told.append))
    (node,) = told
    assert (node.id, node.name, node.plugin, node.version) == ("node_1", "Say it", "my_plugin", "v1.0")
    assert sorted(node.inputs) == ["message", "note"]
    assert node.task_args == TASK_ARGS
    assert node.needed_outputs == {"code"}


def test_an_input_that_sops_does_not_render_is_given_as_it_stands() -> None:
    component = {"code": "my_plugin", "data": {"message": {"value": "${who}", "need_render": False}}}
    operator = Conversion({**NODE, "component": component}).by(NodeConverter(say))
    assert isinstance(operator, SayOperator)
    operator.render_template_fields({})
    assert operator.message == "${who}"


def test_in_a_task_group_the_operator_has_the_id_of_the_group_before_its_own() -> None:
    conversion = Conversion(NODE)
    group = TaskGroup("sub", dag=conversion.dag)
    operator = conversion.by(NodeConverter(say), group)
    assert operator is group.children["sub.say__node_1"]


def test_a_converter_may_leave_a_node_to_sops() -> None:
    conversion = Conversion(NODE)
    assert conversion.by(NodeConverter(lambda node: None)) is None
    assert not conversion.dag.task_ids


def test_its_exception_is_the_cause() -> None:
    def build(node: ConvertibleNode) -> BaseOperator:
        raise ZeroDivisionError("by nought")

    with pytest.raises(SopsInvalidParameterError, match=r"it raised ZeroDivisionError: by nought") as raised:
        Conversion(NODE).by(NodeConverter(build))
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_what_it_refuses_itself_is_said_in_its_own_words() -> None:
    def build(node: ConvertibleNode) -> BaseOperator:
        raise SopsInvalidParameterError("the URL is wrong", advice="Name another connection.")

    assert refused(build).endswith(": the URL is wrong. Name another connection.")


def test_an_input_that_the_node_has_not_is_answered_with_those_that_it_has() -> None:
    found = refused(lambda node: SayOperator(**node.task_args, message=node.inputs["mesage"]))
    assert "no input 'mesage'; its inputs are: message, note" in found


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda node: "text", "must return an operator, not a str"),
        (lambda node: SayOperator, "must return an operator, not a "),
        (
            lambda node: SayOperator(task_id="other", trigger_rule=node.task_args["trigger_rule"]),
            "has the task_id 'other' instead of 'say__node_1'. Create the operator with **node.task_args",
        ),
        (
            lambda node: SayOperator(task_id=node.task_args["task_id"]),
            "has the trigger_rule all_success instead of none_failed_min_one_success",
        ),
        (
            lambda node: SayOperator(**node.task_args, note=node.inputs["message"]),
            "passed to SayOperator as note, which is not a template field, so it would not become its value. The",
        ),
        (
            lambda node: SayOperator(**node.task_args, note={"deep": [node.inputs["message"]]}),
            "passed to SayOperator as note",
        ),
        (
            lambda node: SayOperator(**node.task_args, message=f"say {node.inputs['message']}"),
            "it raised TypeError: input message of node node_1 cannot be part of a string yet",
        ),
        (
            lambda node: SayOperator(**node.task_args, message="say %s" % node.inputs["message"]),  # noqa: UP031
            "message of SayOperator contains the text of an input instead of the input",
        ),
        (
            lambda node: SayOperator(**node.task_args, message=[str(node.inputs["note"])]),
            "message of SayOperator contains the text of an input",
        ),
        (
            lambda node: SayOperator(**node.task_args, dag=new_dag("another")),
            "does not belong to the DAG being built",
        ),
    ],
)
def test_a_wrong_converter_fails_when_the_dag_is_built(build: Any, reason: str) -> None:
    assert reason in refused(build)


class HeldNotifier(BaseNotifier):
    template_fields: Sequence[str] = ("title",)

    def __init__(self, title: Any = "", channel: Any = "") -> None:
        super().__init__()
        self.title = title
        self.channel = channel


def test_what_the_operator_holds_is_looked_through_as_well() -> None:
    def build(notifier: Any) -> Any:
        return lambda node: SayOperator(**node.task_args, note=[notifier(node)])

    found = refused(build(lambda node: HeldNotifier(channel=node.inputs["note"])))
    assert "input note is passed to HeldNotifier as channel, which is not a template field" in found
    assert Conversion(NODE).by(NodeConverter(build(lambda node: HeldNotifier(title=node.inputs["note"]))))


def test_one_node_is_one_task() -> None:
    def build(node: ConvertibleNode) -> BaseOperator:
        SayOperator(task_id="before")
        return say(node)

    assert "besides the operator the converter created before" in refused(build)


def test_a_converter_that_leaves_the_node_to_sops_makes_no_operator() -> None:
    def build(node: ConvertibleNode) -> None:
        say(node)

    assert "created say__node_1 and returned None" in refused(build)


def test_an_operator_in_a_group_of_its_own_is_refused() -> None:
    def build(node: ConvertibleNode) -> BaseOperator:
        with TaskGroup("own"):
            return say(node)

    assert "has the task_id 'own.say__node_1' instead of 'say__node_1'" in refused(build)


def test_the_outputs_that_the_flow_uses_must_be_given() -> None:
    conversion = Conversion(NODE, needed_outputs=["code", "_result", "lines"])
    with pytest.raises(
        SopsInvalidParameterError, match=re.escape("uses outputs that the converter does not provide: code")
    ):
        conversion.by(NodeConverter(say, outputs={"lines": len}))


@pytest.mark.parametrize(
    ("needed", "outputs"), [(["_result", "_loop", "_inner_loop"], {}), (["lines"], {"lines": len}), (["lines"], None)]
)
def test_outputs_that_are_given_or_not_declared_are_taken(needed: list[str], outputs: Any) -> None:
    assert Conversion(NODE, needed_outputs=needed).by(NodeConverter(say, outputs=outputs))

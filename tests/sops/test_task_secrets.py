"""What may be shown of a task whose flow has passwords: known ones, encrypted ones, and what is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.models import NodeData, TaskDetail, TaskStatus
from airflow_provider_sops.sops.task_secrets import WITHHELD, TaskSecrets, nodes_to_tell_apart
from tests.sops.builders import activity, constant, failed_task, password, pipeline_tree
from tests.sops.builders import subprocess as sub

ENCRYPTED = {"type": "password_value", "value": "rsa_str:::q83vEjRWeJA="}
NO_DATA = NodeData(inputs={}, outputs={}, ex_data="", raw={})


def node(name: str = "a", /, **inputs: Any) -> Any:
    made = activity(name)
    made["component"]["data"] = {key: {"hook": False, "value": value} for key, value in inputs.items()}
    return made


def task(*constants: Any, tree: Any = None, outputs: Any = None, **nodes: Any) -> TaskDetail:
    """A task of the nodes, one behind the other."""
    known = {each["key"]: each for each in constants}
    made = tree or pipeline_tree(f"s > {' > '.join(nodes)} > e", nodes=nodes, constants=known)
    listed = [{"key": key, "value": value} for key, value in (outputs or {}).items()]
    return TaskDetail.read({"id": 7, "constants": known, "pipeline_tree": made, "outputs": listed})


def output(key: str, node_id: str, name: str) -> Any:
    return constant(key, "", source_type="component_outputs", custom_type="", source_info={node_id: [name]})


def data(inputs: Any, **outputs: Any) -> NodeData:
    return NodeData(inputs=inputs, outputs=outputs, ex_data="", raw={"inputs": inputs})


class TestErrors:
    def test_a_known_password_is_hidden_in_error_texts_and_names(self) -> None:
        status = TaskStatus.read(failed_task(error="login with hunter2%21 refused", others={}))
        shown = TaskSecrets([task(password("${pw}", "hunter2!"), a=node(x="${pw}"))]).status(status)
        assert shown.ex_data == {"a": "login with *** refused"}
        named = TaskStatus.read(failed_task(others={"b": {"state": "RUNNING", "name": "as hunter2!", "children": {}}}))
        assert TaskSecrets([task(password("${pw}", "hunter2!"), a=node())]).status(named).nodes["b"].name == "as ***"

    def test_a_password_of_a_subprocess_counts(self) -> None:
        inner = pipeline_tree("s2 > b > e2", nodes={"b": node()}, constants={"${pw}": password("${pw}", "hunter2")})
        detail = task(tree=pipeline_tree("s > call > e", nodes={"call": sub("call", inner)}))
        assert TaskSecrets([detail]).error("b", "with hunter2") == "with ***"

    def test_so_does_one_of_a_subprocess_that_runs_as_a_task_of_its_own(self) -> None:
        inner = pipeline_tree("s2 > b > e2", constants={"${pw}": password("${pw}", "hunter2")})
        assert TaskSecrets([task(a=node(subprocess={"pipeline": inner}))]).error("a", "with hunter2") == "with ***"

    @pytest.mark.parametrize(
        "value", [ENCRYPTED, "rsa_str:::q83v", "ab" * 64, "******", ["rsa_str:::q83v"], "${unknown}", "x${ other() }"]
    )
    def test_where_a_password_is_not_known_the_text_of_a_node_that_is_given_it_is_withheld(self, value: Any) -> None:
        secrets = TaskSecrets([task(password("${pw}", value), a=node(x="login ${pw}"), b=node(x="web"))])
        assert secrets.error("a", "with hunter2") == WITHHELD
        assert secrets.error("b", "host web is down") == "host web is down"
        assert secrets.error("not in the tree", "with hunter2") == WITHHELD
        assert secrets.error("a", "") == ""

    def test_so_is_that_of_a_node_that_is_given_something_made_of_it(self) -> None:
        secrets = TaskSecrets([task(password("${pw}"), a=node(x="${pw[:4]}"), b=node(x="${pw}"))])
        assert secrets.error("a", "with hunt") == WITHHELD
        assert secrets.error("b", "with hunter2") == "with ***"

    def test_and_that_of_a_node_behind_it_that_is_given_its_outputs(self) -> None:
        detail = task(
            password("${pw}", ENCRYPTED),
            output("${said}", "a", "data"),
            output("${other}", "c", "data"),
            a=node(x="${pw}"),
            b=node(x="got ${said}"),
            c=node(x="web"),
            d=node(x="${other}"),
        )
        secrets = TaskSecrets([detail])
        assert [secrets.error(each, "text") for each in "abcd"] == [WITHHELD, WITHHELD, "text", "text"]

    def test_what_a_gateway_says_of_an_unknown_password_is_withheld(self) -> None:
        tree = pipeline_tree(
            "s > g > a > e", nodes={"g": "ExclusiveGateway"}, constants={"${pw}": password("${pw}", ENCRYPTED)}
        )
        tree["gateways"]["g"]["conditions"] = {"g-a": {"evaluate": '${pw} == "x"', "name": ""}}
        assert TaskSecrets([task(tree=tree)]).error("g", "evaluate[hunter2 == x] fail") == WITHHELD

    def test_where_the_task_cannot_be_read_all_is_withheld(self) -> None:
        secrets = TaskSecrets(None)
        assert secrets.error("a", "with hunter2") == WITHHELD
        shown, log = secrets.node("a", data({"x": "hunter2"}, said="hunter2", _result=True), "hunter2")
        assert (shown.inputs, shown.outputs, log) == ({"x": "***"}, {"said": WITHHELD, "_result": True}, WITHHELD)

    def test_a_flow_without_passwords_is_shown_as_it_is(self) -> None:
        status = TaskStatus.read(failed_task(error="disk full"))
        assert TaskSecrets([task(constant("${host}", "web"), a=node(x="${host}"))]).status(status) is status
        assert TaskSecrets([]).status(status) is status


class TestNodes:
    def test_inputs_that_refer_to_a_password_are_hidden_as_a_whole_and_it_is_hidden_elsewhere(self) -> None:
        detail = task(password("${pw}", "hunter2"), constant("${user}", "bob"), a=node(x="${user}:${pw}", y="${user}"))
        inputs = {"x": "bob:hunter2", "y": "bob"}
        shown, log = TaskSecrets([detail]).node("a", data(inputs, said=["hunter2"]), "bob hunter2")
        assert (shown.inputs, shown.outputs, log) == ({"x": "***", "y": "bob"}, {"said": ["***"]}, "bob ***")
        assert "hunter2" not in repr(shown.raw)

    @pytest.mark.parametrize(
        ("template", "rendered"),
        [
            ("${pw}", "hunter2"),
            ("login bob:${pw}@host", "login bob:hunter2@host"),
            ("${ pw }", "hunter2"),
            ("${user}:${pw}", "bob:hunter2"),
            ("${connection}", "bob:hunter2@host"),
            ({"tag": "variable", "value": "${pw}"}, {"tag": "variable", "value": "hunter2"}),
            ([{"name": "auth", "value": "Bearer ${pw}"}], [{"name": "auth", "value": "Bearer hunter2"}]),
        ],
    )
    def test_an_encrypted_password_is_found_by_comparing_what_was_rendered_with_what_it_was_rendered_from(
        self, template: Any, rendered: Any
    ) -> None:
        detail = task(
            password("${pw}", ENCRYPTED),
            constant("${user}", "bob"),
            constant("${connection}", "bob:${pw}@host"),
            a=node(x=template),
        )
        shown, log = TaskSecrets([detail]).node("a", data({"x": rendered}, said="Bearer hunter2", _loop=1), "hunter2")
        assert (shown.outputs, log) == ({"said": "Bearer ***", "_loop": 1}, "***")

    @pytest.mark.parametrize(
        ("template", "rendered"),
        [
            ("${user}:${pw}", "bob:hunter:2"),
            ("${user}${pw}", "bobhunter2"),
            ("login bob:${pw}@host", "given otherwise: hunter2"),
            ({"token": "a ${pw}"}, "hunter2"),
            ("${'x' + pw}", "xhunter2"),
            ("${form}", {"token": "a hunter2"}),
        ],
    )
    def test_where_that_is_not_certain_outputs_and_log_are_withheld(self, template: Any, rendered: Any) -> None:
        form = constant("${form}", {"token": "a ${pw}"})
        detail = task(password("${pw}", ENCRYPTED), form, a=node(x=template, y="web"))
        found = data({"x": rendered, "y": "web"}, said="hunter2", n=5, _result=False, _loop=2, none=None)
        shown, log = TaskSecrets([detail]).node("a", found, "hunter2")
        assert shown.inputs == {"x": "***", "y": "web"}
        assert shown.outputs == {"said": WITHHELD, "n": WITHHELD, "_result": False, "_loop": 2, "none": None}
        assert log == WITHHELD

    def test_a_password_that_goes_into_a_subprocess_is_known_there_under_its_other_name(self) -> None:
        inner = pipeline_tree(
            "s2 > b > e2",
            nodes={"b": node(x="Bearer ${given}")},
            constants={"${given}": constant("${given}", "${pw}")},
        )
        known = {"${pw}": password("${pw}", "hunter2")}
        secrets = TaskSecrets([task(tree=pipeline_tree("s > c > e", nodes={"c": sub("c", inner)}, constants=known))])
        assert secrets.error("b", "hunter2") == "***"
        assert secrets.node("b", data({"x": "Bearer hunter2"}, said="hunter2"))[0].outputs == {"said": "***"}

    def test_what_a_task_around_it_passes_in_is_hidden_in_a_task_of_its_own(self) -> None:
        inner = task(constant("${given}", "hunter2"), b=node(x="${given}"))
        outer = task(password("${pw}", "hunter2"), a=node(x="${pw}"))
        assert TaskSecrets([outer, inner]).error("b", "hunter2") == "***"
        unknown = task(password("${pw}", ENCRYPTED), a=node(x="${pw}"))
        assert TaskSecrets([unknown, inner]).error("b", "hunter2") == WITHHELD


class TestOutputs:
    def test_a_password_within_an_output_is_hidden(self) -> None:
        found = {"${pw}": "hunter2", "${said}": {"a": "hunter2", "n": 1}}
        detail = task(password("${pw}"), output("${said}", "a", "data"), a=node(x="${pw}"), outputs=found)
        assert TaskSecrets([detail]).outputs(detail.shown_outputs) == {"said": {"a": "***", "n": 1}}

    def test_an_encrypted_password_is_known_if_it_is_an_output(self) -> None:
        detail = task(password("${pw}", ENCRYPTED), a=node(x="a"), outputs={"${pw}": "hunter2", "${x}": "a hunter2"})
        assert TaskSecrets([detail]).outputs(detail.shown_outputs) == {"x": "a ***"}

    def test_an_output_that_may_hold_an_unknown_password_is_withheld(self) -> None:
        detail = task(
            password("${pw}", ENCRYPTED),
            output("${said}", "a", "data"),
            constant("${host}", "web"),
            a=node(x="${pw}"),
            outputs={"${said}": "hunter2", "${host}": "web"},
        )
        assert TaskSecrets([detail]).outputs(detail.shown_outputs) == {"said": WITHHELD, "host": "web"}


def test_the_nodes_that_wait_for_people_are_told_unless_a_name_holds_a_password() -> None:
    waiting = activity("ask", "pause_node")
    assert nodes_to_tell_apart(task(password("${pw}"), a=waiting)) == {"a": "pause_node"}
    assert nodes_to_tell_apart(task(password("${pw}"), a=waiting, b=node("login as hunter2"))) is None


def test_the_tree_of_a_task_has_no_password_in_names() -> None:
    tree = TaskSecrets([task(password("${pw}"), a=node("login as hunter2"))]).tree()
    assert tree is not None
    assert [each.name for each in tree if each.id == "a"] == ["login as ***"]


@pytest.mark.parametrize(("details", "known"), [((), True), (None, False)])
def test_there_is_no_tree_of_what_was_not_read(details: Any, known: bool) -> None:
    secrets = TaskSecrets(details)
    assert (secrets.tree(), secrets.are_known) == (None, known)

"""Which inputs hold passwords."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from airflow_provider_sops.sops.pipeline_tree.secret_variables import secret_inputs, secret_variables
from tests.sops.builders import activity, constant, password, pipeline_tree
from tests.sops.builders import subprocess as sub


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

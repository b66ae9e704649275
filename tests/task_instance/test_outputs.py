"""Reading the outputs of a finished task: what SOPS could not replace is given as it is, and told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.models import TaskDetail
from airflow_provider_sops.task_instance.outputs import read_outputs

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., tuple[dict[str, Any], list[str]]]

CALL = {"id": "n1", "name": "call <the\nhost>", "type": "ServiceActivity", "incoming": [], "outgoing": ""}
LEAF = {"key": "${leaf}", "source_type": "component_outputs", "source_info": {"n1": ["stauts_code"]}, "value": ""}
TEXT = {"key": "${text}", "source_type": "custom", "source_info": {}, "value": "got ${leaf}"}
SAID = r'SOPS task 7: output "{}" is given as it is, with the text "${{leaf}}" in it: '
WHY = r'node "call <the\nhost>" has no output "stauts_code"'


@pytest.fixture
def read(caplog: pytest.LogCaptureFixture) -> Read:
    """Read the outputs of a finished task, and return them with what was logged."""

    def read_them(outputs: dict[str, Any], *constants: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        hook = mock.create_autospec(SopsHook, instance=True)
        by_key = {constant["key"]: constant for constant in constants or (LEAF, TEXT)}
        hook.get_task_detail.return_value = TaskDetail.read(
            {
                "finish_time": "2026-11-20 18:35:08 +0800",
                "outputs": [{"key": f"${{{name}}}", "value": value} for name, value in outputs.items()],
                "constants": by_key,
                "pipeline_tree": {"activities": {"n1": CALL}, "constants": by_key},
            }
        )
        with caplog.at_level(logging.WARNING):
            return read_outputs(hook, 7), caplog.messages

    return read_them


@pytest.mark.parametrize(
    "outputs",
    [{"leaf": "${leaf}"}, {"text": "got ${leaf}"}, {"text": {"a": [1, "${leaf}"]}}, {"text": "${leaf.get('a')}"}],
)
def test_a_variable_that_sops_could_not_replace_names_its_node(read: Read, outputs: dict[str, Any]) -> None:
    given, logged = read(outputs)

    assert given == outputs
    assert logged == [SAID.format(*outputs) + WHY]


def test_a_variable_that_no_node_puts_out_has_no_value(read: Read) -> None:
    _, logged = read({"text": "${leaf}"}, {**LEAF, "source_info": {}})

    assert logged == [SAID.format("text") + "it has no value"]


def test_a_node_that_is_not_in_the_tree_is_named_by_its_id(read: Read) -> None:
    _, logged = read({"leaf": "${leaf}"}, {**LEAF, "source_info": {"n9": ["a", "b"]}})

    assert logged == [SAID.format("leaf") + 'node n9 has no output "a" or "b"']


@pytest.mark.parametrize("value", ["echo ${HOME}", "leaf", "$leaf", "{leaf}", 5, None, ["${other}"]])
def test_a_text_that_names_no_variable_of_the_task_is_no_reason_to_warn(read: Read, value: Any) -> None:
    assert read({"text": value}) == ({"text": value}, [])


def test_a_warning_holds_no_password(read: Read) -> None:
    password = {"key": "${pwd}", "custom_type": "password", "source_type": "custom", "value": "host", "source_info": {}}

    _, logged = read({"leaf": "${leaf}", "pwd": "host"}, LEAF, password)

    assert len(logged) == 1
    assert "host" not in logged[0]

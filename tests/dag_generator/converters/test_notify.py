"""``bk_notify`` in Airflow."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_provider_sops.dag_generator.converters import bk_notify_converter
from airflow_provider_sops.dag_generator.converters.notify import NotifyOperator
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from tests.dag_generator.converters.nodes import Conversion
from tests.sops.builders import constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode

CONTEXT: Any = {"dag": None, "env": "production"}
NODE = {
    "inputs": {"bk_notify_title": "${title}", "bk_notify_content": "${who} did it", "bk_more_receiver": ""},
    "constants": {"${who}": constant("${who}", "{{ who }}"), "${title}": constant("${title}", "")},
}
SENT: list[dict[str, Any]] = []


class RememberingNotifier(BaseNotifier):
    template_fields: Sequence[str] = ("title", "content")

    def __init__(self, title: Any, content: Any, channel: Any = "ops") -> None:
        super().__init__()
        self.title = title
        self.content = content
        self.channel = channel

    def notify(self, context: Any) -> None:
        if self.channel == "broken":
            raise ConnectionError("no such channel")
        SENT.append({"title": self.title, "content": self.content, "channel": self.channel})


@pytest.fixture(autouse=True)
def _nothing_sent() -> None:
    SENT.clear()


def converted(make_notifier: Any, *needed: str) -> Any:
    return Conversion(NODE, needed_outputs=needed).by(bk_notify_converter(make_notifier))


def remembering(node: ConvertibleNode, **arguments: Any) -> BaseNotifier:
    content = ["{{ env }}", node.inputs["bk_notify_content"]]
    return RememberingNotifier(node.inputs["bk_notify_title"], content, **arguments)


def test_texts_of_the_node_are_sent_as_they_are_and_the_authors_own_are_templates() -> None:
    operator = converted(remembering)
    for _ in range(2):
        one_try = copy.copy(operator)
        one_try.render_template_fields(CONTEXT)
        assert one_try.execute(CONTEXT) == {}
    first, second = SENT
    assert first == second == {"title": "", "content": ["production", "{{ who }} did it"], "channel": "ops"}


def test_what_cannot_be_sent_fails_the_task() -> None:
    operator = converted(lambda node: remembering(node, channel="broken"))
    operator.render_template_fields(CONTEXT)
    with pytest.raises(ConnectionError):
        operator.execute(CONTEXT)


def test_an_input_where_the_notifier_renders_nothing_is_refused() -> None:
    with pytest.raises(SopsInvalidParameterError, match=r"passed to RememberingNotifier as channel"):
        converted(lambda node: remembering(node, channel=node.inputs["bk_more_receiver"]))


def test_something_else_than_a_notifier_is_refused() -> None:
    with pytest.raises(SopsInvalidParameterError, match=r"must return a notifier, not a str"):
        converted(lambda node: "text")


def test_a_node_may_stay_in_sops() -> None:
    assert converted(lambda node: None) is None
    assert converted(remembering, "code") is None
    assert isinstance(converted(remembering, "_result"), NotifyOperator)

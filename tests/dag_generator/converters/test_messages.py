"""``bk_display`` and ``bk_notify`` in Airflow."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_provider_sops.dag_generator.converters import bk_notify_converter
from airflow_provider_sops.dag_generator.converters.messages import DisplayOperator, NotifyOperator, display
from airflow_provider_sops.dag_generator.converters.registry import NodeConverter
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from tests.dag_generator.converters.nodes import Conversion
from tests.sops.builders import constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode


EMPTY_CONTEXT: Any = {}


def displayed(inputs: Any) -> DisplayOperator:
    given = {"inputs": inputs, "constants": {"${who}": constant("${who}", "world")}}
    operator = Conversion(given).by(NodeConverter(display))
    assert isinstance(operator, DisplayOperator)
    operator.render_template_fields(EMPTY_CONTEXT)
    return operator


def test_it_writes_the_message_as_it_is(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.INFO):
        assert displayed({"bk_display_message": "hello ${who} {{ 100 }}% %s"}).execute(EMPTY_CONTEXT) == {}
    assert "hello world {{ 100 }}% %s" in caplog.text + capsys.readouterr().out


def test_a_node_without_a_message_writes_none() -> None:
    operator = displayed({})
    assert operator.message == ""
    assert operator.execute(EMPTY_CONTEXT) == {}


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


def notified(make_notifier: Any, *needed: str) -> Any:
    return Conversion(NODE, needed_outputs=needed).by(bk_notify_converter(make_notifier))


def remembering(node: ConvertibleNode, **arguments: Any) -> BaseNotifier:
    content = ["{{ env }}", node.inputs["bk_notify_content"]]
    return RememberingNotifier(node.inputs["bk_notify_title"], content, **arguments)


def test_texts_of_the_node_are_sent_as_they_are_and_the_authors_own_are_templates() -> None:
    operator = notified(remembering)
    for _ in range(2):
        one_try = copy.copy(operator)
        one_try.render_template_fields(CONTEXT)
        assert one_try.execute(CONTEXT) == {}
    first, second = SENT
    assert first == second == {"title": "", "content": ["production", "{{ who }} did it"], "channel": "ops"}


def test_what_cannot_be_sent_fails_the_task() -> None:
    operator = notified(lambda node: remembering(node, channel="broken"))
    operator.render_template_fields(CONTEXT)
    with pytest.raises(ConnectionError):
        operator.execute(CONTEXT)


def test_an_input_where_the_notifier_renders_nothing_is_refused() -> None:
    with pytest.raises(SopsInvalidParameterError, match=r"passed to RememberingNotifier as channel"):
        notified(lambda node: remembering(node, channel=node.inputs["bk_more_receiver"]))


def test_something_else_than_a_notifier_is_refused() -> None:
    with pytest.raises(SopsInvalidParameterError, match=r"must return a notifier, not a str"):
        notified(lambda node: "text")


def test_a_node_may_stay_in_sops() -> None:
    assert notified(lambda node: None) is None
    assert notified(remembering, "code") is None
    assert isinstance(notified(remembering, "_result"), NotifyOperator)

"""``bk_display`` in Airflow."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.dag_generator.converters.display import DisplayOperator, display
from airflow_provider_sops.dag_generator.converters.registry import NodeConverter
from tests.dag_generator.converters.nodes import Conversion
from tests.sops.builders import constant

if TYPE_CHECKING:
    import pytest

CONTEXT: Any = {}


def converted(inputs: Any) -> DisplayOperator:
    given = {"inputs": inputs, "constants": {"${who}": constant("${who}", "world")}}
    operator = Conversion(given).by(NodeConverter(display))
    assert isinstance(operator, DisplayOperator)
    operator.render_template_fields(CONTEXT)
    return operator


def test_it_writes_the_message_as_it_is(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.INFO):
        assert converted({"bk_display_message": "hello ${who} {{ 100 }}% %s"}).execute(CONTEXT) == {}
    assert "hello world {{ 100 }}% %s" in caplog.text + capsys.readouterr().out


def test_a_node_without_a_message_writes_none() -> None:
    operator = converted({})
    assert operator.message == ""
    assert operator.execute(CONTEXT) == {}

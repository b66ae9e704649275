"""What a converter is told."""

from __future__ import annotations

import pytest

from airflow_provider_sops.dag_generator.converters.convertible_node import NodeInputs
from tests.dag_generator.converters.nodes import node_input


def test_an_input_that_the_node_has_not_is_answered_with_those_that_it_has() -> None:
    inputs = NodeInputs({"url": node_input("a"), "method": node_input("b")})
    with pytest.raises(KeyError, match=r"no input 'urll'; its inputs are: method, url"):
        inputs["urll"]


def test_an_input_that_a_tree_may_lack_can_be_asked_for() -> None:
    assert NodeInputs().get("url") is None
    with pytest.raises(KeyError, match=r"its inputs are: none"):
        NodeInputs()["url"]

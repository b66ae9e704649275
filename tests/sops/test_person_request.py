from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.models import NodeData
from airflow_provider_sops.sops.person_request import PersonRequest


def request(**inputs: Any) -> PersonRequest:
    return PersonRequest.of(NodeData(inputs=inputs, outputs={}, ex_data="", raw={}))


def test_an_approval_asks_its_verifiers_in_sopss_own_words() -> None:
    asked = request(bk_verifier="ann,tom", bk_approve_title="Publish 1.4.2?", bk_approve_message="all tests pass")

    assert asked == PersonRequest("Publish 1.4.2?", "all tests pass", "ann,tom")
    assert asked.lines() == ("who: ann,tom", "title: Publish 1.4.2?", "text: all tests pass")


def test_a_pause_says_what_it_is_for() -> None:
    assert request(description="look at the graphs").lines() == ("text: look at the graphs",)


@pytest.mark.parametrize("empty", ["", None, [], {}])
def test_what_is_empty_is_not_told(empty: Any) -> None:
    assert request(bk_verifier=empty, bk_approve_title=empty, bk_approve_message=empty).lines() == ()


@pytest.mark.parametrize(
    ("given", "told"),
    [(["ann", "tom"], "ann, tom"), ({"ann": 1}, '{"ann": 1}'), (7, "7"), ("a\x1b[31m", "a\\u001b[31m")],
)
def test_inputs_of_any_kind_become_harmless_text(given: Any, told: str) -> None:
    assert request(bk_verifier=given).verifiers == told

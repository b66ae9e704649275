"""Variables that SOPS computes itself: the time, choices, tables."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]


@pytest.mark.template("computed")
def test_times_choices_and_tables_are_computed(hook: SopsHook, flows: Flows) -> None:
    before = datetime.datetime.now(datetime.UTC)
    task, _ = flows.run("computed")
    after = datetime.datetime.now(datetime.UTC)
    outputs = hook.get_task_detail(task.task_id, fresh=True).outputs
    assert outputs["now"] in {f"{moment:%Y-%m-%d}" for moment in (before, after)}
    assert outputs["stamp"] in {f"{moment:%Y}" for moment in (before, after)}
    assert (outputs["size"], outputs["ips"]) == ("s,l", "10.0.0.1\n10.0.0.2")
    assert (outputs["amount"], outputs["lines"]) == (3, "first\nsecond")


@pytest.mark.template("computed")
def test_a_caller_gives_the_choice_and_not_its_definition(hook: SopsHook, flows: Flows) -> None:
    task, _ = flows.run("computed", constants={"${size}": "l"})
    assert hook.get_task_detail(task.task_id, fresh=True).outputs["size"] == "l"


@pytest.mark.template("computed")
def test_a_task_keeps_the_definition_of_a_choice_beside_its_value(flows: Flows) -> None:
    constants = flows.create("computed").pipeline_tree["constants"]
    assert constants["${size}"]["value"] == ["s", "l"]
    assert constants["${size}"]["meta"]["value"]["default"] == ["s", "l"]

"""claim_functionalization_task: tasks that somebody has to claim before they can be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.flows import new_name
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration, pytest.mark.since("3.25")]


@pytest.mark.template("linear")
def test_a_claimed_task_runs_with_the_name_and_the_values_that_it_was_given(hook: SopsHook, flows: Flows) -> None:
    task_id = flows.create("linear", flow_type="common_func").task_id
    name = new_name("claimed")
    constants = {"${who}": "Ada", "${seconds}": "1"}
    assert hook.claim_functionalization_task(task_id, constants=constants, name=name) == "success"
    hook.start_task(task_id)
    wait_for_state(hook, task_id, TaskState.FINISHED)
    detail = hook.get_task_detail(task_id, fresh=True)
    assert (detail.name, detail.outputs["who"]) == (name, "Ada")


@pytest.mark.flow("quick")
@pytest.mark.parametrize("flow_type", ["common", "common_func"])
def test_only_a_task_that_waits_for_it_can_be_claimed(hook: SopsHook, flows: Flows, flow_type: str) -> None:
    task_id = flows.create("quick", flow_type=flow_type).task_id
    if flow_type == "common_func":
        hook.claim_functionalization_task(task_id)
    with pytest.raises(SopsError) as refusal:
        hook.claim_functionalization_task(task_id)
    assert refusal.value.code == 3599999


@pytest.mark.template("linear")
def test_hidden_constants_cannot_be_changed_by_a_claim(hook: SopsHook, flows: Flows) -> None:
    task_id = flows.create("linear", flow_type="common_func").task_id
    with pytest.raises(SopsError):
        hook.claim_functionalization_task(task_id, constants={"${greeting}": "x"})
    assert hook.get_task_detail(task_id, fresh=True).constants["${greeting}"]["value"] != "x"

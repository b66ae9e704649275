"""Tasks for a functionary: claim_functionalization_task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, is_in

if TYPE_CHECKING:
    from sops_client import SopsClient

LINEAR, QUICK = 1, 18


def claim(sops: SopsClient, task_id: int, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = sops.post(f"claim_functionalization_task/{task_id}/{BUSINESS}", body)
    return answer


def test_a_claimed_task_can_be_started(sops: SopsClient) -> None:
    task_id = sops.create(QUICK, flow_type="common_func")["task_id"]
    answer = claim(sops, task_id)
    assert (answer["result"], answer["data"], answer["code"]) == (True, "success", 0)
    sops.start(task_id)
    sops.wait(task_id, is_in("FINISHED"))


def test_the_functionary_may_set_name_and_constants(sops: SopsClient) -> None:
    task_id = sops.create(LINEAR, flow_type="common_func", name="asked")["task_id"]
    values = {"${who}": "me", "${seconds}": 0, "${unknown}": 1}
    assert claim(sops, task_id, name="claimed", constants=values)["result"]
    sops.start(task_id)
    sops.wait(task_id, is_in("FINISHED"))
    detail = sops.detail(task_id)
    assert detail["name"] == "claimed"
    assert {one["key"]: one["value"] for one in detail["outputs"]}["${who}"] == "me"


def test_a_start_that_came_too_early_does_nothing(sops: SopsClient) -> None:
    task_id = sops.create(QUICK, flow_type="common_func")["task_id"]
    assert sops.start(task_id)["result"]
    sops.wait(sops.run(QUICK)["task_id"])  # by then a worker has taken the start
    assert claim(sops, task_id)["result"]
    sops.wait(sops.run(QUICK)["task_id"])
    assert sops.status(task_id)["state"] == "CREATED"


def test_a_task_is_claimed_once(sops: SopsClient) -> None:
    task_id = sops.create(QUICK, flow_type="common_func")["task_id"]
    claim(sops, task_id)
    refused = claim(sops, task_id)
    assert refused["code"] == 3599999
    assert "当前任务类型: execute_task" in refused["message"]


def test_only_tasks_for_functionaries_are_claimed(sops: SopsClient) -> None:
    refused = claim(sops, sops.create(QUICK)["task_id"])
    assert (refused["code"], refused["message"]) == (
        3599999,
        "任务认领失败: 仅职能化任务才能认领, 请检查任务类型 | task_claim",
    )


@pytest.mark.parametrize("key", ["${greeting}", "${said}"])
def test_hidden_constants_and_outputs_stay(sops: SopsClient, key: str) -> None:
    task_id = sops.create(LINEAR, flow_type="common_func")["task_id"]
    assert sops.detail(task_id)["constants"][key]["show_type"] == "hide"
    assert "不可修改值" in claim(sops, task_id, constants={key: "x"})["message"]
    assert claim(sops, task_id)["result"]

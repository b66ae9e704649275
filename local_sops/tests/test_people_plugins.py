"""Nodes that ask or tell people: bk_approve, bk_notify; and the log of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, is_in, node_ids, node_is
from tree_fixtures import display, tree_of

if TYPE_CHECKING:
    from collections.abc import Mapping

QUICK, APPROVAL, NOTIFY = 18, 30, 31
REJECTED = {"approve_result": False}


def asking(sops: SopsClient, template_id: int = APPROVAL, **options: Any) -> tuple[int, str]:
    """A task that waits for an approval, and the node that asks."""
    created = sops.run(template_id, **options)
    sops.wait(created["task_id"], node_is("approve", "RUNNING"))
    return created["task_id"], node_ids(created["pipeline_tree"])["approve"]


def answer(sops: SopsClient, task_id: int, node_id: str, data: Mapping[str, Any]) -> None:
    body = {"node_id": node_id, "callback_data": data}
    while not sops.post(f"node_callback/{task_id}/{BUSINESS}", body)["result"]:
        assert sops.status(task_id)["state"] == "RUNNING"


def node_outputs(sops: SopsClient, task_id: int, node_id: str) -> dict[str, Any]:
    query = {"node_id": node_id, "component_code": "bk_approve"}
    detail = sops.get(f"get_task_node_detail/{task_id}/{BUSINESS}", **query)["data"]
    return {one["key"]: one["value"] for one in detail["outputs"]}


def log_of(sops: SopsClient, task_id: int, node_id: str, **query: Any) -> dict[str, Any]:
    log: dict[str, Any] = sops.get(f"get_task_node_log/{task_id}/{BUSINESS}", node_id=node_id, **query)
    return log


def test_an_approval_lets_the_task_go_on(sops: SopsClient) -> None:
    task_id, node_id = asking(sops)
    assert sops.status(task_id)["state"] == "RUNNING"
    answer(sops, task_id, node_id, {"approve_result": True})
    sops.wait(task_id, is_in("FINISHED"))
    assert [one["value"] for one in sops.detail(task_id)["outputs"]] == ["通过"]
    assert node_outputs(sops, task_id, node_id)["sn"].startswith("REQ")


def test_a_rejection_fails_the_node(sops: SopsClient) -> None:
    task_id, node_id = asking(sops)
    answer(sops, task_id, node_id, REJECTED)
    sops.wait(task_id, is_in("FAILED"))
    assert "拒绝" in node_outputs(sops, task_id, node_id).values()


def test_a_rejection_need_not_block(sops: SopsClient) -> None:
    tree = tree_of([approval(rejected_block=False)], "start>a a>end")
    task_id, node_id = asking(sops, QUICK, pipeline_tree=tree)
    answer(sops, task_id, node_id, REJECTED)
    sops.wait(task_id, is_in("FINISHED"))


def test_an_answer_that_is_none_fails_the_node_with_a_reason(sops: SopsClient) -> None:
    task_id, node_id = asking(sops)
    answer(sops, task_id, node_id, {"other": 1})
    sops.wait(task_id, is_in("FAILED"))
    (reason,) = sops.status(task_id, with_ex_data=1)["ex_data"].values()
    assert reason.startswith("get Approve Component result failed: {'other': 1}")


def approval(**inputs: Any) -> dict[str, Any]:
    node = display("a", name="approve")
    data = {"bk_verifier": "amy", "bk_approve_title": "t", **inputs}
    node["component"] = {"code": "bk_approve", "version": "v1.0", "data": {k: {"value": v} for k, v in data.items()}}
    return node


def test_notifications_are_in_the_logs_of_their_nodes(sops: SopsClient) -> None:
    created = sops.run(NOTIFY, constants={"${text}": "<天气>"})
    task_id, nodes = created["task_id"], node_ids(created["pipeline_tree"])
    sops.wait(task_id, is_in("FINISHED"))
    log = log_of(sops, task_id, nodes["notify"])
    assert set(log) == {"result", "message", "data", "page"}
    assert (log["result"], log["message"], log["page"]) == (True, "success", {})
    assert "the flow says <天气>" in log["data"]
    assert "the flow says" not in log_of(sops, task_id, nodes["notify the old way"])["data"]
    assert [one["value"] for one in sops.detail(task_id)["outputs"]] == ["0"]


def test_a_log_is_of_one_try(sops: SopsClient) -> None:
    task_id, node_id = asking(sops)
    first = sops.status(task_id)["children"][node_id]["version"]
    answer(sops, task_id, node_id, {"other": 1})
    sops.wait(task_id, is_in("FAILED"))
    sops.operate_node_when_asleep(task_id, node_id, "retry")
    sops.wait(task_id, node_is("approve", "RUNNING"))
    assert "result failed" in log_of(sops, task_id, node_id, version=first)["data"]
    assert "result failed" not in log_of(sops, task_id, node_id)["data"]


@pytest.mark.parametrize(
    ("node_id", "code", "message"),
    [("", 3540000, "node_id is required"), ("nowhere", 3540400, "does not have node[nowhere]")],
)
def test_a_log_needs_a_node_of_the_task(sops: SopsClient, node_id: str, code: int, message: str) -> None:
    refused = log_of(sops, sops.create(QUICK)["task_id"], node_id)
    assert (refused["result"], refused["code"]) == (False, code)
    assert message in refused["message"]
    assert "trace_id" not in refused


def test_a_node_that_did_not_run_has_an_empty_log(sops: SopsClient) -> None:
    created = sops.create(NOTIFY)
    node_id = node_ids(created["pipeline_tree"])["notify"]
    assert log_of(sops, created["task_id"], node_id)["data"] == ""

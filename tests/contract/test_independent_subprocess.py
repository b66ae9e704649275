"""Subprocesses that run as tasks of their own (``subprocess_plugin``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.models import TaskState
from tests.task_progress import node_named, until_accepted, wait_for_node, wait_for_state

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskStatus
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration, pytest.mark.since("3.28")]

PLUGIN = "subprocess_plugin"


def child_id(hook: SopsHook, task_id: int, status: TaskStatus, name: str) -> int:
    node_id = node_named(status, name).id
    return int(hook.get_task_node_data(task_id, node_id, component_code=PLUGIN).outputs["task_id"])


@pytest.mark.template("independent")
def test_the_task_has_an_activity_where_the_template_has_a_subprocess(
    hook: SopsHook, flows: Flows, template_ids: dict[str, int]
) -> None:
    template = hook.get_template_info(template_ids["independent"]).pipeline_tree
    (subprocess,) = (node for node in template["activities"].values() if node["type"] == "SubProcess")
    activities = flows.create("independent").pipeline_tree["activities"].values()
    (node,) = (node for node in activities if node["template_node_id"] == subprocess["id"])
    assert (node["type"], node["component"]["code"]) == ("ServiceActivity", PLUGIN)


@pytest.mark.since("3.32")
@pytest.mark.template("independent")
def test_its_child_takes_a_value_and_gives_one_back(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("independent", constants={"${topic}": "rain"})
    node = node_named(status, "call leaf")
    assert (node.state, dict(node.children)) == (TaskState.FINISHED, {})
    assert hook.get_task_detail(task.task_id, fresh=True).outputs["answer"] == "leaf heard: rain"
    child = child_id(hook, task.task_id, status, "call leaf")
    assert hook.get_task_status(child, fresh=True).state == TaskState.FINISHED
    raw = hook.call("get_task_list", is_child_taskflow="true", limit=200).data
    assert [item["is_child_taskflow"] for item in raw if item["id"] == child] == [True]


@pytest.mark.template("independent_fail")
def test_a_failing_child_fails_its_node_and_mending_it_lets_the_task_go_on(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("independent_fail")
    status = wait_for_node(hook, task.task_id, "call what fails", TaskState.FAILED)
    child = child_id(hook, task.task_id, status, "call what fails")
    failed = wait_for_state(hook, child, TaskState.FAILED)
    (node,) = failed.failed_nodes
    until_accepted(lambda: hook.operate_node(child, node.id, "skip"))
    done = wait_for_state(hook, task.task_id, TaskState.FINISHED)
    assert node_named(done, "call what fails").skip is False

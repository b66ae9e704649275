"""fast_create_task and preview_task_tree: tasks without a template, and trees without a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.flows import new_name, tree_of
from tests.task_progress import states_by_name, wait_for_state

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask

pytestmark = [pytest.mark.contract, pytest.mark.integration, pytest.mark.since("2020")]


def fast(hook: SopsHook, flow: str, **options: Any) -> CreatedTask:
    return hook.fast_create_task(new_name(f"fast {flow}"), tree_of(flow, {}), **options)


def test_a_tree_alone_makes_a_task_that_runs(hook: SopsHook) -> None:
    task = fast(hook, "quick")
    hook.start_task(task.task_id)
    status = wait_for_state(hook, task.task_id, TaskState.FINISHED)
    assert states_by_name(status) == {"quick": TaskState.FINISHED}


@pytest.mark.since("3.28")
def test_its_nodes_get_new_ids_and_remember_those_they_were_given(hook: SopsHook) -> None:
    given = set(tree_of("quick", {})["activities"])
    (node,) = fast(hook, "quick").pipeline_tree["activities"].values()
    assert {node["template_node_id"]} == given
    assert node["id"] not in given


def test_it_has_no_template(hook: SopsHook) -> None:
    task = fast(hook, "quick")
    name = hook.get_task_detail(task.task_id, fresh=True).name
    (item,) = hook.call("get_task_list", keyword=name).data
    assert (item["template_source"], item["template_id"]) == ("onetime", "")


@pytest.mark.since("3.32")
def test_the_server_does_not_retry_its_nodes(hook: SopsHook) -> None:
    task = fast(hook, "fail_autoretry")
    hook.start_task(task.task_id)
    wait_for_state(hook, task.task_id, TaskState.FAILED)
    asked = hook.get_task_status(task.task_id, with_failed_node_info=True, with_auto_retry_status=True, fresh=True)
    assert asked.auto_retry_pending is False


@pytest.mark.parametrize(
    ("tree", "reason"), [({"activities": {}}, "'start_event'"), ({}, "invalid pipeline_tree")], ids=["part", "nothing"]
)
def test_a_tree_that_is_none_is_refused(hook: SopsHook, tree: dict[str, Any], reason: str) -> None:
    with pytest.raises(SopsInvalidParameterError) as refusal:
        hook.fast_create_task(new_name("no tree"), tree)
    assert refusal.value.code == 3540000
    assert reason in str(refusal.value)


@pytest.mark.template("optional")
def test_a_preview_is_the_tree_of_a_task_that_is_not_made(hook: SopsHook, template_ids: dict[str, int]) -> None:
    template_id = template_ids["optional"]
    tree = hook.get_template_info(template_id).pipeline_tree
    left_out = next(key for key, node in tree["activities"].items() if node["optional"])
    preview = hook.preview_task_tree(template_id, exclude_task_nodes_id=[left_out])
    assert set(preview["pipeline_tree"]["activities"]) == set(tree["activities"]) - {left_out}

"""Starting, pausing, resuming, revoking; retrying, skipping and answering nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_sops.operators.sops import (
    SopsOperateNodeOperator,
    SopsOperateTaskOperator,
    SopsStartTaskOperator,
)
from airflow_provider_sops.sops.models import TaskState
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_state, wait_until

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = pytest.mark.integration


@pytest.fixture
def created(hook: SopsHook, templates: dict[str, int]) -> Any:
    """Create a task from a template by the template's name."""
    return lambda template: hook.create_task(templates[template], "steered").task_id


def start(sops_task_id: int | str) -> PlainTaskInstance:
    ti = PlainTaskInstance()
    SopsStartTaskOperator(task_id="start", sops_task_id=sops_task_id).execute(ti.context)
    return ti


def operate(sops_task_id: int, action: str) -> None:
    SopsOperateTaskOperator(task_id="operate", sops_task_id=sops_task_id, action=action).execute(
        PlainTaskInstance().context
    )


def operate_node(sops_task_id: int, node_id: str, action: str, **arguments: Any) -> None:
    SopsOperateNodeOperator(
        task_id="operate", sops_task_id=sops_task_id, node_id=node_id, action=action, **arguments
    ).execute(PlainTaskInstance().context)


class TestStart:
    def test_starts_the_task_and_sets_the_link(self, created: Any, hook: SopsHook) -> None:
        sops_task_id = created("quick")
        ti = start(sops_task_id)
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)
        assert ti.xcoms["sops_task_url"] == hook.get_task_detail(sops_task_id).task_url

    def test_takes_the_id_as_a_template_renders_it(self, created: Any, hook: SopsHook) -> None:
        sops_task_id = created("quick")
        start(f" {sops_task_id} ")
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)

    def test_a_started_task_is_fine(self, created: Any, hook: SopsHook) -> None:
        sops_task_id = created("quick")
        start(sops_task_id)
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)
        start(sops_task_id)

    @pytest.mark.parametrize("value", [None, "None", "", "abc", -1, 0])
    def test_what_is_no_id_is_refused(self, value: Any, hook: SopsHook) -> None:
        with pytest.raises(AirflowFailException, match="not the id of a SOPS task"):
            start(value)

    def test_a_task_that_sops_does_not_have_fails_for_good(self, hook: SopsHook) -> None:
        with pytest.raises(AirflowFailException, match="3540400"):
            start(987654)


class TestOperateTask:
    def test_pauses_resumes_and_revokes(self, created: Any, hook: SopsHook) -> None:
        sops_task_id = created("pause")
        start(sops_task_id)
        wait_for_state(hook, sops_task_id, TaskState.RUNNING)
        operate(sops_task_id, "pause")
        wait_for_state(hook, sops_task_id, TaskState.SUSPENDED)
        operate(sops_task_id, "resume")
        wait_for_state(hook, sops_task_id, TaskState.RUNNING)
        operate(sops_task_id, "revoke")
        wait_for_state(hook, sops_task_id, TaskState.REVOKED)

    def test_what_the_state_does_not_allow_fails_with_the_servers_words(self, created: Any) -> None:
        with pytest.raises(AirflowException, match="task not started"):
            operate(created("quick"), "pause")

    def test_an_unknown_action_is_refused_before_any_request(self, sops_default: Any) -> None:
        with pytest.raises(AirflowFailException, match="start, pause, resume, revoke"):
            operate(1, "stop")


class TestOperateNode:
    def test_skips_a_failed_node(self, created: Any, hook: SopsHook) -> None:
        sops_task_id = created("fail")
        start(sops_task_id)
        wait_for_state(hook, sops_task_id, TaskState.FAILED)
        (node,) = hook.get_task_status(sops_task_id, fresh=True).failed_nodes
        operate_node(sops_task_id, node.id, "skip")
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)

    def test_retries_a_failed_node(self, created: Any, hook: SopsHook) -> None:
        sops_task_id = created("fail")
        start(sops_task_id)
        wait_for_state(hook, sops_task_id, TaskState.FAILED)
        (node,) = hook.get_task_status(sops_task_id, fresh=True).failed_nodes
        operate_node(sops_task_id, node.id, "retry")
        wait_until(
            hook,
            sops_task_id,
            "a failed retry",
            lambda status: bool(status.failed_nodes) and status.failed_nodes[0].retry == 1,
        )

    def test_answers_a_pause(self, created: Any, hook: SopsHook) -> None:
        sops_task_id = created("pause")
        start(sops_task_id)
        pause = next(
            key
            for key, node in hook.get_task_detail(sops_task_id).pipeline_tree["activities"].items()
            if node["component"]["code"] == "pause_node"
        )
        wait_until(hook, sops_task_id, "its pause", lambda status: pause in status.nodes)
        operate_node(sops_task_id, pause, "callback", data={"answer": "go"})
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)

    def test_a_refusal_fails_with_the_servers_words(self, created: Any, hook: SopsHook) -> None:
        sops_task_id = created("quick")
        start(sops_task_id)
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)
        node_id = next(iter(hook.get_task_detail(sops_task_id).pipeline_tree["activities"]))
        with pytest.raises(AirflowException, match="3599999"):
            operate_node(sops_task_id, node_id, "retry")

    @pytest.mark.parametrize(("node_id", "action", "words"), [("n1", "redo", "retry, skip"), ("", "retry", "node_id")])
    def test_wrong_parameters_are_refused_before_any_request(
        self, sops_default: Any, node_id: str, action: str, words: str
    ) -> None:
        with pytest.raises(AirflowFailException, match=words):
            operate_node(1, node_id, action)

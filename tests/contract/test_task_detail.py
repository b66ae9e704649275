"""get_task_detail: outputs and constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.errors import SopsNotFoundError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.server import NO_SUCH_ID
from tests.task_progress import wait_for_node

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]


@pytest.mark.flow("linear")
def test_outputs_are_there_when_the_task_is_finished(
    hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    detail = hook.get_task_detail(finished_linear[0].task_id, fresh=True)
    assert detail.outputs == {"who": "Ada", "greeting": "hello Ada", "said": True}


@pytest.mark.flow("linear")
@pytest.mark.parametrize("value", [3, 2.5, True, ["a", 1], {"a": {"b": [None, 1.5, "中"]}}])
def test_the_types_of_outputs_are_kept(hook: SopsHook, flows: Flows, value: Any) -> None:
    task, _ = flows.run("linear", constants={"${who}": value, "${seconds}": "1"})
    kept = hook.get_task_detail(task.task_id, fresh=True).outputs["who"]
    assert (type(kept), kept) == (type(value), value)


@pytest.mark.flow("linear")
def test_a_task_that_is_not_over_has_no_outputs(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("linear", constants={"${seconds}": "2"})
    assert hook.get_task_detail(task.task_id, fresh=True).outputs == {}
    hook.start_task(task.task_id)
    wait_for_node(hook, task.task_id, "wait", TaskState.RUNNING)
    assert hook.get_task_detail(task.task_id, fresh=True).outputs == {}


@pytest.mark.flow("fail")
def test_a_failed_task_has_no_outputs(hook: SopsHook, failed: tuple[CreatedTask, TaskStatus]) -> None:
    detail = hook.get_task_detail(failed[0].task_id, fresh=True)
    assert detail.outputs == {}
    assert detail.finish_time is None


@pytest.mark.flow("linear")
def test_constants_are_the_definitions_with_what_went_in(
    hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    constants = hook.get_task_detail(finished_linear[0].task_id, fresh=True).constants
    assert constants["${who}"]["value"] == "Ada"
    assert constants["${greeting}"]["value"] == "hello ${who}"


@pytest.mark.flow("linear")
def test_times_are_zone_aware_and_unset_before_the_start(
    hook: SopsHook, flows: Flows, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    detail = hook.get_task_detail(finished_linear[0].task_id, fresh=True)
    assert detail.start_time is not None
    assert detail.finish_time is not None
    assert detail.start_time.utcoffset() is not None
    assert detail.start_time < detail.finish_time
    created = hook.get_task_detail(flows.create("linear").task_id, fresh=True)
    assert (created.start_time, created.finish_time) == (None, None)


@pytest.mark.flow("quick")
def test_the_template_is_named(hook: SopsHook, flows: Flows, any_template: int) -> None:
    assert hook.get_task_detail(flows.create("quick").task_id).template_id == any_template


@pytest.mark.flow("password")
def test_outputs_of_type_password_are_known_as_such(hook: SopsHook, flows: Flows) -> None:
    task, _ = flows.run("password", constants={"${user}": "ops", "${password}": "hush"})
    detail = hook.get_task_detail(task.task_id, fresh=True)
    assert detail.password_names == {"password"}
    assert detail.shown_outputs == {"user": "ops"}


@pytest.mark.flow("loop")
def test_an_output_of_a_node_in_a_loop_is_that_of_the_last_round(hook: SopsHook, flows: Flows) -> None:
    task, _ = flows.run("loop")
    assert hook.get_task_detail(task.task_id, fresh=True).outputs == {"count": 3}


@pytest.mark.template("nested")
def test_an_output_of_a_subprocess_reaches_the_task(hook: SopsHook, flows: Flows) -> None:
    task, _ = flows.run("nested", constants={"${topic}": "rain"})
    assert hook.get_task_detail(task.task_id, fresh=True).outputs == {"topic": "rain", "answer": "leaf heard: rain"}


@pytest.mark.since("3.32")
@pytest.mark.flow("quick")
def test_who_did_what_to_a_task_is_recorded(hook: SopsHook, flows: Flows) -> None:
    task, _ = flows.run("quick")
    project_id = hook.get_task_detail(task.task_id, fresh=True).raw["project_id"]
    records = hook.get_task_operate_record(task.task_id, project_id)
    assert [record["operate_type"] for record in records] == ["create", "start"]


@pytest.mark.since("2020")
def test_an_unknown_task_is_not_found(gateway_hook: SopsHook) -> None:
    with pytest.raises(SopsNotFoundError) as refusal:
        gateway_hook.get_task_detail(NO_SUCH_ID)
    assert refusal.value.code == 3540400

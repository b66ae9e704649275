"""get_task_node_detail and get_task_node_data: what one node did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError, SopsNotFoundError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.server import NO_SUCH_ID
from tests.task_progress import node_named, wait_until

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]

SAY = "bk_display"


@pytest.mark.flow("linear")
def test_a_finished_node_has_rendered_inputs_and_outputs(
    gateway_hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    task, status = finished_linear
    node = node_named(status, "say hello")
    detail = gateway_hook.get_task_node_detail(task.task_id, node.id, component_code=SAY)
    assert (detail.id, detail.state, detail.loop, detail.retry, detail.skip) == (node.id, "FINISHED", 1, 0, False)
    assert detail.data.inputs["bk_display_message"] == "hello Ada"
    assert detail.data.outputs["_result"] is True
    assert not detail.data.ex_data
    assert (detail.start_time, detail.finish_time) == (node.start_time, node.finish_time)
    assert detail.histories == ()


@pytest.mark.since("2020")
@pytest.mark.flow("linear")
def test_node_data_are_the_same_without_the_state(
    gateway_hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    task, status = finished_linear
    node_id = node_named(status, "say hello").id
    data = gateway_hook.get_task_node_data(task.task_id, node_id, component_code=SAY)
    detail = gateway_hook.get_task_node_detail(task.task_id, node_id, component_code=SAY)
    assert (data.inputs, data.outputs, data.ex_data) == (detail.data.inputs, detail.data.outputs, detail.data.ex_data)


@pytest.mark.since("2020")
@pytest.mark.flow("linear")
def test_an_output_bound_to_a_constant_goes_by_the_constants_name(
    hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    task, status = finished_linear
    node_id = node_named(status, "say goodbye").id
    for code in (SAY, None):
        outputs = hook.get_task_node_data(task.task_id, node_id, component_code=code).outputs
        assert outputs["said"] is True
        assert "_result" not in outputs


@pytest.mark.flow("linear")
def test_a_node_that_was_not_reached_is_ready(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("linear", constants={"${who}": "Bob"})
    names = {node["name"]: node_id for node_id, node in task.pipeline_tree["activities"].items()}
    detail = hook.get_task_node_detail(task.task_id, names["say goodbye"], component_code=SAY)
    assert detail.state == TaskState.READY
    assert detail.data.inputs["bk_display_message"] == "goodbye Bob"
    assert (detail.start_time, detail.histories) == (None, ())


@pytest.mark.since("2020")
@pytest.mark.flow("fail")
def test_a_failed_node_tells_its_error(hook: SopsHook, failed: tuple[CreatedTask, TaskStatus]) -> None:
    task, status = failed
    node = node_named(status, "fails")
    detail = hook.get_task_node_detail(task.task_id, node.id, component_code="sleep_timer")
    assert detail.state == TaskState.FAILED
    assert detail.data.ex_data == status.error_of(node)
    assert detail.data.outputs["_result"] is False
    assert hook.get_task_node_data(task.task_id, node.id).ex_data == status.error_of(node)


@pytest.mark.since("3.25")
@pytest.mark.flow("fail_autoretry")
def test_earlier_tries_are_the_histories_oldest_first(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("fail_autoretry")
    status = wait_until(
        hook,
        task.task_id,
        "its second retry",
        lambda status: status.state == TaskState.FAILED and node_named(status, "fails again").retry == 2,
    )
    detail = hook.get_task_node_detail(task.task_id, node_named(status, "fails again").id, component_code="sleep_timer")
    assert detail.retry == 2
    assert len(detail.histories) == 2
    assert all(history["state"] == "FAILED" and history["ex_data"] for history in detail.histories)
    starts = [history["start_time"] for history in detail.histories]
    assert starts == sorted(starts)


@pytest.mark.since("3.32")
@pytest.mark.template("password")
def test_the_log_of_a_node_has_the_engines_lines_with_all_variables(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("password", constants={"${user}": "ops", "${password}": "not-so-secret"})
    log = hook.get_task_node_log(task.task_id, node_named(status, "log in").id)
    assert "activity context values: [<ContextValue: " in log
    assert "not-so-secret" in log


@pytest.mark.flow("loop")
def test_each_round_of_a_loop_can_be_read(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("loop")
    node_id = node_named(status, "count").id
    rounds = [hook.get_task_node_detail(task.task_id, node_id, component_code=SAY, loop=loop) for loop in (1, 2, 3)]
    assert [detail.loop for detail in rounds] == [1, 2, 3]
    assert {detail.state for detail in rounds} == {TaskState.FINISHED}
    assert [detail.data.inputs["_loop"] for detail in rounds] == [1, 2, 3]
    assert hook.get_task_node_detail(task.task_id, node_id, component_code=SAY).loop == 3


@pytest.mark.since("2020")
@pytest.mark.template("nested")
def test_a_nested_node_is_read_by_the_subprocesses_around_it(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("nested", constants={"${topic}": "rain"})
    messages = {}
    for path, node in status.walk():
        if node.name == "leaf says":
            detail = hook.get_task_node_detail(task.task_id, node.id, component_code=SAY, subprocess_stack=path)
            messages[len(path)] = detail.data.inputs["bk_display_message"]
            data = hook.get_task_node_data(task.task_id, node.id, component_code=SAY, subprocess_stack=path)
            assert data.inputs == detail.data.inputs
    assert messages == {1: "rain", 2: "middle says talk about rain"}


@pytest.mark.since("2020")
@pytest.mark.template("nested")
def test_a_nested_node_without_them_is_an_unhandled_error(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("nested")
    node_id = next(node.id for path, node in status.walk() if path and node.name == "leaf says")
    with pytest.raises(SopsError) as failure:
        hook.get_task_node_detail(task.task_id, node_id, component_code=SAY)
    assert failure.value.outcome_unknown
    if hook.connection.gateway.kind == "apigw":
        assert (failure.value.http_status, failure.value.code, failure.value.temporary) == (500, "50000", False)


@pytest.mark.since("2020")
@pytest.mark.flow("quick")
def test_an_unknown_node_is_a_wrong_parameter_of_detail_and_something_else_of_data(
    hook: SopsHook, flows: Flows
) -> None:
    task = flows.create("quick")
    with pytest.raises(SopsInvalidParameterError) as no_detail:
        hook.get_task_node_detail(task.task_id, "no_such_node")
    with pytest.raises(SopsError) as no_data:
        hook.get_task_node_data(task.task_id, "no_such_node")
    assert (no_detail.value.code, no_data.value.code) == (3540000, 3599999)


@pytest.mark.since("3.28")
@pytest.mark.flow("quick")
def test_the_templates_id_of_a_node_is_not_the_tasks(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("quick")
    (node,) = task.pipeline_tree["activities"].values()
    with pytest.raises(SopsInvalidParameterError):
        hook.get_task_node_detail(task.task_id, node["template_node_id"], component_code=SAY)


@pytest.mark.since("2020")
def test_an_unknown_task_is_not_found(gateway_hook: SopsHook) -> None:
    for read in (gateway_hook.get_task_node_detail, gateway_hook.get_task_node_data):
        with pytest.raises(SopsNotFoundError) as refusal:
            read(NO_SUCH_ID, "any")
        assert refusal.value.code == 3540400

"""get_task_status: what a task looks like while it runs and when it ended well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.errors import SopsError, SopsNotFoundError
from airflow_provider_sops.sops.models import TaskState
from tests.contract.server import NO_SUCH_ID
from tests.task_progress import node_named, states_by_name, wait_for_node, wait_for_state

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]

FINISHED, RUNNING = TaskState.FINISHED, TaskState.RUNNING


@pytest.mark.flow("linear")
def test_only_the_nodes_that_were_reached_are_there(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("linear", constants={"${seconds}": "2"})
    status = wait_for_node(hook, task.task_id, "wait", RUNNING)
    assert status.state == RUNNING
    assert status.nodes_known
    assert states_by_name(status) == {"say hello": FINISHED, "wait": RUNNING}


@pytest.mark.flow("linear")
def test_a_finished_task_has_every_node_by_the_ids_of_its_tree(
    finished_linear: tuple[CreatedTask, TaskStatus],
) -> None:
    task, status = finished_linear
    tree = task.pipeline_tree
    assert set(status.nodes) == {*tree["activities"], tree["start_event"]["id"], tree["end_event"]["id"]}
    assert {node.state for node in status.nodes.values()} == {FINISHED}
    assert all(node.id == node_id for node_id, node in status.nodes.items())
    assert states_by_name(status) == dict.fromkeys(["say hello", "wait", "say goodbye"], FINISHED)


@pytest.mark.since("2020")
@pytest.mark.flow("linear")
def test_times_are_zone_aware_and_whole_seconds(finished_linear: tuple[CreatedTask, TaskStatus]) -> None:
    _, status = finished_linear
    assert status.start_time is not None
    assert status.finish_time is not None
    assert status.start_time.utcoffset() is not None
    assert status.start_time < status.finish_time
    wait = node_named(status, "wait")
    assert wait.start_time is not None
    assert wait.finish_time is not None
    assert status.start_time <= wait.start_time < wait.finish_time <= status.finish_time
    assert 1 <= wait.elapsed_seconds <= status.elapsed_seconds


@pytest.mark.flow("linear")
def test_a_running_task_has_no_finish_time(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("linear", constants={"${seconds}": "2"})
    status = wait_for_node(hook, task.task_id, "wait", RUNNING)
    assert (status.finish_time, node_named(status, "wait").finish_time) == (None, None)


@pytest.mark.since("3.25")
@pytest.mark.flow("quick")
def test_a_tasks_name_is_the_status_name(hook: SopsHook, flows: Flows) -> None:
    task = flows.create("quick")
    assert hook.get_task_status(task.task_id).name == hook.get_task_detail(task.task_id).name


@pytest.mark.flow("quick")
@pytest.mark.parametrize(
    "flag",
    [
        pytest.param("with_failed_node_info", marks=pytest.mark.since("3.32")),
        pytest.param("with_auto_retry_status", marks=pytest.mark.since("3.34")),
    ],
)
def test_details_of_failures_are_refused_before_the_start(hook: SopsHook, flows: Flows, flag: str) -> None:
    task = flows.create("quick")
    asked: dict[str, Any] = {flag: True}
    with pytest.raises(SopsError) as refusal:
        hook.get_task_status(task.task_id, **asked)
    assert refusal.value.code == 3599999


@pytest.mark.flow("parallel")
def test_parallel_branches_run_at_the_same_time(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("parallel", constants={"${compile_seconds}": "3", "${test_seconds}": "1"})
    status = wait_for_node(hook, task.task_id, "test", FINISHED)
    assert states_by_name(status) == {"compile": RUNNING, "test": FINISHED}
    done = wait_for_state(hook, task.task_id, FINISHED)
    assert node_named(done, "publish").state == FINISHED
    gateways = [node_id for node_id in task.pipeline_tree["gateways"] if node_id in done.nodes]
    assert [done.nodes[node_id].name for node_id in gateways] == ["", ""]


@pytest.mark.flow("exclusive")
@pytest.mark.parametrize(
    ("env", "taken"), [("prod", "deploy to production"), ("test", "deploy to test"), ("moon", "deploy elsewhere")]
)
def test_an_exclusive_gateway_takes_one_branch(flows: Flows, env: str, taken: str) -> None:
    task, status = flows.run("exclusive", constants={"${env}": env})
    assert states_by_name(status) == {taken: FINISHED}
    # Gateways are nodes too; their names are never told.
    assert all(status.nodes[node_id].name == "" for node_id in task.pipeline_tree["gateways"])


@pytest.mark.flow("conditional_parallel")
@pytest.mark.parametrize(("n", "taken"), [("1", {"at least 1"}), ("2", {"at least 1", "at least 2"})])
def test_a_conditional_parallel_gateway_takes_every_branch_that_matches(flows: Flows, n: str, taken: set[str]) -> None:
    _, status = flows.run("conditional_parallel", constants={"${n}": n})
    assert set(states_by_name(status)) == taken


@pytest.mark.flow("loop")
def test_a_node_in_a_loop_keeps_its_id_and_counts_its_rounds(flows: Flows) -> None:
    _, status = flows.run("loop")
    assert node_named(status, "count").loop == 3
    assert node_named(status, "done").loop == 1


@pytest.mark.since("2020")
@pytest.mark.template("nested")
def test_nodes_of_subprocesses_are_nested_under_them(hook: SopsHook, flows: Flows) -> None:
    task, status = flows.run("nested")
    middle, leaf = (node_named(status, name) for name in ("call middle", "call leaf"))
    inner = next(node for node in middle.children.values() if node.name == "middle calls leaf")
    for subprocess in (leaf, inner):
        assert [node.name for node in subprocess.children.values()] == ["", "leaf says", "leaf waits", ""]
    tree = task.pipeline_tree["activities"]
    assert set(leaf.children) >= set(tree[leaf.id]["pipeline"]["activities"])

    part = hook.get_task_status(task.task_id, subprocess_id=middle.id, fresh=True)
    assert part.state == FINISHED
    assert set(part.nodes) == set(middle.children)
    assert {node.name for _, node in part.walk()} == {""}


@pytest.mark.since("2020")
@pytest.mark.flow("linear")
def test_an_unknown_subprocess_reads_as_created(
    hook: SopsHook, finished_linear: tuple[CreatedTask, TaskStatus]
) -> None:
    status = hook.get_task_status(finished_linear[0].task_id, subprocess_id="no_such_node")
    assert status.state == TaskState.CREATED
    assert not status.nodes


@pytest.mark.flow("unknown_plugin")
def test_a_node_whose_plugin_is_missing_runs_on_without_an_error(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("unknown_plugin")
    status = wait_for_node(hook, task.task_id, "no such plugin", RUNNING)
    assert status.state == RUNNING
    assert not status.ex_data


@pytest.mark.since("3.25")
@pytest.mark.flow("long")
def test_a_fresh_answer_is_never_older_than_the_question(hook: SopsHook, flows: Flows) -> None:
    task = flows.start("long")
    wait_for_node(hook, task.task_id, "first wait", RUNNING)
    hook.get_task_status(task.task_id)
    hook.get_tasks_status([task.task_id])
    hook.get_task_detail(task.task_id)
    hook.operate_task(task.task_id, "revoke")
    # Answers that are not fresh may still say RUNNING, for as long as the server keeps them.
    assert hook.get_task_status(task.task_id, fresh=True).state == TaskState.REVOKED
    assert hook.get_tasks_status([task.task_id], fresh=True)[task.task_id].state == TaskState.REVOKED
    assert hook.get_task_detail(task.task_id, fresh=True).finish_time is not None


@pytest.mark.since("2020")
def test_an_unknown_task_is_not_found(gateway_hook: SopsHook) -> None:
    with pytest.raises(SopsNotFoundError) as refusal:
        gateway_hook.get_task_status(NO_SUCH_ID)
    assert refusal.value.code == 3540400


@pytest.mark.since("2020")
@pytest.mark.other_project
@pytest.mark.flow("quick")
def test_a_task_of_another_project_is_refused_with_the_code_for_anything_else(
    other_project: SopsHook, flows: Flows
) -> None:
    task = flows.create("quick")
    with pytest.raises(SopsError) as refusal:
        other_project.get_task_status(task.task_id)
    assert refusal.value.code == 3599999

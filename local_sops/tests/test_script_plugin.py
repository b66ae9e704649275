"""job_fast_execute_script: shell scripts, for servers that allow them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, is_in, node_ids, node_is, running_server
from tree_fixtures import display, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK, SCRIPT = 18, 37


@pytest.fixture(scope="module")
def scripting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SopsClient]:
    with running_server(tmp_path_factory.mktemp("scripts"), "--allow-scripts") as server:
        yield server.client


def run_script(sops: SopsClient, content: str, **inputs: Any) -> dict[str, Any]:
    node = display("a")
    data = {"job_script_source": "manual", "job_script_type": "1", "job_content": content, **inputs}
    node["component"] = {
        "code": "job_fast_execute_script",
        "version": "v1.0",
        "data": {key: {"value": value} for key, value in data.items()},
    }
    created: dict[str, Any] = sops.run(QUICK, pipeline_tree=tree_of([node], "start>a a>end"))
    return created


def reason(sops: SopsClient, task_id: int) -> str:
    """Return why the node failed; for a moment a node is FAILED before its reason can be read."""
    sops.wait(task_id, is_in("FAILED"))
    deadline = time.monotonic() + 10
    while not (text := next(iter(sops.status(task_id, with_ex_data=1, _nc=time.monotonic())["ex_data"].values()), "")):
        assert time.monotonic() < deadline, f"task {task_id} has failed without a reason"
        time.sleep(0.02)
    return str(text)


def test_a_script_runs_and_gives_variables_of_its_output(scripting: SopsClient) -> None:
    created = scripting.run(SCRIPT, constants={"${who}": "'amy b'"})
    scripting.wait(created["task_id"], is_in("FINISHED"))
    assert [one["value"] for one in scripting.detail(created["task_id"])["outputs"]] == [{"greeted": "amy b"}]
    query = {"node_id": node_ids(created["pipeline_tree"])["run"]}
    log = scripting.get(f"get_task_node_log/{created['task_id']}/{BUSINESS}", **query)["data"]
    assert "hello amy b" in log


def test_an_exit_code_fails_the_node_and_is_told_with_the_output(scripting: SopsClient) -> None:
    task_id = run_script(scripting, "echo no such thing >&2; exit 3")["task_id"]
    assert reason(scripting, task_id) == "the script ended with exit code 3: no such thing\n"


def test_a_script_that_takes_too_long_is_killed_with_what_it_started(scripting: SopsClient, tmp_path: Path) -> None:
    content = f"(sleep 30; echo > {tmp_path}/survived) & echo started; wait"
    task_id = run_script(scripting, content, job_script_timeout=1)["task_id"]
    assert reason(scripting, task_id) == "the script did not end in time: started\n"


@pytest.mark.parametrize("inputs", [{"job_script_source": "public"}, {"job_script_type": "4"}])
def test_other_scripts_are_refused(scripting: SopsClient, inputs: dict[str, str]) -> None:
    assert reason(scripting, run_script(scripting, "exit", **inputs)["task_id"]).startswith("local_sops runs only")


def test_a_script_that_ran_when_the_server_was_killed_is_failed(data_folder: Path) -> None:
    with running_server(data_folder, "--allow-scripts") as server:
        task_id = run_script(server.client, "sleep 3")["task_id"]
        server.client.wait(task_id, node_is("a", "RUNNING"))
        server.kill()
    with running_server(data_folder, "--allow-scripts") as server:
        assert "was stopped while" in reason(server.client, task_id)


def test_without_leave_the_plugin_is_missing_and_its_node_runs_for_ever(sops: SopsClient, tmp_path: Path) -> None:
    task_id = run_script(sops, f"echo > {tmp_path}/ran")["task_id"]
    sops.wait(task_id, node_is("a", "RUNNING"))
    other = sops.run(QUICK)["task_id"]
    sops.wait(other, is_in("FINISHED"))
    assert sops.status(task_id)["state"] == "RUNNING"
    assert not list(tmp_path.iterdir())

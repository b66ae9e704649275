from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.cli import run as run_command
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.sops.models import CreatedTask, TaskListItem
    from demo.local_sops import LocalSops
    from tests.cli.conftest import AirflowSops, Done

pytestmark = pytest.mark.integration


@pytest.fixture
def run(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> Callable[..., tuple[Done, dict[str, Any]]]:
    """Runs a template by its name, with JSON."""

    def run(template: str, *options: str) -> tuple[Done, dict[str, Any]]:
        done = airflow_sops("run", str(templates[template]), "--output", "json", "--poll-seconds", "0.2", *options)
        return done, json.loads(done.out) if done.out else {}

    return run


def tasks_like(hook: SopsHook, name: str) -> list[TaskListItem]:
    return hook.get_task_list(keyword=name[name.index("#") :])


def test_a_flow_runs_to_its_end_and_gives_its_outputs(run: Callable[..., tuple[Done, dict[str, Any]]]) -> None:
    done, document = run("rollout", "--constant", "version=1.10", "--name", "release")

    assert done.code == 0
    assert (document["state"], document["outcome"], document["error"]) == ("FINISHED", "finished", None)
    assert document["outputs"]["version"] == "1.10"
    assert document["name"].startswith("release #")
    assert {node["state"] for node in document["nodes"]} == {"FINISHED"}
    assert f"SOPS task {document['sops_task_id']} is started" in done.err
    assert 'node "announce the release" FINISHED' in done.err


def test_a_failed_flow_ends_with_1_and_says_what_to_do(run: Callable[..., tuple[Done, dict[str, Any]]]) -> None:
    done, document = run("fail")

    assert done.code == 1
    assert (document["state"], document["outcome"]) == ("FAILED", "failed")
    assert 'node "fails"' in document["error"]
    assert f"`airflow-sops status {document['sops_task_id']} --follow`" in document["error"]


def test_text_has_the_state_the_page_and_the_outputs(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    done = airflow_sops("run", str(templates["rollout"]), "--poll-seconds", "0.2")

    assert done.code == 0
    assert done.out.splitlines()[0].endswith(": FINISHED")
    assert sops_default.url in done.out
    assert 'version = "1.0.0"\n' in done.out


def test_a_lost_answer_creates_no_second_task(
    run: Callable[..., tuple[Done, dict[str, Any]]], hook: SopsHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = SopsHook.create_task

    def lose(hook: SopsHook, *arguments: Any, **keywords: Any) -> CreatedTask:
        create(hook, *arguments, **keywords)
        raise SopsConnectionError("the answer was lost")

    monkeypatch.setattr(SopsHook, "create_task", lose)
    done, document = run("quick")

    assert (done.code, document["state"]) == (0, "FINISHED")
    assert [task.id for task in tasks_like(hook, document["name"])] == [document["sops_task_id"]]
    assert "the answer to create_task was lost" in done.err.lower()


def test_the_same_key_follows_the_first_task(run: Callable[..., tuple[Done, dict[str, Any]]], hook: SopsHook) -> None:
    _, first = run("quick", "--key", "nightly 1")
    _, second = run("quick", "--key", "nightly 1")
    _, other = run("quick", "--key", "nightly 2")

    assert second["sops_task_id"] == first["sops_task_id"] != other["sops_task_id"]
    assert len(tasks_like(hook, first["name"])) == 1


def test_the_task_says_on_which_host_it_was_made(
    run: Callable[..., tuple[Done, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    create, descriptions = SopsHook.create_task, []

    def remember(hook: SopsHook, *arguments: Any, **keywords: Any) -> CreatedTask:
        descriptions.append(keywords["description"])
        return create(hook, *arguments, **keywords)

    monkeypatch.setattr(SopsHook, "create_task", remember)

    assert run("quick", "--detach")[0].code == 0
    assert descriptions == [f"Created by airflow-sops on {socket.gethostname()}"]


def test_without_a_key_each_call_is_a_run_of_its_own(run: Callable[..., tuple[Done, dict[str, Any]]]) -> None:
    assert run("quick")[1]["sops_task_id"] != run("quick")[1]["sops_task_id"]


def test_detached_it_returns_once_the_task_is_started(
    run: Callable[..., tuple[Done, dict[str, Any]]], airflow_sops: AirflowSops
) -> None:
    done, document = run("pause", "--detach")

    assert done.code == 0
    # SOPS revokes only a task that was started.
    assert airflow_sops("revoke", str(document["sops_task_id"])).code == 0


def test_a_limit_ends_the_following_and_not_the_task(
    run: Callable[..., tuple[Done, dict[str, Any]]], airflow_sops: AirflowSops, hook: SopsHook
) -> None:
    done, document = run("pause", "--timeout-seconds", "1")

    assert done.code == 3
    assert document["outcome"] == "timed out"
    assert not hook.get_task_status(document["sops_task_id"], fresh=True).state.is_terminal
    assert airflow_sops("revoke", str(document["sops_task_id"])).code == 0


def test_ctrl_c_leaves_the_task_and_says_how_to_go_on(
    airflow_sops: AirflowSops,
    sops_default: LocalSops,
    templates: dict[str, int],
    hook: SopsHook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_arguments: Any, **_keywords: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_command, "follow_task", interrupt)
    done = airflow_sops("run", str(templates["pause"]), "--bk-biz-id", "2")
    said = done.err[done.err.index("Interrupted.") :]
    task_id = int(said.split()[3])

    assert (done.code, done.out) == (130, "")
    assert f"SOPS task {task_id} goes on in SOPS: {sops_default.url}" in said
    assert f"airflow-sops status {task_id} --follow --bk-biz-id 2\n" in said
    assert f"airflow-sops revoke {task_id} --bk-biz-id 2\n" in said
    assert not hook.get_task_status(task_id, fresh=True).state.is_terminal
    assert airflow_sops("revoke", str(task_id)).code == 0


def test_ctrl_c_while_it_is_created_names_what_may_be_left(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: Any, **_keywords: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SopsHook, "create_task", interrupt)
    done = airflow_sops("run", str(templates["quick"]))

    assert done.code == 130
    assert "an unstarted task that does nothing: quick #" in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--constant", "version"], "is not KEY=VALUE"),
        (["--constant", "version:=1.x"], "the value is not JSON"),
        (["--constant", "versoin=1"], "did you mean '${version}'?"),
        (["--name", "x" * 81], "the limit is 80"),
        (["--exclude", "nowhere"], "has no node 'nowhere'"),
    ],
)
def test_what_is_wrong_is_said_before_a_task_is_created(
    run: Callable[..., tuple[Done, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
) -> None:
    def create(*_arguments: Any, **_keywords: Any) -> None:
        raise AssertionError("a task was created")

    monkeypatch.setattr(SopsHook, "create_task", create)
    done, _ = run("rollout", *options)

    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_constants_from_a_file_give_way_to_those_of_the_command_line(
    run: Callable[..., tuple[Done, dict[str, Any]]], airflow_sops: AirflowSops
) -> None:
    path = airflow_sops.folder / "constants.json"
    path.write_text(json.dumps({"version": "1", "${environment}": "staging"}), encoding="utf-8")

    _, document = run("rollout", "--constants", str(path), "--constant", "version=2")

    assert document["outputs"] == {"version": "2", "environment": "staging"}


def test_a_password_is_in_no_output(run: Callable[..., tuple[Done, dict[str, Any]]], airflow_sops: AirflowSops) -> None:
    path = airflow_sops.folder / "constants.json"
    path.write_text(json.dumps({"password": "Pa55-of-the-flow"}), encoding="utf-8")

    done, _ = run("password", "--constants", str(path))

    assert done.code in (0, 1)
    assert "Pa55-of-the-flow" not in done.out + done.err

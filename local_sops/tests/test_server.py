from __future__ import annotations

import re
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from sops_client import BUSINESS, is_in, node_ids, node_is, node_states, running_server

if TYPE_CHECKING:
    from pathlib import Path

    from sops_client import SopsClient

PARALLEL, NESTED, FAIL, AUTO_RETRY, LONG, QUICK, HTTP, PAUSE = 2, 8, 12, 14, 17, 18, 26, 11


def run_command(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local_sops", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_it_says_in_one_line_where_it_listens(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        assert re.fullmatch(r"local_sops listening on http://127\.0\.0\.1:\d+\n", server.ready_line)


def test_a_port_that_is_taken_is_named(data_folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run_command("--port", port, "--data", str(data_folder))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == f"local-sops: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--timezone", "Mars/X"], "--timezone Mars/X is not the name of a time zone"),
        (["--templates", "/nowhere"], "--templates /nowhere is not a folder"),
        (["--plugins", "/nowhere"], "--plugins /nowhere is not a folder"),
        (["--host", "0.0.0.0"], "--host 0.0.0.0 can be reached from elsewhere: set --app-secret"),
        (["--port", "70000"], "is not a port"),
        (["--web-processes", "3"], "--web-processes has no effect without --cache-like-production"),
        (["--rate-limit", "5"], "must have the form N/SECONDS, for example 100/60"),
        (["--rate-limit", "0/1"], "must have the form N/SECONDS, for example 100/60"),
        (["--expire-after-days", "-1"], "is less than 0"),
        (["--server", "2018"], "invalid choice: '2018'"),
        (["--project-constants", "/nowhere"], "--project-constants /nowhere: No such file"),
    ],
)
def test_wrong_options_are_named(data_folder: Path, options: list[str], words: str) -> None:
    ended = run_command("--port", "0", "--data", str(data_folder), *options)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run_command("--port", "0", "--data", str(tmp_path / "file"))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("content", ["[]", "{", '{"x": {"a": "b"}}', '{"1": "x"}'])
def test_project_constants_of_another_form_are_named(data_folder: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "constants.json"
    file.write_text(content)
    ended = run_command("--port", "0", "--data", str(data_folder), "--project-constants", str(file))
    assert ended.returncode == 2
    assert 'must contain JSON of the form {"<project id>": {"name": "value"}}' in ended.stderr


def test_a_data_folder_of_another_version_is_named(data_folder: Path) -> None:
    data_folder.mkdir()
    with sqlite3.connect(data_folder / "local_sops.sqlite3") as database:
        database.execute("CREATE TABLE local_sops_task (id INTEGER)")
    ended = run_command("--port", "0", "--data", str(data_folder))
    assert ended.returncode == 2
    assert ended.stderr.endswith("it was created by another version of local-sops; use a new folder\n")


def test_a_data_folder_has_one_server_at_a_time(data_folder: Path) -> None:
    with running_server(data_folder):
        ended = run_command("--port", "0", "--data", str(data_folder))
        assert ended.returncode == 2
        assert ended.stderr.endswith(f"another local-sops is using {data_folder}\n")


def test_a_broken_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    ended = run_command("--port", "0", "--data", str(tmp_path / "data"), "--templates", str(tmp_path))
    assert ended.returncode == 2
    assert "bad.json is not a SOPS template" in ended.stderr


def test_help_tells_of_every_option() -> None:
    text = run_command("--help").stdout
    for option in (
        "--port",
        "--data",
        "--host",
        "--templates",
        "--plugins",
        "--app-code",
        "--app-secret",
        "--worker-threads",
        "--cache-like-production",
        "--web-processes",
        "--rate-limit",
        "--server",
        "--multi-tenant",
        "--expire-after-days",
        "--project-constants",
        "--allow-scripts",
    ):
        assert option in text


@pytest.mark.parametrize("how", ["asked to stop", "killed"])
def test_running_tasks_go_on_after_a_restart(data_folder: Path, how: str) -> None:
    with running_server(data_folder) as server:
        sops = server.client
        waiting = sops.create(QUICK)["task_id"]
        pause = sops.run(PAUSE)
        tasks = [
            sops.run(PARALLEL, constants={"${compile_seconds}": 2, "${test_seconds}": 1})["task_id"],
            sops.run(NESTED)["task_id"],
            sops.run(LONG, constants={"${seconds}": 1})["task_id"],
        ]
        retried = sops.run(AUTO_RETRY)["task_id"]
        sops.wait(pause["task_id"], node_is("ask a person", "RUNNING"))
        sops.wait(retried, is_in("FAILED"))
        if how == "killed":
            server.kill()
        else:
            began = time.monotonic()
            assert server.end() == 0
            assert time.monotonic() - began < 3
    with running_server(data_folder) as server:
        sops = server.client
        for task_id in tasks:
            status = sops.wait(task_id)
            assert status["state"] == "FINISHED"
            assert all(node["loop"] == 1 for node in status["children"].values())
        assert sops.status(waiting)["state"] == "CREATED"
        assert sops.status(pause["task_id"])["state"] == "RUNNING"
        body = {"node_id": node_ids(pause["pipeline_tree"])["ask a person"], "callback_data": {}}
        assert sops.post(f"node_callback/{pause['task_id']}/{BUSINESS}", body)["result"]
        sops.wait(pause["task_id"], is_in("FINISHED"))
        sops.wait(retried, lambda now: [one["retry"] for one in now["children"].values()][-1] == 2)


def test_a_plugin_that_was_killed_in_its_work_is_failed_not_run_again(data_folder: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with running_server(data_folder) as server:
            task_id = server.client.run(HTTP, constants={"${url}": url})["task_id"]
            server.client.wait(task_id, node_is("call", "RUNNING"))
            connection, _ = silent.accept()
            server.kill()
        # Closed any sooner, it would have been an answer.
        connection.close()
        silent.settimeout(1)
        with running_server(data_folder) as server:
            assert node_states(server.client.wait(task_id, is_in("FAILED"))) == {"call": "FAILED"}
            (reason,) = server.client.status(task_id, with_ex_data=1)["ex_data"].values()
            assert reason.startswith("local_sops was stopped while this node was running")
            with pytest.raises(TimeoutError):
                silent.accept()


def test_a_timer_that_was_killed_before_it_began_to_wait_begins_anew(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        task_id = server.client.run(LONG, constants={"${seconds}": 1})["task_id"]
        server.client.wait(task_id, lambda now: "RUNNING" in node_states(now).values())
        server.kill()
    with sqlite3.connect(data_folder / "local_sops.sqlite3") as database:
        database.execute("DELETE FROM eri_schedule")
    with running_server(data_folder) as server:
        status = server.client.wait(task_id)
        assert status["state"] == "FINISHED"
        assert {(node["loop"], node["retry"]) for node in status["children"].values()} == {(1, 0)}


def test_a_failed_node_can_be_skipped_though_the_server_was_killed_just_after_its_failure(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        failed = server.client.run(FAIL)
        server.client.wait(failed["task_id"], is_in("FAILED"))
        server.kill()
    with sqlite3.connect(data_folder / "local_sops.sqlite3") as database:
        database.execute("UPDATE eri_process SET asleep = 0")
    with running_server(data_folder) as server:
        answer = server.client.operate_node(failed["task_id"], node_ids(failed["pipeline_tree"])["fails"], "skip")
        assert answer["result"], answer
        server.client.wait(failed["task_id"], is_in("FINISHED"))


def test_clients_that_keep_their_connections_open_keep_nobody_out(sops: SopsClient) -> None:
    address = urlsplit(sops.base_url)
    with ExitStack() as connections:
        for _ in range(300):
            connections.enter_context(socket.create_connection((address.hostname, address.port), timeout=5))
        assert requests.get(f"{sops.base_url}/", timeout=5, allow_redirects=False).status_code < 500


def test_templates_of_a_folder_join_the_shipped_ones(data_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    with running_server(data_folder, "--templates", str(folder)) as server:
        sops = server.client
        shipped = sops.get(f"get_template_info/{QUICK}/{BUSINESS}")
        text = server.client.raw("GET", f"get_template_info/{QUICK}/{BUSINESS}").text
        (folder / "export.json").write_text(text.replace('"id": 18,', '"id": 500,'))
        assert sops.get(f"get_template_info/500/{BUSINESS}")["data"]["name"] == shipped["data"]["name"]
        assert sops.wait(sops.run(500)["task_id"])["state"] == "FINISHED"

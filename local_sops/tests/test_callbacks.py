"""What is posted to a task's callback_url."""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sops_client import BUSINESS, SopsClient, is_in, node_ids, node_is, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINEAR, PAUSE, FAIL, AUTO_RETRY, LONG, QUICK, FAIL_IN_SUBPROCESS = 1, 11, 12, 14, 17, 18, 22


class Post(NamedTuple):
    path: str
    content_type: str
    body: str


class Receiver:
    """What a server took that answers a path with the status at its end, any other with 200.

    :param url: may be changed before it is handed out.
    """

    def __init__(self, url: str, posts: queue.Queue[Post]) -> None:
        self.url = url
        self._posts = posts

    def next(self, timeout_seconds: float = 10) -> Post:
        return self._posts.get(timeout=timeout_seconds)

    def bodies(self, number: int) -> list[str]:
        return [self.next().body for _ in range(number)]

    def has_no_more(self) -> bool:
        return self._posts.empty()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    posts: queue.Queue[Post] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            posts.put(Post(self.path, self.headers["Content-Type"], body))
            status = self.path.rpartition("/")[2]
            self.send_response(int(status) if status.isdigit() else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Receiver(f"http://127.0.0.1:{server.server_port}/sink", posts)
    server.shutdown()
    server.server_close()


def run(sops: SopsClient, template_id: int, receiver: Receiver, **options: Any) -> dict[str, Any]:
    created: dict[str, Any] = sops.run(template_id, callback_url=receiver.url, **options)
    return created


def test_the_end_is_told_with_a_form(sops: SopsClient, receiver: Receiver) -> None:
    task_id = run(sops, QUICK, receiver)["task_id"]
    post = receiver.next()
    assert (post.path, post.content_type) == ("/sink", "application/x-www-form-urlencoded")
    assert post.body == f"task_id={task_id}&task_success=True"


def test_version_2_is_json_with_the_outputs(sops: SopsClient, receiver: Receiver) -> None:
    task_id = run(sops, LINEAR, receiver, callback_version="v2", constants={"${seconds}": 0})["task_id"]
    post = receiver.next()
    assert post.content_type == "application/json"
    body = json.loads(post.body)
    assert list(body) == ["task_id", "callback_version", "task_success", "task_outputs"]
    assert (body["task_id"], body["callback_version"], body["task_success"]) == (task_id, "v2", True)
    assert body["task_outputs"] == sops.detail(task_id)["outputs"]


def test_any_other_version_is_just_a_field_of_the_form(sops: SopsClient, receiver: Receiver) -> None:
    task_id = run(sops, QUICK, receiver, callback_version=2)["task_id"]
    assert receiver.next().body == f"task_id={task_id}&callback_version=2&task_success=True"


def test_every_failure_of_a_node_is_told_and_a_success_may_follow(sops: SopsClient, receiver: Receiver) -> None:
    created = run(sops, FAIL, receiver)
    task_id, node_id = created["task_id"], node_ids(created["pipeline_tree"])["fails"]
    failed, finished = (f"task_id={task_id}&task_success={success}" for success in (False, True))
    assert receiver.next().body == failed
    sops.wait(task_id, is_in("FAILED"))
    sops.operate_node_when_asleep(task_id, node_id, "retry")
    assert receiver.next().body == failed
    sops.operate_node_when_asleep(task_id, node_id, "skip")
    assert receiver.next().body == finished


def test_a_failure_in_json_has_no_outputs(sops: SopsClient, receiver: Receiver) -> None:
    task_id = run(sops, FAIL_IN_SUBPROCESS, receiver, callback_version="v2")["task_id"]
    body = json.loads(receiver.next().body)
    assert body == {"task_id": task_id, "callback_version": "v2", "task_success": False, "task_outputs": []}


def test_a_failure_that_is_retried_automatically_is_told_only_in_the_end(sops: SopsClient, receiver: Receiver) -> None:
    task_id = run(sops, AUTO_RETRY, receiver)["task_id"]
    assert receiver.next().body == f"task_id={task_id}&task_success=False"
    assert [node["retry"] for node in sops.status(task_id)["children"].values()][-1] == 2
    assert receiver.has_no_more()


def test_a_revoke_is_told_twice(sops: SopsClient, receiver: Receiver) -> None:
    task_id = run(sops, LONG, receiver)["task_id"]
    sops.wait(task_id, is_in("RUNNING"))
    sops.operate_task(task_id, "revoke")
    assert receiver.bodies(2) == [f"task_id={task_id}&task_success=False"] * 2


def test_a_task_that_waits_for_a_person_tells_nothing(sops: SopsClient, receiver: Receiver) -> None:
    task_id = run(sops, PAUSE, receiver)["task_id"]
    sops.wait(task_id, node_is("ask a person", "RUNNING"))
    assert receiver.has_no_more()


def test_a_receiver_that_refuses_is_tried_three_times_more(sops: SopsClient, receiver: Receiver) -> None:
    receiver.url += "/500"
    task_id = run(sops, QUICK, receiver)["task_id"]
    assert receiver.bodies(4) == [f"task_id={task_id}&task_success=True"] * 4


def test_a_callback_outlives_a_kill_of_the_server(data_folder: Path, receiver: Receiver) -> None:
    url, receiver.url = receiver.url, "http://127.0.0.1:9/nobody"
    with running_server(data_folder) as server:
        task_id = run(server.client, QUICK, receiver)["task_id"]
        server.client.wait(task_id, is_in("FINISHED"))
        server.kill()
    _set_callback_url(data_folder, url)
    with running_server(data_folder):
        assert receiver.next().body == f"task_id={task_id}&task_success=True"


def _set_callback_url(data_folder: Path, url: str) -> None:
    with sqlite3.connect(data_folder / "local_sops.sqlite3") as database:
        database.execute("UPDATE local_sops_task SET callback_url = ?", (url,))


@pytest.mark.parametrize("url", ["ftp://host/x", "http://", "nowhere"])
def test_an_address_that_is_none_is_refused(sops: SopsClient, url: str) -> None:
    refused = sops.post(f"create_task/{QUICK}/{BUSINESS}", {"name": "x", "callback_url": url})
    assert (refused["code"], refused["message"]) == (
        3540000,
        "callback_url format error, must match ^https?://\\w.+$",
    )

"""A client that says no more than HTTP: what these tests look at is the server's own words."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CREDENTIALS = {"bk_app_code": "airflow", "bk_app_secret": "airflow-secret", "bk_username": "tester"}
BUSINESS = 2
FINAL = ("FINISHED", "FAILED", "REVOKED")

Json = dict[str, Any]


class SopsClient:
    """Calls one server by its API gateway."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()
        self.session.headers["X-Bkapi-Authorization"] = json.dumps(CREDENTIALS)

    def get(self, path: str, **query: Any) -> Json:
        answer: Json = self.raw("GET", path, params=query).json()
        return answer

    def post(self, path: str, body: Any = None) -> Json:
        answer: Json = self.raw("POST", path, json={} if body is None else body).json()
        return answer

    def raw(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        url = f"{self.base_url}/prod/{path}/"
        return self.session.request(method, url, timeout=10, allow_redirects=False, **kwargs)

    def create(self, template_id: int, **body: Any) -> Json:
        answer = self.post(f"create_task/{template_id}/{BUSINESS}", {"name": "test", **body})
        assert answer["result"], answer
        created: Json = answer["data"]
        return created

    def start(self, task_id: int) -> Json:
        return self.post(f"start_task/{task_id}/{BUSINESS}")

    def run(self, template_id: int, **body: Any) -> Json:
        created = self.create(template_id, **body)
        assert self.start(created["task_id"])["result"]
        return created

    def status(self, task_id: int, **query: Any) -> Json:
        answer = self.get(f"get_task_status/{task_id}/{BUSINESS}", **query)
        assert answer["result"], answer
        status: Json = answer["data"]
        return status

    def detail(self, task_id: int) -> Json:
        detail: Json = self.get(f"get_task_detail/{task_id}/{BUSINESS}")["data"]
        return detail

    def operate_node(self, task_id: int, node_id: str, action: str, **body: Any) -> Json:
        return self.post(f"operate_node/{BUSINESS}/{task_id}", {"node_id": node_id, "action": action, **body})

    def operate_node_when_asleep(self, task_id: int, node_id: str, action: str, **body: Any) -> Json:
        """Do something with a node that has only just failed: for a moment the engine refuses."""
        deadline = time.monotonic() + 10
        while not (answer := self.operate_node(task_id, node_id, action, **body))["result"]:
            assert time.monotonic() < deadline, answer
            time.sleep(0.02)
        return answer

    def operate_task(self, task_id: int, action: str) -> Json:
        return self.post(f"operate_task/{task_id}/{BUSINESS}", {"action": action})

    def wait_for_outputs(self, task_id: int, node_id: str) -> None:
        """Poll until a node has put something out, which one that waits has done as soon as it waits."""
        deadline = time.monotonic() + 10
        while not self.get(f"get_task_node_detail/{task_id}/{BUSINESS}", node_id=node_id)["data"]["outputs"]:
            assert time.monotonic() < deadline, f"node {node_id} of task {task_id} has no outputs"
            time.sleep(0.02)

    def wait(self, task_id: int, until: Callable[[Json], bool] | None = None, timeout_seconds: float = 20) -> Json:
        """Poll until the status is as wanted, by default until it is one of the final words."""
        wanted = until or (lambda status: status["state"] in FINAL)
        deadline = time.monotonic() + timeout_seconds
        while not wanted(status := self.status(task_id)):
            assert time.monotonic() < deadline, f"task {task_id} is still {status}"
            time.sleep(0.02)
        return status


def node_ids(tree: Json) -> dict[str, str]:
    """Name -> id of the activities of a tree's top level."""
    return {node["name"]: node_id for node_id, node in tree["activities"].items()}


def node_states(status: Json) -> dict[str, str]:
    """Name -> state of the named nodes of a status's top level."""
    return {node["name"]: node["state"] for node in status["children"].values() if node["name"]}


def is_in(state: str) -> Callable[[Json], bool]:
    return lambda status: bool(status["state"] == state)


def node_is(name: str, state: str) -> Callable[[Json], bool]:
    return lambda status: node_states(status).get(name) == state


class ServerProcess:
    """A server as a child process."""

    def __init__(self, data_folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local_sops", "--port", "0", "--data", str(data_folder), *options],
            # The log goes to pytest: nobody would empty a pipe, and the server would stop when it is full.
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.ready_line = self.process.stdout.readline()
        self.client = SopsClient(self.ready_line.rpartition(" ")[2].strip())

    def end(self) -> int:
        """Ask it to stop, and wait; its exit code."""
        self.process.terminate()
        self.process.communicate(timeout=20)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)


@contextmanager
def running_server(data_folder: Path, *options: str) -> Iterator[ServerProcess]:
    server = ServerProcess(data_folder, *options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()

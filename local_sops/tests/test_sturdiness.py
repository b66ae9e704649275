"""Many tasks, large tasks, and kills at any moment."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import SopsClient, is_in, node_ids, running_server
from tree_fixtures import display, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK, NODES_200, NODES_1000 = 18, 200, 1000
INTERRUPTED = "local_sops was stopped while this node was running. Retry the node, or skip it."
TASKS, KILLS = 6, 4


class CountingServer:
    """Counts the requests to each path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.hits: Counter[str] = Counter()


@pytest.fixture
def counted() -> Iterator[CountingServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                counting.hits[self.path] += 1
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: object) -> None:
            pass

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    counting = CountingServer(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield counting
    server.shutdown()
    server.server_close()


def calling(name: str, url: str) -> dict[str, Any]:
    node = display(name)
    data = {"bk_http_request_method": "GET", "bk_http_request_url": f"{url}/{name}", "bk_http_request_body": ""}
    node["component"] = {
        "code": "bk_http_request",
        "version": "legacy",
        "data": {key: {"value": value} for key, value in data.items()},
    }
    return node


def waiting(name: str, seconds: float) -> dict[str, Any]:
    node = display(name)
    data = {"bk_timing": {"value": str(seconds)}, "force_check": {"value": True}}
    node["component"] = {"code": "sleep_timer", "version": "legacy", "data": data}
    return node


def flow(url: str) -> dict[str, Any]:
    """Calls before, in and after parallel branches, with pauses in between."""
    nodes = [calling(name, url) for name in ("first", "b1", "b2", "b3", "c1", "c2", "last")]
    pauses = [waiting("w1", 1), waiting("w2", 0)]
    edges = "start>first first>g g>b1 b1>w1 w1>b2 b2>b3 b3>j g>c1 c1>w2 w2>c2 c2>j j>last last>end"
    return tree_of([*nodes, *pauses], edges, {"g": "ParallelGateway", "j": "ConvergeGateway"})


def finish(sops: SopsClient, created: dict[str, Any]) -> dict[str, int]:
    """Bring a task to its end, retrying what was interrupted; how often each node was retried, by name."""
    task_id = created["task_id"]
    while True:
        status = sops.wait(task_id, lambda now: now["state"] in ("FINISHED", "FAILED"))
        if status["state"] == "FINISHED":
            return {node["name"]: node["retry"] for node in status["children"].values() if node["name"]}
        for node_id, reason in sops.status(task_id, with_ex_data=1).get("ex_data", {}).items():
            assert reason == INTERRUPTED
            sops.operate_node_when_asleep(task_id, node_id, "retry")


def test_kills_at_any_moment_lose_nothing_and_run_nothing_twice_in_silence(
    data_folder: Path, counted: CountingServer
) -> None:
    moments = random.Random(3)
    with running_server(data_folder) as server:
        tasks = [server.client.run(QUICK, pipeline_tree=flow(f"{counted.url}/{number}")) for number in range(TASKS)]
        server.kill()
    for _ in range(KILLS - 1):
        with running_server(data_folder) as server:
            time.sleep(moments.uniform(0, 0.4))
            server.kill()
    with running_server(data_folder) as server:
        for number, created in enumerate(tasks):
            retries = finish(server.client, created)
            for name in node_ids(created["pipeline_tree"]):
                if not name.startswith("w"):
                    assert 1 <= counted.hits[f"/{number}/{name}"] <= 1 + retries[name], (number, name)


def test_a_large_flow_runs_all_its_nodes(sops: SopsClient) -> None:
    created = sops.run(NODES_1000)
    status = sops.wait(created["task_id"], is_in("FINISHED"), timeout_seconds=50)
    assert set(created["pipeline_tree"]["activities"]) < set(status["children"])
    assert len(status["children"]) == 1004
    assert {child["state"] for child in status["children"].values()} == {"FINISHED"}


def test_there_is_a_flow_of_200_nodes_too(sops: SopsClient) -> None:
    assert len(sops.create(NODES_200)["pipeline_tree"]["activities"]) == 200

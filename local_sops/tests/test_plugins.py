from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import SopsClient, is_in, node_ids
from tree_fixtures import display, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK, HTTP = 18, 26


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """An HTTP server that answers as its path says, and echoes what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            status = int(self.path.strip("/") or 200)
            echo = {"method": self.command, "body": body, "token": self.headers.get("X-Token")}
            content = b"not json" if status == 299 else json.dumps(echo).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815 - named by the standard library

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run_node(sops: SopsClient, code: str, version: str, inputs: dict[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    """Run a task of one node; the state, its ex_data and its outputs."""
    node = display("only")
    data = {key: {"value": value} for key, value in inputs.items()}
    node["component"] = {"code": code, "version": version, "data": data}
    created = sops.run(QUICK, pipeline_tree=tree_of([node], "start>only only>end"))
    state = sops.wait(created["task_id"])["state"]
    node_id = node_ids(created["pipeline_tree"])["only"]
    detail = sops.get(f"get_task_node_detail/{created['task_id']}/2", node_id=node_id)["data"]
    return state, detail["ex_data"], {one["key"]: one["value"] for one in detail["outputs"]}


def request(url: str, **inputs: Any) -> dict[str, Any]:
    named = {f"bk_http_{key}": value for key, value in inputs.items()}
    return {"bk_http_request_method": "GET", "bk_http_request_url": url, "bk_http_request_body": "", **named}


@pytest.mark.parametrize("version", ["legacy", "v1.0"])
def test_a_request_gives_content_and_status(sops: SopsClient, web: str, version: str) -> None:
    state, ex_data, outputs = run_node(sops, "bk_http_request", version, request(web))
    assert (state, ex_data, outputs["status_code"]) == ("FINISHED", None, 200)
    assert outputs["data"]["method"] == "GET"


def test_a_request_carries_headers_and_body(sops: SopsClient, web: str) -> None:
    inputs = request(
        web, request_method="POST", request_body='{"a": "é"}', request_header=[{"name": "X-Token", "value": "t"}]
    )
    _, _, outputs = run_node(sops, "bk_http_request", "v1.0", inputs)
    assert outputs["data"] == {"method": "POST", "body": '{"a": "é"}', "token": "t"}


@pytest.mark.parametrize(
    ("path", "inputs", "words"),
    [
        ("/500", {}, "请求失败，状态码: 500"),
        ("/299", {}, "非 JSON"),
        ("", {"success_exp": "resp.method == 'POST'"}, "请求成功条件判定失败"),
        ("", {"success_exp": "resp.method =="}, "请求成功条件判定出错"),
    ],
)
def test_a_request_fails_with_a_reason(
    sops: SopsClient, web: str, path: str, inputs: dict[str, str], words: str
) -> None:
    state, ex_data, outputs = run_node(sops, "bk_http_request", "v1.0", request(web + path, **inputs))
    assert state == "FAILED"
    assert words in ex_data
    assert outputs["_result"] is False


def test_a_request_that_reaches_nobody_fails(sops: SopsClient) -> None:
    state, ex_data, _ = run_node(sops, "bk_http_request", "v1.0", request("http://127.0.0.1:9/"))
    assert state == "FAILED"
    assert ex_data.startswith("请求异常")


def test_a_request_succeeds_by_its_condition(sops: SopsClient, web: str) -> None:
    inputs = request(web, success_exp="resp.method == 'GET'")
    assert run_node(sops, "bk_http_request", "v1.0", inputs)[0] == "FINISHED"


def test_the_answer_of_a_request_becomes_an_output_of_the_task(sops: SopsClient, web: str) -> None:
    task_id = sops.run(HTTP, constants={"${url}": web})["task_id"]
    sops.wait(task_id, is_in("FINISHED"))
    outputs = {one["key"]: one["value"] for one in sops.detail(task_id)["outputs"]}
    assert (outputs["${status}"], outputs["${answer}"]["method"]) == (200, "GET")


@pytest.mark.parametrize(
    ("timing", "force_check", "state"),
    [
        ("0", True, "FINISHED"),
        (0, True, "FINISHED"),
        ("2001-01-01 00:00:00", False, "FINISHED"),
        ("2001-01-01 00:00:00", True, "FAILED"),
        ("soon", True, "FAILED"),
        ("-1", True, "FAILED"),
    ],
)
def test_a_timer_takes_seconds_or_a_date(sops: SopsClient, timing: Any, force_check: bool, state: str) -> None:
    inputs = {"bk_timing": timing, "force_check": force_check}
    assert run_node(sops, "sleep_timer", "legacy", inputs)[0] == state

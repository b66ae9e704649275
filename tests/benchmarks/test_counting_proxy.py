"""The door in front of SOPS hands everything on and counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from benchmarks.counting_proxy import CountingProxy

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer


def test_it_hands_on_what_is_asked_and_answered(httpserver: HTTPServer) -> None:
    asked = httpserver.expect_oneshot_request(
        "/prod/start_task/7/2/",
        method="POST",
        query_string="a=b",
        json={"n": 1},
        headers={"X-Bkapi-Authorization": "x"},
    )
    asked.respond_with_json({"result": True}, status=201)
    with CountingProxy(httpserver.url_for("").rstrip("/")) as door:
        url, headers = f"{door.url}/prod/start_task/7/2/?a=b", {"X-Bkapi-Authorization": "x"}
        answer = requests.post(url, json={"n": 1}, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()) == (201, {"result": True})


def test_it_counts_by_call(httpserver: HTTPServer) -> None:
    with CountingProxy(httpserver.url_for("").rstrip("/")) as door:
        for path in ("/prod/get_task_status/1/2/", "/prod/get_task_status/2/2/", "/get_task_detail/1/2/"):
            requests.get(f"{door.url}{path}", timeout=5)
    assert door.requests == {"get_task_status": 2, "get_task_detail": 1}

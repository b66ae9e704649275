"""Each request of the hooks is counted and timed, and carries the trace that it is part of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from airflow_provider_sops import metrics
from airflow_provider_sops.sops.errors import SopsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_httpserver import HTTPServer

    from airflow_provider_sops.sops.answer import Answer

    Call = Callable[..., Answer]

OK = {"result": True, "data": {"state": "RUNNING"}, "code": 0}
TOO_MANY = {"result": False, "code": 1642902, "code_name": "RATE_LIMIT_RESTRICTION", "message": "slow down"}
PATH = "/prod/get_task_status/25/2/"
CREATE_PATH = "/prod/create_task/24/2/"


@pytest.fixture(autouse=True)
def connection(httpserver: HTTPServer, set_connection: Callable[..., None]) -> None:
    """``sops_default`` is the test's HTTP server."""
    set_connection(httpserver.url_for(""))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The tags of all counted requests."""
    counted: list[dict[str, str]] = []

    def note(metric: metrics.Metric, _value: float, **tags: str) -> None:
        if metric == metrics.SOPS.requests:
            counted.append(tags)

    monkeypatch.setattr(metrics, "_form", lambda: "tags")
    monkeypatch.setattr(metrics, "_send", note)
    return counted


def test_every_attempt_is_counted(call: Call, httpserver: HTTPServer, counted: list[dict[str, str]]) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_json(TOO_MANY, 429, {"Retry-After": "0"})
    httpserver.expect_ordered_request(PATH).respond_with_json(OK)

    call("get_task_status", task_id=25)

    assert counted == [
        {"call": "get_task_status", "result": "rate_limited"},
        {"call": "get_task_status", "result": "ok"},
    ]


def test_an_answer_that_is_a_refusal_or_no_json_is_no_success(
    call: Call, httpserver: HTTPServer, counted: list[dict[str, str]]
) -> None:
    httpserver.expect_ordered_request(CREATE_PATH).respond_with_json({"result": False, "code": 3540100})
    httpserver.expect_ordered_request(CREATE_PATH).respond_with_data("<html>")

    for _ in range(2):
        with pytest.raises(SopsError):
            call("create_task", template_id=24, name="a")

    assert [each["result"] for each in counted] == ["denied", "unusable"]


def traceparents(httpserver: HTTPServer) -> list[str | None]:
    return [request.headers.get("traceparent") for request, _ in httpserver.log]


def test_a_request_within_a_span_names_it(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(OK)

    with TracerProvider().get_tracer("test").start_as_current_span("task") as span:
        call("get_task_status", task_id=25)

    context = span.get_span_context()
    assert traceparents(httpserver) == [f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"]


def test_a_request_outside_of_a_span_names_none(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_json(OK)

    call("get_task_status", task_id=25)

    assert traceparents(httpserver) == [None]


def test_nothing_loads_opentelemetry(call: Call, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request(PATH).respond_with_json(OK)
    loaded: dict[str, Any] = {name: sys.modules[name] for name in sys.modules if not name.startswith("opentelemetry")}
    monkeypatch.setattr(sys, "modules", loaded)

    call("get_task_status", task_id=25)

    assert traceparents(httpserver) == [None]
    assert not [name for name in loaded if name.startswith("opentelemetry")]

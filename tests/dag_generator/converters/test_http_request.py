"""``bk_http_request`` in Airflow, against a server on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_sops.dag_generator.converters.http_request import (
    HTTP_OUTPUTS,
    HttpRequestConverter,
    HttpRequestOperator,
    endpoint_at,
)
from airflow_provider_sops.dag_generator.converters.registry import NodeConverter
from tests.dag_generator.converters.nodes import Conversion
from tests.sops.builders import constant

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer
    from werkzeug import Request

CONTEXT: Any = {}


@pytest.fixture(autouse=True)
def _api(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {
        "conn_type": "http",
        "host": httpserver.host,
        "port": httpserver.port,
        "login": "me",
        "password": "pw",
    }
    monkeypatch.setenv("AIRFLOW_CONN_API", json.dumps(connection))
    monkeypatch.setenv("NO_PROXY", "*")


def converted(httpserver: HTTPServer, conn_id: Any = "api", **inputs: Any) -> Any:
    asked = {"bk_http_request_method": "GET", "bk_http_request_url": httpserver.url_for("/stub")}
    given = {"inputs": {**asked, **inputs}, "constants": {"${who}": constant("${who}", "wörld & {{ co }}")}}
    return Conversion(given).by(NodeConverter(HttpRequestConverter(conn_id), HTTP_OUTPUTS))


def send(httpserver: HTTPServer, **inputs: Any) -> Any:
    operator = converted(httpserver, **inputs)
    operator.render_template_fields(CONTEXT)
    return operator.execute(CONTEXT)


def received(httpserver: HTTPServer) -> Request:
    ((request, _),) = httpserver.log
    return request


@pytest.mark.parametrize("data", [{"result": True, "data": [1]}, [], None, "text", 0])
def test_the_answer_and_its_status_are_the_outputs(httpserver: HTTPServer, data: Any) -> None:
    httpserver.expect_request("/stub").respond_with_json(data, status=201)
    returned = send(httpserver)
    outputs = NodeConverter(HttpRequestConverter("api"), HTTP_OUTPUTS).outputs_of(returned)
    assert {name: outputs[name] for name in HTTP_OUTPUTS} == {"data": data, "status_code": 201}


def test_the_request_is_the_one_of_the_node(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/stub").respond_with_json({})
    send(
        httpserver,
        bk_http_request_method="post",
        bk_http_request_url=f"{httpserver.url_for('/stub')}?a=1&who=x#part",
        bk_http_request_body='{"to": "${who}"}',
        bk_http_request_header=[{"name": "X-Who", "value": "me"}, {"name": "content-type", "value": "text/plain"}],
        bk_http_timeout="5",
    )
    request = received(httpserver)
    assert request.method == "POST"
    assert request.query_string == b"a=1&who=x"
    assert request.get_data(as_text=True) == '{"to": "wörld & {{ co }}"}'
    assert request.headers["X-Who"] == "me"
    assert request.headers["Content-Type"] == "text/plain"
    assert request.authorization
    assert request.authorization.username == "me"


def test_a_body_is_json_unless_the_node_says_otherwise(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/stub").respond_with_json({})
    send(httpserver, bk_http_request_method="PUT", bk_http_request_body={"to": "${who}"})
    assert received(httpserver).json == {"to": "wörld & {{ co }}"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_only_asks_carries_no_body(httpserver: HTTPServer, method: str) -> None:
    httpserver.expect_request("/stub").respond_with_json({})
    operator = converted(httpserver, bk_http_request_method=method, bk_http_request_body="{}")
    operator.render_template_fields(CONTEXT)
    if method == "GET":
        operator.execute(CONTEXT)
    else:
        with pytest.raises(AirflowException, match="is not JSON"):
            operator.execute(CONTEXT)
    assert received(httpserver).get_data() == b""
    assert received(httpserver).query_string == b""


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (500, '{"result": false}', r"HTTP 500: {\"result\": false}"),
        (404, "none", "HTTP 404: none"),
        (200, "hi", "not JSON"),
    ],
)
def test_other_answers_fail_the_task_so_that_it_can_be_retried(
    httpserver: HTTPServer, status: int, text: str, said: str
) -> None:
    httpserver.expect_request("/stub").respond_with_data(text, status=status)
    with pytest.raises(AirflowException, match=said) as raised:
        send(httpserver)
    assert not isinstance(raised.value, AirflowFailException)
    assert len(httpserver.log) == 1


def test_a_server_that_cannot_be_reached_fails_the_task(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "http", "host": "http://127.0.0.1", "port": 1}
    monkeypatch.setenv("AIRFLOW_CONN_API", json.dumps(connection))
    with pytest.raises(requests.ConnectionError):
        send(httpserver, bk_http_request_url="http://127.0.0.1:1/")


@pytest.mark.parametrize(("given", "seconds"), [(None, 60), ("", 60), (5, 5), ("7", 7), (-3, 3), (9999, 600)])
def test_it_waits_as_long_as_sops_would(httpserver: HTTPServer, given: Any, seconds: float) -> None:
    operator = converted(httpserver, bk_http_timeout=given)
    operator.render_template_fields(CONTEXT)
    assert operator._timeout_seconds() == seconds


def test_a_url_elsewhere_is_not_asked_with_the_credentials_of_the_connection(httpserver: HTTPServer) -> None:
    with pytest.raises(AirflowFailException, match=r"'http://other.example.com/x' does not belong .*'api'"):
        send(httpserver, bk_http_request_url="http://other.example.com/x")
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("url", "base_url", "endpoint"),
    [
        ("http://api.example.com/v1/x?a=1#b", "http://api.example.com", "/v1/x?a=1"),
        ("http://API.example.com:80", "http://api.example.com", "/"),
        ("https://api.example.com/v1/x", "https://api.example.com:443/v1", "/x"),
        ("https://api.example.com/v1/x", "https://api.example.com/v1/", "x"),
        ("https://api.example.com/v1", "https://api.example.com/v1", ""),
        ("http://api.example.com//x", "http://api.example.com", "//x"),
        ("https://api.example.com/v10", "https://api.example.com/v1", None),
        ("https://api.example.com/", "http://api.example.com", None),
        ("http://api.example.com:8080/", "http://api.example.com", None),
        ("http://api.example.com@evil.example.com/", "http://api.example.com", None),
        ("http://me:pw@api.example.com/", "http://api.example.com", None),
        ("http://api.example.com.evil.example.com/", "http://api.example.com", None),
        ("http://api.example.com:x/", "http://api.example.com", None),
        ("http://[broken/", "http://api.example.com", None),
        ("", "http://api.example.com", None),
    ],
)
def test_a_url_belongs_to_one_connection(url: str, base_url: str, endpoint: str | None) -> None:
    assert endpoint_at(url, base_url) == endpoint


@pytest.mark.parametrize("condition", ["resp.result==True", "${who}"])
def test_a_condition_on_the_answer_stays_in_sops(httpserver: HTTPServer, condition: str) -> None:
    assert converted(httpserver, bk_http_success_exp=condition) is None


@pytest.mark.parametrize("condition", ["", " ", None])
def test_no_condition_is_none(httpserver: HTTPServer, condition: Any) -> None:
    assert isinstance(converted(httpserver, bk_http_success_exp=condition), HttpRequestOperator)


def test_each_node_may_have_a_connection_of_its_own(httpserver: HTTPServer) -> None:
    assert converted(httpserver, lambda node: f"api_of_{node.id}").http_conn_id == "api_of_node_1"
    assert converted(httpserver, lambda node: None) is None

"""What only the asynchronous client has; all that it shares with the hook is in ``test_transports``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Response

from airflow_provider_sops.hooks.sops_async import AsyncSopsClient, aget_sops_connection
from airflow_provider_sops.sops.errors import SopsGatewayError, SopsInvalidParameterError
from airflow_provider_sops.sops.models import NodeDetail, TaskDetail, TaskListItem, TaskState, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_httpserver import HTTPServer


@pytest.fixture(autouse=True)
def connection(httpserver: HTTPServer, set_connection: Callable[..., None]) -> None:
    """``sops_default`` is the test's HTTP server."""
    set_connection(httpserver.url_for(""))


def echo(request: Any) -> Response:
    """Answer with states for whatever was asked."""
    data: Any = {"state": "RUNNING", "id": 25, "name": "n"}
    if "task_id_list" in (request.json or {} if request.method == "POST" else {}):
        data = [{"id": task_id, "status": {"state": "FINISHED"}} for task_id in request.json["task_id_list"]]
    elif "get_task_list" in request.path:
        data = [{"id": 25, "name": "n"}]
    return Response(json.dumps({"result": True, "data": data}), content_type="application/json")


async def test_the_calls_that_triggers_need_send_and_return_what_the_hooks_do(httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/prod/.*")).respond_with_handler(echo)

    async with AsyncSopsClient(await aget_sops_connection("sops_default")) as client:
        status = await client.get_task_status(25, with_ex_data=True, fresh=True)
        statuses = await client.get_tasks_status(range(1, 61), include_children=True)
        detail = await client.get_task_detail(25, fresh=True)
        node = await client.get_task_node_detail(25, "n1", subprocess_stack=["n2"])
        await client.operate_task(25, "revoke")
        listed = await client.get_task_list(keyword="k", is_started=True)

    assert type(status) is TaskStatus
    assert status.state == TaskState.RUNNING
    assert len(statuses) == 60
    assert (type(detail), type(node), type(listed[0])) == (TaskDetail, NodeDetail, TaskListItem)
    sent = [(request.method, request.path) for request, _ in httpserver.log]
    assert sent == [
        ("GET", "/prod/get_task_status/25/2/"),
        ("POST", "/prod/get_tasks_status/2/"),
        ("POST", "/prod/get_tasks_status/2/"),
        ("GET", "/prod/get_task_detail/25/2/"),
        ("GET", "/prod/get_task_node_detail/25/2/"),
        ("POST", "/prod/operate_task/25/2/"),
        ("GET", "/prod/get_task_list/2/"),
    ]
    assert httpserver.log[4][0].args["subprocess_stack"] == '["n2"]'
    assert httpserver.log[5][0].json == {"action": "revoke"}
    assert httpserver.log[6][0].args.to_dict() == {"keyword": "k", "is_started": "true"}


async def test_business_and_scope_of_the_caller_come_before_the_connections() -> None:
    connection = await aget_sops_connection("sops_default", bk_biz_id=7, scope="project")

    assert (connection.bk_biz_id, connection.scope) == ("7", "project")


async def test_a_malformed_connection_is_named(set_connection: Callable[..., None]) -> None:
    set_connection("https://bkapi.example.com", gateway="kong")

    with pytest.raises(SopsInvalidParameterError, match="'sops_default': extra 'gateway' is 'kong'"):
        await aget_sops_connection("sops_default")


async def test_a_wrong_action_is_refused_before_anything_is_sent(httpserver: HTTPServer) -> None:
    async with AsyncSopsClient(await aget_sops_connection("sops_default")) as client:
        with pytest.raises(SopsInvalidParameterError, match="the action is 'explode'"):
            await client.operate_task(25, "explode")

    assert not httpserver.log


async def test_it_works_only_as_a_context_manager() -> None:
    client = AsyncSopsClient(await aget_sops_connection("sops_default"))

    with pytest.raises(RuntimeError, match="async with"):
        await client.get_task_status(25)


async def test_it_leaves_repeats_to_who_has_rules_of_his_own(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/prod/get_task_status/25/2/").respond_with_data("", status=503)

    async with AsyncSopsClient(await aget_sops_connection("sops_default"), repeats=False) as client:
        with pytest.raises(SopsGatewayError):
            await client.get_task_status(25)

    assert len(httpserver.log) == 1

"""What each call of SOPS sends and returns, without a server."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_sops.service.calls import Call, blocking_steps
from airflow_provider_sops.service.http import HttpResponse
from airflow_provider_sops.service.settings import Limits, TransportSettings
from airflow_provider_sops.sops.answer import Answer, read_response
from airflow_provider_sops.sops.calls import creation, nodes, projects, schedules, tasks, templates
from airflow_provider_sops.sops.connection import SopsConnection
from airflow_provider_sops.sops.endpoints import ENDPOINTS, endpoint
from airflow_provider_sops.sops.errors import TRANSPORT_ERRORS, SopsGatewayError, SopsInvalidParameterError
from airflow_provider_sops.sops.gateway import ApiGateway, Credentials
from airflow_provider_sops.sops.models import (
    CreatedTask,
    NodeData,
    NodeDetail,
    TaskDetail,
    TaskListItem,
    TaskState,
    TaskStatus,
    Template,
    TemplateListItem,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.service.calls import T
    from airflow_provider_sops.service.http import HttpRequest

ROOT = "https://bkapi.example.com"
CONNECTION = SopsConnection(
    ApiGateway(ROOT), Credentials("app", "secret"), TransportSettings(ROOT, TRANSPORT_ERRORS), Limits(), bk_biz_id="2"
)
TREE = {"activities": {}, "constants": {"${a}": {"key": "${a}", "value": 1}}}
MOMENT = datetime.datetime(2026, 11, 20, 18, 34, 8, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))


Made = tuple["Callable[..., Any]", tuple[Any, ...], dict[str, Any]]


def made(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Made:
    return function, args, kwargs


#: function with arguments, path, query of a GET or body of a POST
CALLS: list[tuple[Made, str, dict[str, Any]]] = [
    (made(creation.create_task, 24, "n"), "create_task/24/2/", {"name": "n"}),
    (
        made(
            creation.create_task,
            "24",
            "n",
            constants={"${a}": [1]},
            exclude_task_nodes_id=["n1"],
            execute_task_nodes_id=["n2"],
            template_schemes_id=["24-s"],
            template_source="common",
            flow_type="common_func",
            pipeline_tree=TREE,
            simplify_vars=["${b}"],
            description="d",
            callback_url="http://x/",
            callback_version="v2",
        ),
        "create_task/24/2/",
        {
            "name": "n",
            "constants": {"${a}": [1]},
            "exclude_task_nodes_id": ["n1"],
            "execute_task_nodes_id": ["n2"],
            "template_schemes_id": ["24-s"],
            "template_source": "common",
            "flow_type": "common_func",
            "pipeline_tree": TREE,
            "simplify_vars": ["${b}"],
            "description": "d",
            "callback_url": "http://x/",
            "callback_version": "v2",
        },
    ),
    (
        made(creation.create_and_start_task, 24, "n", constants={"${a}": 1}),
        "create_and_start_task/24/2/",
        {"name": "n", "constants": {"${a}": 1}},
    ),
    (
        made(creation.fast_create_task, "n", TREE, has_common_subprocess=False),
        "fast_create_task/2/",
        {"name": "n", "pipeline_tree": TREE, "has_common_subprocess": False},
    ),
    (made(tasks.start_task, 25), "start_task/25/2/", {}),
    (made(tasks.operate_task, 25, "revoke"), "operate_task/25/2/", {"action": "revoke"}),
    (
        made(creation.claim_functionalization_task, 25, constants={"${a}": 1}, name="m"),
        "claim_functionalization_task/25/2/",
        {"constants": {"${a}": 1}, "name": "m"},
    ),
    (made(tasks.get_task_status, 25), "get_task_status/25/2/", {}),
    (
        made(
            tasks.get_task_status,
            25,
            subprocess_id="n1",
            with_ex_data=True,
            with_failed_node_info=True,
            with_auto_retry_status=True,
        ),
        "get_task_status/25/2/",
        {
            "subprocess_id": "n1",
            "with_ex_data": "true",
            "with_failed_node_info": "true",
            "with_auto_retry_status": "true",
        },
    ),
    (
        made(tasks.get_tasks_status, [3, "4", 3], include_children=True),
        "get_tasks_status/2/",
        {"task_id_list": [3, 4], "include_children_status": True},
    ),
    (made(tasks.get_task_detail, 25), "get_task_detail/25/2/", {}),
    (
        made(
            tasks.get_task_list,
            keyword=" #ab",
            template_ids=[1, 2],
            is_started=False,
            create_time_start=MOMENT,
            create_time_end="2026-12-01",
            limit=200,
            offset=0,
        ),
        "get_task_list/2/",
        {
            "keyword": " #ab",
            "template_ids": "1,2",
            "is_started": "false",
            "create_time_start": "2026-11-20 18:34:08 +0800",
            "create_time_end": "2026-12-01",
            "limit": "200",
            "offset": "0",
        },
    ),
    (made(tasks.get_task_effective_time, 25), "get_task_effective_time/25/2/", {}),
    (
        made(tasks.get_task_operate_record, 25, 1, node_id="n1"),
        "get_task_operate_record/25/1/",
        {"node_id": "n1", "scope": "project"},
    ),
    (
        made(creation.get_functionalization_task_list, task_id_in=[25], create_time_gte=MOMENT),
        "get_functionalization_task_list/",
        {"task_id_in": "25", "create_time_gte": "2026-11-20 18:34:08 +0800"},
    ),
    (
        made(nodes.operate_node, 25, "n1", "retry", inputs={"url": "u"}),
        "operate_node/2/25/",
        {"node_id": "n1", "action": "retry", "inputs": {"url": "u"}},
    ),
    (
        made(nodes.operate_node, 25, "n1", "skip_exg", flow_id="l1"),
        "operate_node/2/25/",
        {"node_id": "n1", "action": "skip_exg", "flow_id": "l1"},
    ),
    (
        made(nodes.node_callback, 25, "n1", {"ok": 1}, version="v1"),
        "node_callback/25/2/",
        {"node_id": "n1", "callback_data": {"ok": 1}, "version": "v1"},
    ),
    (
        made(nodes.get_task_node_detail, 25, "n1", component_code="c", subprocess_stack=["n2"], loop=2),
        "get_task_node_detail/25/2/",
        {"node_id": "n1", "component_code": "c", "subprocess_stack": '["n2"]', "loop": "2"},
    ),
    (
        made(nodes.get_task_node_data, 25, "n1", component_code="c", subprocess_stack=(), template_node_id="n9"),
        "get_task_node_data/2/25/",
        {"node_id": "n1", "component_code": "c", "template_node_id": "n9"},
    ),
    (
        made(nodes.get_task_node_log, 25, "n1", version="v1", page=2, page_size=50),
        "get_task_node_log/25/2/",
        {"node_id": "n1", "version": "v1", "page": "2", "page_size": "50"},
    ),
    (
        made(templates.get_template_list, id_in=[1, 2], name_keyword="x", limit=1),
        "get_template_list/2/",
        {"id_in": "1,2", "name_keyword": "x", "limit": "1"},
    ),
    (
        made(templates.get_template_info, 24, template_source="common", unfold_subprocess=True),
        "get_template_info/24/2/",
        {"template_source": "common", "unfold_subprocess": "true"},
    ),
    (made(templates.get_common_template_list), "get_common_template_list/", {}),
    (
        made(templates.get_common_template_info, 24, include_constants=True),
        "get_common_template_info/24/",
        {"include_constants": "true"},
    ),
    (
        made(templates.get_template_schemes, 24, with_constants=True),
        "get_template_schemes/2/24/",
        {"with_constants": "true"},
    ),
    (
        made(templates.preview_task_tree, 24, version="v", exclude_task_nodes_id=["n1"]),
        "preview_task_tree/2/24/",
        {"version": "v", "exclude_task_nodes_id": ["n1"]},
    ),
    (made(templates.import_project_template, "x"), "import_project_template/2/", {"template_data": "x"}),
    (
        made(templates.modify_template_notify, 24, {"fail": ["mail"]}, {"more_receiver": "a"}),
        "modify_template_notify/24/2/",
        {"notify_type": {"fail": ["mail"]}, "notify_receivers": {"more_receiver": "a"}},
    ),
    (
        made(templates.modify_template_executor_proxy, 24, ""),
        "modify_template_executor_proxy/24/2/",
        {"executor_proxy": ""},
    ),
    (
        made(schedules.create_periodic_task, 24, "n", {"minute": "*/5"}),
        "create_periodic_task/24/2/",
        {"name": "n", "cron": {"minute": "*/5"}},
    ),
    (made(schedules.get_periodic_task_list), "get_periodic_task_list/2/", {}),
    (
        made(schedules.get_periodic_task_info, 5, include_edit_info=True),
        "get_periodic_task_info/5/2/",
        {"include_edit_info": "true"},
    ),
    (made(schedules.set_periodic_task_enabled, 5, False), "set_periodic_task_enabled/5/2/", {"enabled": False}),
    (
        made(schedules.modify_cron_for_periodic_task, 5, {"hour": "1"}),
        "modify_cron_for_periodic_task/5/2/",
        {"cron": {"hour": "1"}},
    ),
    (
        made(schedules.modify_constants_for_periodic_task, 5, {"${a}": 1}),
        "modify_constants_for_periodic_task/5/2/",
        {"constants": {"${a}": 1}},
    ),
    (
        made(schedules.create_clocked_task, 24, "n", MOMENT, exclude_task_nodes_id=["n1"], template_schemes_id=[3]),
        "create_clocked_task/24/2/",
        {
            "task_name": "n",
            "plan_start_time": "2026-11-20 18:34:08 +0800",
            "task_parameters": {
                "constants": {},
                "exclude_task_nodes_id": ["n1"],
                "template_schemes_id": [3],
            },
        },
    ),
    (
        made(schedules.get_clocked_task_list, id=1, state="not_started"),
        "get_clocked_task_list/2/",
        {"id": "1", "state": "not_started"},
    ),
    (made(projects.get_user_project_list), "get_user_project_list/", {}),
    (made(projects.get_user_project_detail), "get_user_project_detail/2/", {}),
    (made(projects.register_project, 9), "register_project/", {"bk_biz_id": 9}),
    (
        made(projects.modify_project_executor_proxy, "admin", "a,b"),
        "modify_project_executor_proxy/2/",
        {"executor_proxy": "admin", "executor_proxy_exempts": "a,b"},
    ),
    (made(projects.get_mini_app_list, limit=5), "get_mini_app_list/2/", {"limit": "5"}),
    (made(projects.get_plugin_list), "get_plugin_list/2/", {}),
    (
        made(projects.dispatch_plugin_query, "/pipeline/x/", method="POST", data={"a": 1}),
        "dispatch_plugin_query/",
        {"url": "/pipeline/x/", "method": "POST", "data": {"a": 1}},
    ),
]


class TestSent:
    def test_every_call_of_the_api_is_here(self) -> None:
        assert {function.__name__ for (function, _, _), _, _ in CALLS} == set(ENDPOINTS)

    @pytest.mark.parametrize(
        ("how", "path", "sent"), CALLS, ids=[f"{function.__name__}-{path}" for (function, _, _), path, _ in CALLS]
    )
    def test_a_call_names_its_parameters_as_sops_does(self, how: Made, path: str, sent: dict[str, Any]) -> None:
        request = request_for(how)

        url = urlsplit(request.url)
        assert (request.api, request.method) == (how[0].__name__, ENDPOINTS[request.api].method)
        assert url.path == f"/prod/{path}"
        assert (
            dict(parse_qsl(url.query, keep_blank_values=True)) if request.body is None else json.loads(request.body)
        ) == sent

    @pytest.mark.parametrize(("count", "sizes"), [(0, []), (50, [50]), (120, [50, 50, 20])])
    def test_states_are_asked_for_50_at_a_time(self, count: int, sizes: list[int]) -> None:
        running = Running()

        statuses = running.get_tasks_status([*range(1, count + 1), *range(1, count + 1)], fresh=True)

        assert sorted(statuses) == list(range(1, count + 1))
        assert [len(call.parameters["task_id_list"]) for call in running.asked] == sizes
        assert all(call.fresh for call in running.asked)

    @pytest.mark.parametrize(
        ("how", "named"),
        [
            (made(creation.create_task, 24, ""), "create_task: name is ''"),
            (made(creation.create_task, 24, "  "), "create_task: name is '  '"),
            (made(creation.create_task, None, "n"), "create_task: template_id is missing"),
            (made(creation.create_task, "abc", "n"), "create_task: template_id is 'abc'"),
            (made(tasks.operate_task, 25, "explode"), "operate_task: the action is 'explode'"),
            (made(nodes.operate_node, 25, "", "retry"), "operate_node: node_id is ''"),
            (made(nodes.operate_node, 25, "n1", ""), "operate_node: action is ''"),
            (made(nodes.node_callback, 25, None), "node_callback: node_id is None"),
            (made(nodes.get_task_node_detail, 25, ""), "get_task_node_detail: node_id is ''"),
            (made(tasks.get_tasks_status, [1, "abc"]), "get_tasks_status: a task id is 'abc'"),
            (made(tasks.get_tasks_status, [0]), "get_tasks_status: a task id is 0"),
            (made(tasks.get_tasks_status, [True]), "get_tasks_status: a task id is True"),
            (
                made(tasks.get_task_list, create_time_start=datetime.datetime(2026, 1, 1)),  # noqa: DTZ001
                "has no time zone",
            ),
        ],
    )
    def test_what_cannot_work_is_refused_before_anything_is_sent(self, how: Made, named: str) -> None:
        with pytest.raises(SopsInvalidParameterError) as caught:
            request_for(how)

        assert named in str(caught.value)


class TestRead:
    @pytest.mark.parametrize(
        ("how", "data", "expected"),
        [
            (made(tasks.start_task, 25), {"task_url": "http://sops/25"}, "http://sops/25"),
            (made(tasks.start_task, 25), None, ""),
            (made(tasks.operate_task, 25, "pause"), None, None),
            (made(tasks.get_task_effective_time, 25), {"effective_time": 3}, {"effective_time": 3}),
            (made(projects.get_user_project_list), [{"project_id": 1}], [{"project_id": 1}]),
            (made(schedules.get_periodic_task_info, 5), {"id": 5}, {"id": 5}),
            (made(creation.claim_functionalization_task, 25), "success", "success"),
        ],
    )
    def test_a_call_brings_what_sops_gives(self, how: Made, data: Any, expected: Any) -> None:
        assert the_call(how).read(answer(data)) == expected

    @pytest.mark.parametrize(
        ("how", "data", "type_"),
        [
            (made(creation.create_task, 24, "n"), {"task_id": 25, "task_url": "u"}, CreatedTask),
            (made(tasks.get_task_detail, 25), {"id": 25, "name": "n"}, TaskDetail),
            (made(nodes.get_task_node_detail, 25, "n1"), {"id": "n1", "state": "READY"}, NodeDetail),
            (made(nodes.get_task_node_data, 25, "n1"), {"inputs": {}}, NodeData),
            (made(templates.get_template_info, 24), {"id": 24, "name": "n"}, Template),
            (made(templates.get_common_template_info, 24), {"id": 24, "name": "n"}, Template),
            (made(tasks.get_task_status, 25), {"state": "RUNNING"}, TaskStatus),
        ],
    )
    def test_a_call_brings_a_model(self, how: Made, data: Any, type_: type[Any]) -> None:
        read = the_call(how).read(answer(data))

        assert type(read) is type_
        assert read.raw == data

    @pytest.mark.parametrize(
        ("how", "type_"),
        [
            (made(tasks.get_task_list), TaskListItem),
            (made(templates.get_template_list), TemplateListItem),
            (made(templates.get_common_template_list), TemplateListItem),
        ],
    )
    def test_lists_are_lists_of_models(self, how: Made, type_: type[Any]) -> None:
        items = the_call(how).read(answer([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]))

        assert [(type(item), item.name) for item in items] == [(type_, "a"), (type_, "b")]
        assert the_call(how).read(answer([])) == []

    def test_the_page_of_a_started_task_may_stand_beside_the_data(self) -> None:
        raw = {"result": True, "data": None, "task_url": "http://sops/25"}

        assert tasks.start_task(25).read(Answer(None, raw, None)) == "http://sops/25"

    def test_a_created_task_without_an_id_may_exist(self) -> None:
        body = b'{"result": true, "data": {}, "trace_id": "ab12"}'
        answered = read_response(endpoint("create_task"), HttpResponse(200, {}, body))
        with pytest.raises(SopsGatewayError, match=r"create_task: .* returned no task id .*trace id ab12") as caught:
            creation.create_task(24, "n").read(answered)

        assert caught.value.outcome_unknown is True

    def test_an_unknown_state_is_kept(self) -> None:
        assert tasks.get_task_status(25).read(answer({"state": "BLOCKED"})).state == TaskState("BLOCKED")


def the_call(how: Made) -> Call[Any]:
    """Return the call that a function describes, or the first one of several."""
    function, args, kwargs = how
    described = function(*args, **kwargs)
    first: Call[Any] = described if isinstance(described, Call) else next(described)
    return first


def request_for(how: Made) -> HttpRequest:
    call = the_call(how)
    return CONNECTION.request(call.api, call.parameters)


class Running:
    """A client of a SOPS in which every task runs."""

    def __init__(self) -> None:
        self.asked: list[Call[Any]] = []

    def do(self, call: Call[T]) -> T:
        self.asked.append(call)
        ids = call.parameters["task_id_list"]
        return call.read(answer([{"id": task_id, "status": {"state": "RUNNING"}} for task_id in ids[::-1]]))

    get_tasks_status = blocking_steps(tasks.get_tasks_status)


def answer(data: Any) -> Answer:
    return Answer(data, {"result": True, "data": data}, None)

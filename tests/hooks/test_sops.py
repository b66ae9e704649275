from __future__ import annotations

import datetime
import json
import logging
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from werkzeug import Response

from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.hooks import sops as sops_module
from airflow_provider_sops.hooks import warnings
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.service.settings import Limits
from airflow_provider_sops.sops.endpoints import ENDPOINTS
from airflow_provider_sops.sops.errors import (
    SopsConnectionError,
    SopsGatewayError,
    SopsInvalidParameterError,
)
from airflow_provider_sops.sops.models import (
    CreatedTask,
    NodeData,
    NodeDetail,
    TaskDetail,
    TaskListItem,
    TaskState,
    Template,
    TemplateListItem,
)
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.hooks.conftest import APP_SECRET

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pytest_httpserver import HTTPServer

    from tests.raw_server import RawServer

pytest_plugins = ("tests.raw_server",)

TREE = {"activities": {}, "constants": {"${a}": {"key": "${a}", "value": 1}}}
MOMENT = datetime.datetime(2026, 11, 20, 18, 34, 8, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))


def act(name: str, /, *args: Any, **kwargs: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return name, args, kwargs


#: method with arguments, path, query of a GET or body of a POST
CALLS: list[tuple[tuple[str, tuple[Any, ...], dict[str, Any]], str, dict[str, Any]]] = [
    (act("create_task", 24, "n"), "create_task/24/2/", {"name": "n"}),
    (
        act(
            "create_task",
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
        act("create_and_start_task", 24, "n", constants={"${a}": 1}),
        "create_and_start_task/24/2/",
        {"name": "n", "constants": {"${a}": 1}},
    ),
    (
        act("fast_create_task", "n", TREE, has_common_subprocess=False),
        "fast_create_task/2/",
        {"name": "n", "pipeline_tree": TREE, "has_common_subprocess": False},
    ),
    (act("start_task", 25), "start_task/25/2/", {}),
    (act("operate_task", 25, "revoke"), "operate_task/25/2/", {"action": "revoke"}),
    (
        act("claim_functionalization_task", 25, constants={"${a}": 1}, name="m"),
        "claim_functionalization_task/25/2/",
        {"constants": {"${a}": 1}, "name": "m"},
    ),
    (act("get_task_status", 25), "get_task_status/25/2/", {}),
    (
        act(
            "get_task_status",
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
        act("get_tasks_status", [3, "4", 3], include_children=True),
        "get_tasks_status/2/",
        {"task_id_list": [3, 4], "include_children_status": True},
    ),
    (act("get_task_detail", 25), "get_task_detail/25/2/", {}),
    (
        act(
            "get_task_list",
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
    (act("get_task_effective_time", 25), "get_task_effective_time/25/2/", {}),
    (
        act("get_task_operate_record", 25, 1, node_id="n1"),
        "get_task_operate_record/25/1/",
        {"node_id": "n1", "scope": "project"},
    ),
    (
        act("get_functionalization_task_list", task_id_in=[25], create_time_gte=MOMENT),
        "get_functionalization_task_list/",
        {"task_id_in": "25", "create_time_gte": "2026-11-20 18:34:08 +0800"},
    ),
    (
        act("operate_node", 25, "n1", "retry", inputs={"url": "u"}),
        "operate_node/2/25/",
        {"node_id": "n1", "action": "retry", "inputs": {"url": "u"}},
    ),
    (
        act("operate_node", 25, "n1", "skip_exg", flow_id="l1"),
        "operate_node/2/25/",
        {"node_id": "n1", "action": "skip_exg", "flow_id": "l1"},
    ),
    (
        act("node_callback", 25, "n1", {"ok": 1}, version="v1"),
        "node_callback/25/2/",
        {"node_id": "n1", "callback_data": {"ok": 1}, "version": "v1"},
    ),
    (
        act("get_task_node_detail", 25, "n1", component_code="c", subprocess_stack=["n2"], loop=2),
        "get_task_node_detail/25/2/",
        {"node_id": "n1", "component_code": "c", "subprocess_stack": '["n2"]', "loop": "2"},
    ),
    (
        act("get_task_node_data", 25, "n1", component_code="c", subprocess_stack=(), template_node_id="n9"),
        "get_task_node_data/2/25/",
        {"node_id": "n1", "component_code": "c", "template_node_id": "n9"},
    ),
    (
        act("get_task_node_log", 25, "n1", version="v1", page=2, page_size=50),
        "get_task_node_log/25/2/",
        {"node_id": "n1", "version": "v1", "page": "2", "page_size": "50"},
    ),
    (
        act("get_template_list", id_in=[1, 2], name_keyword="x", limit=1),
        "get_template_list/2/",
        {"id_in": "1,2", "name_keyword": "x", "limit": "1"},
    ),
    (
        act("get_template_info", 24, template_source="common", unfold_subprocess=True),
        "get_template_info/24/2/",
        {"template_source": "common", "unfold_subprocess": "true"},
    ),
    (act("get_common_template_list"), "get_common_template_list/", {}),
    (
        act("get_common_template_info", 24, include_constants=True),
        "get_common_template_info/24/",
        {"include_constants": "true"},
    ),
    (
        act("get_template_schemes", 24, with_constants=True),
        "get_template_schemes/2/24/",
        {"with_constants": "true"},
    ),
    (
        act("preview_task_tree", 24, version="v", exclude_task_nodes_id=["n1"]),
        "preview_task_tree/2/24/",
        {"version": "v", "exclude_task_nodes_id": ["n1"]},
    ),
    (act("import_project_template", "x"), "import_project_template/2/", {"template_data": "x"}),
    (
        act("modify_template_notify", 24, {"fail": ["mail"]}, {"more_receiver": "a"}),
        "modify_template_notify/24/2/",
        {"notify_type": {"fail": ["mail"]}, "notify_receivers": {"more_receiver": "a"}},
    ),
    (
        act("modify_template_executor_proxy", 24, ""),
        "modify_template_executor_proxy/24/2/",
        {"executor_proxy": ""},
    ),
    (
        act("create_periodic_task", 24, "n", {"minute": "*/5"}),
        "create_periodic_task/24/2/",
        {"name": "n", "cron": {"minute": "*/5"}},
    ),
    (act("get_periodic_task_list"), "get_periodic_task_list/2/", {}),
    (
        act("get_periodic_task_info", 5, include_edit_info=True),
        "get_periodic_task_info/5/2/",
        {"include_edit_info": "true"},
    ),
    (act("set_periodic_task_enabled", 5, False), "set_periodic_task_enabled/5/2/", {"enabled": False}),
    (
        act("modify_cron_for_periodic_task", 5, {"hour": "1"}),
        "modify_cron_for_periodic_task/5/2/",
        {"cron": {"hour": "1"}},
    ),
    (
        act("modify_constants_for_periodic_task", 5, {"${a}": 1}),
        "modify_constants_for_periodic_task/5/2/",
        {"constants": {"${a}": 1}},
    ),
    (
        act("create_clocked_task", 24, "n", MOMENT, exclude_task_nodes_id=["n1"], template_schemes_id=[3]),
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
        act("get_clocked_task_list", id=1, state="not_started"),
        "get_clocked_task_list/2/",
        {"id": "1", "state": "not_started"},
    ),
    (act("get_user_project_list"), "get_user_project_list/", {}),
    (act("get_user_project_detail"), "get_user_project_detail/2/", {}),
    (act("register_project", 9), "register_project/", {"bk_biz_id": 9}),
    (
        act("modify_project_executor_proxy", "admin", "a,b"),
        "modify_project_executor_proxy/2/",
        {"executor_proxy": "admin", "executor_proxy_exempts": "a,b"},
    ),
    (act("get_mini_app_list", limit=5), "get_mini_app_list/2/", {"limit": "5"}),
    (act("get_plugin_list"), "get_plugin_list/2/", {}),
    (
        act("dispatch_plugin_query", "/pipeline/x/", method="POST", data={"a": 1}),
        "dispatch_plugin_query/",
        {"url": "/pipeline/x/", "method": "POST", "data": {"a": 1}},
    ),
]


class TestMethods:
    def test_every_call_of_the_api_is_a_method_and_is_tested(self) -> None:
        assert {name for (name, _, _), _, _ in CALLS} == set(ENDPOINTS)

    @pytest.mark.parametrize(("how", "path", "sent"), CALLS, ids=[f"{name}-{path}" for (name, _, _), path, _ in CALLS])
    def test_a_method_sends_what_the_call_takes(
        self,
        hook: SopsHook,
        httpserver: HTTPServer,
        how: tuple[str, tuple[Any, ...], dict[str, Any]],
        path: str,
        sent: dict[str, Any],
    ) -> None:
        name, args, kwargs = how
        answer = {"result": True, "code": 0, "data": {"task_id": 25}}
        httpserver.expect_oneshot_request(f"/prod/{path}").respond_with_json(answer)

        getattr(hook, name)(*args, **kwargs)

        [(request, _)] = httpserver.log
        assert request.method == ENDPOINTS[name].method
        assert (request.json if request.method == "POST" else request.args.to_dict()) == sent

    @pytest.mark.parametrize(
        ("how", "data", "expected"),
        [
            (act("start_task", 25), {"task_url": "http://sops/25"}, "http://sops/25"),
            (act("start_task", 25), None, ""),
            (act("operate_task", 25, "pause"), None, None),
            (act("get_task_effective_time", 25), {"effective_time": 3}, {"effective_time": 3}),
            (act("get_user_project_list"), [{"project_id": 1}], [{"project_id": 1}]),
            (act("get_user_project_list"), None, []),
            (act("get_periodic_task_info", 5), {"id": 5}, {"id": 5}),
            (act("claim_functionalization_task", 25), "success", "success"),
        ],
    )
    def test_a_method_returns_what_sops_gives(
        self,
        hook: SopsHook,
        httpserver: HTTPServer,
        how: tuple[str, tuple[Any, ...], dict[str, Any]],
        data: Any,
        expected: Any,
    ) -> None:
        name, args, kwargs = how
        httpserver.expect_oneshot_request(f"/prod/{self._path(name)}").respond_with_json({"result": True, "data": data})

        assert getattr(hook, name)(*args, **kwargs) == expected

    @pytest.mark.parametrize(
        ("how", "data", "type_"),
        [
            (act("create_task", 24, "n"), {"task_id": 25, "task_url": "u"}, CreatedTask),
            (act("get_task_detail", 25), {"id": 25, "name": "n"}, TaskDetail),
            (act("get_task_node_detail", 25, "n1"), {"id": "n1", "state": "READY"}, NodeDetail),
            (act("get_task_node_data", 25, "n1"), {"inputs": {}}, NodeData),
            (act("get_template_info", 24), {"id": 24, "name": "n"}, Template),
            (act("get_common_template_info", 24), {"id": 24, "name": "n"}, Template),
        ],
    )
    def test_a_method_returns_a_model(
        self,
        hook: SopsHook,
        httpserver: HTTPServer,
        how: tuple[str, tuple[Any, ...], dict[str, Any]],
        data: Any,
        type_: type[Any],
    ) -> None:
        name, args, kwargs = how
        httpserver.expect_oneshot_request(f"/prod/{self._path(name)}").respond_with_json({"result": True, "data": data})

        read: Any = getattr(hook, name)(*args, **kwargs)

        assert type(read) is type_
        assert read.raw == data

    def test_lists_are_lists_of_models(self, hook: SopsHook, httpserver: HTTPServer) -> None:
        for path in ("get_task_list/2/", "get_template_list/2/", "get_common_template_list/"):
            httpserver.expect_request(f"/prod/{path}").respond_with_json(
                {"result": True, "data": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}
            )

        assert [type(item) for item in hook.get_task_list()] == [TaskListItem, TaskListItem]
        assert [item.name for item in hook.get_template_list()] == ["a", "b"]
        assert [type(item) for item in hook.get_common_template_list()] == [TemplateListItem] * 2

    def test_a_status_asked_fresh_has_a_key_of_its_own(self, hook: SopsHook, httpserver: HTTPServer) -> None:
        httpserver.expect_request("/prod/get_task_status/25/2/").respond_with_json(
            {"result": True, "data": {"state": "FINISHED"}}
        )

        assert hook.get_task_status(25, fresh=True).state == TaskState.FINISHED
        hook.get_task_status(25, fresh=True)

        keys = {request.args["_nc"] for request, _ in httpserver.log}
        assert len(keys) == 2

    def test_more_than_50_states_are_read_in_several_requests(self, hook: SopsHook, httpserver: HTTPServer) -> None:
        def answer(request: Any) -> Any:
            items = [{"id": task_id, "status": {"state": "RUNNING"}} for task_id in request.json["task_id_list"]]
            return Response(json.dumps({"result": True, "data": items[::-1]}), content_type="application/json")

        httpserver.expect_request("/prod/get_tasks_status/2/").respond_with_handler(answer)

        statuses = hook.get_tasks_status(range(1, 121))

        assert sorted(statuses) == list(range(1, 121))
        assert [len(request.json["task_id_list"]) for request, _ in httpserver.log] == [50, 50, 20]

    def test_no_states_are_read_without_a_request(self, hook: SopsHook, httpserver: HTTPServer) -> None:
        assert hook.get_tasks_status([]) == {}
        assert not httpserver.log

    def test_a_created_task_without_an_id_may_exist(self, hook: SopsHook, httpserver: HTTPServer) -> None:
        httpserver.expect_request("/prod/create_task/24/2/").respond_with_json({"result": True, "data": {}})

        with pytest.raises(SopsGatewayError, match="does not name it") as caught:
            hook.create_task(24, "n")

        assert caught.value.outcome_unknown is True

    @pytest.mark.parametrize(
        ("how", "named"),
        [
            (act("create_task", 24, ""), "create_task: name is ''"),
            (act("create_task", 24, "  "), "create_task: name is '  '"),
            (act("create_task", None, "n"), "create_task: template_id is missing"),
            (act("create_task", "abc", "n"), "create_task: template_id is 'abc'"),
            (act("operate_task", 25, "explode"), "operate_task: the action is 'explode'"),
            (act("operate_node", 25, "", "retry"), "operate_node: node_id is ''"),
            (act("operate_node", 25, "n1", ""), "operate_node: action is ''"),
            (act("node_callback", 25, None), "node_callback: node_id is None"),
            (act("get_task_node_detail", 25, ""), "get_task_node_detail: node_id is ''"),
            (act("get_tasks_status", [1, "abc"]), "get_tasks_status: a task id is 'abc'"),
            (act("get_tasks_status", [0]), "get_tasks_status: a task id is 0"),
            (act("get_tasks_status", [True]), "get_tasks_status: a task id is True"),
            (
                act("get_task_list", create_time_start=datetime.datetime(2026, 1, 1)),  # noqa: DTZ001
                "has no time zone",
            ),
            (act("call", "make_coffee"), "no call named 'make_coffee'"),
        ],
    )
    def test_what_cannot_work_is_refused_before_anything_is_sent(
        self,
        hook: SopsHook,
        httpserver: HTTPServer,
        how: tuple[str, tuple[Any, ...], dict[str, Any]],
        named: str,
    ) -> None:
        name, args, kwargs = how

        with pytest.raises(SopsInvalidParameterError) as caught:
            getattr(hook, name)(*args, **kwargs)

        assert named in str(caught.value)
        assert not httpserver.log

    @staticmethod
    def _path(name: str) -> str:
        return next(path for (other, _, _), path, _ in CALLS if other == name)


class TestHook:
    def test_making_one_reads_and_sends_nothing(self) -> None:
        SopsHook("no_such_connection")

    def test_business_and_scope_of_the_hook_come_before_the_connections(
        self, httpserver: HTTPServer, set_connection: Callable[..., None]
    ) -> None:
        set_connection(httpserver.url_for(""))
        httpserver.expect_oneshot_request("/prod/get_plugin_list/7/").respond_with_json({"result": True, "data": []})

        with SopsHook(bk_biz_id=7, scope="project") as hook:
            hook.get_plugin_list()

        assert httpserver.log[0][0].args["scope"] == "project"

    def test_one_session_keeps_one_connection_open(self, hook: SopsHook, raw_server: Any) -> None:
        session = hook.get_conn()

        assert hook.get_conn() is session
        hook.close()
        assert hook.get_conn() is not session

    def test_secrets_are_masked_in_logs(
        self, httpserver: HTTPServer, set_connection: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        masked: list[str] = []
        monkeypatch.setattr(sops_module, "mask_secret", masked.append)
        set_connection(httpserver.url_for(""), bk_token="t0ken", access_token="acc3ss")

        assert SopsHook().connection.bk_biz_id == "2"

        assert masked == [APP_SECRET, "t0ken", "acc3ss", quote(APP_SECRET, safe="")]

    def test_what_is_questionable_about_a_connection_is_logged_once(
        self, set_connection: Callable[..., None], caplog: pytest.LogCaptureFixture
    ) -> None:
        warnings._warn_once.cache_clear()
        set_connection("http://bkapi.example.com", bk_bizid=3)

        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                assert SopsHook().connection.unused_extra == ("bk_bizid",)

        assert [record.getMessage() for record in caplog.records] == [
            "http://bkapi.example.com is no https:// address: the app secret crosses the network in plain text.",
            "The extra of the SOPS connection holds keys that mean nothing: bk_bizid.",
        ]

    def test_a_revoke_in_a_hurry_is_sent_once(
        self,
        hook: SopsHook,
        raw_server: Callable[[Callable[[socket.socket], None]], RawServer],
        set_connection: Callable[..., None],
    ) -> None:
        server = raw_server(lambda connection: None)
        set_connection(server.url)

        with pytest.raises(SopsConnectionError):
            SopsHook().revoke_at_once(25)

        assert len(server.requests) == 1
        assert server.requests[0].startswith(b"POST /prod/operate_task/25/2/ ")

    def test_a_revoke_in_a_hurry_does_not_wait_as_long_as_other_calls(
        self,
        raw_server: Callable[[Callable[[socket.socket], None]], RawServer],
        set_connection: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        end_of_test = threading.Event()

        def say_nothing(_: socket.socket) -> None:
            end_of_test.wait(10)

        set_connection(raw_server(say_nothing).url, timeout_seconds=60)
        monkeypatch.setattr(sops_module, "_HURRIED", Limits(total_seconds=0.2))

        try:
            with pytest.raises(SopsConnectionError, match=r"no whole answer within 0\.2 s"):
                SopsHook().revoke_at_once(25)
        finally:
            end_of_test.set()

    def test_a_revoke_in_a_hurry_revokes(self, hook: SopsHook, httpserver: HTTPServer) -> None:
        httpserver.expect_oneshot_request("/prod/operate_task/25/2/", json={"action": "revoke"}).respond_with_json(
            {"result": True, "message": "success"}
        )

        hook.revoke_at_once(25)

        assert len(httpserver.log) == 1


class TestConnectionForm:
    def test_the_forms_own_fields_are_shown_as_the_provider_info_says(self) -> None:
        [declared] = [entry for entry in get_provider_info()["connection-types"] if entry["connection-type"] == "sops"]

        behaviour = SopsHook.get_ui_field_behaviour()

        assert behaviour["hidden_fields"] == declared["ui-field-behaviour"]["hidden-fields"]
        assert behaviour["relabeling"] == declared["ui-field-behaviour"]["relabeling"]
        assert behaviour["placeholders"] == declared["ui-field-behaviour"]["placeholders"]

    if not AIRFLOW_V_3_0_PLUS:

        def test_airflow_2_gets_the_same_fields_with_secrets_as_password_fields(self) -> None:
            from wtforms import Form

            form = type("ConnectionForm", (Form,), SopsHook.get_connection_form_widgets())()

            assert {field.name: type(field).__name__ for field in form} == {
                "gateway": "StringField",
                "stage": "StringField",
                "bk_username": "StringField",
                "bk_token": "PasswordField",
                "access_token": "PasswordField",
                "bk_biz_id": "StringField",
                "scope": "StringField",
                "verify": "StringField",
                "proxy": "StringField",
                "timeout_seconds": "StringField",
            }
            assert form["gateway"].data == "apigw"
            assert form["timeout_seconds"].data == "30"

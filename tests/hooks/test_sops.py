from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from werkzeug import Response

from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.hooks import session_hook
from airflow_provider_sops.hooks import sops as sops_module
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.hooks.sops_async import aget_sops_connection
from airflow_provider_sops.sops.endpoints import ENDPOINTS
from airflow_provider_sops.sops.errors import (
    SopsConnectionError,
    SopsGatewayError,
    SopsInvalidParameterError,
)
from airflow_provider_sops.sops.models import (
    TaskState,
)
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.hooks.conftest import APP_SECRET

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from pytest_httpserver import HTTPServer

    from tests.raw_server import RawServer

pytest_plugins = ("tests.raw_server",)


class TestMethods:
    def test_every_call_of_the_api_is_a_method_with_its_parameters_and_a_docstring(self) -> None:
        for name in ENDPOINTS:
            method = getattr(SopsHook, name)
            assert method.__name__ == method.__wrapped__.__name__ == name
            assert list(inspect.signature(method).parameters) == [
                "self",
                *inspect.signature(method.__wrapped__).parameters,
            ]
            assert method.__doc__

    def test_a_method_sends_what_its_call_describes_and_returns_what_it_brings(
        self, hook: SopsHook, httpserver: HTTPServer
    ) -> None:
        httpserver.expect_oneshot_request("/prod/create_task/24/2/").respond_with_json(
            {"result": True, "data": {"task_id": 25, "task_url": "http://sops/25"}}
        )

        created = hook.create_task(24, "n", constants={"${a}": 1})

        assert (created.task_id, created.task_url) == (25, "http://sops/25")
        assert httpserver.log[0][0].json == {"name": "n", "constants": {"${a}": 1}}

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

    def test_the_records_of_a_task_are_asked_for_by_the_project_that_its_detail_names(
        self, hook: SopsHook, httpserver: HTTPServer
    ) -> None:
        detail = {"result": True, "data": {"id": 25, "project_id": 7}}
        httpserver.expect_oneshot_request("/prod/get_task_detail/25/2/").respond_with_json(detail)
        httpserver.expect_request(
            "/prod/get_task_operate_record/25/7/", query_string={"scope": "project", "node_id": "n1"}
        ).respond_with_json({"result": True, "data": [{"operator": "admin"}]})

        assert hook.get_task_operate_record(25, node_id="n1") == [{"operator": "admin"}]
        assert hook.get_task_operate_record(25, 7, node_id="n1") == [{"operator": "admin"}]

    def test_a_task_without_a_project_has_no_records_to_ask_for(self, hook: SopsHook, httpserver: HTTPServer) -> None:
        httpserver.expect_request("/prod/get_task_detail/25/2/").respond_with_json({"result": True, "data": {}})

        with pytest.raises(SopsGatewayError, match=r"get_task_detail: SOPS returned no project id.*Pass project_id"):
            hook.get_task_operate_record(25)

    def test_what_cannot_work_is_refused_before_anything_is_sent(self, hook: SopsHook, httpserver: HTTPServer) -> None:
        with pytest.raises(SopsInvalidParameterError, match="operate_node: node_id is ''"):
            hook.operate_node(25, "", "retry")
        with pytest.raises(SopsInvalidParameterError, match="no call named 'make_coffee'"):
            hook.call("make_coffee")

        assert not httpserver.log


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
        session_hook._warn_once.cache_clear()
        set_connection("http://bkapi.example.com", bk_bizid=3)

        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                assert SopsHook().connection.unused_extra == ("bk_bizid",)

        assert [record.getMessage() for record in caplog.records] == [
            "http://bkapi.example.com does not use https://: the app secret crosses the network in plain text.",
            "The extra of the SOPS connection has unknown keys: bk_bizid.",
        ]

    def test_unverified_certificates_are_warned_about_once_in_worker_and_triggerer(
        self, set_connection: Callable[..., None], caplog: pytest.LogCaptureFixture
    ) -> None:
        set_connection("https://bkapi.example.com", verify=False)
        for is_worker in (True, False):
            session_hook._warn_once.cache_clear()
            caplog.clear()
            for _ in range(3):
                _ = SopsHook().connection if is_worker else asyncio.run(aget_sops_connection("sops_default"))
            (line,) = (record.getMessage() for record in caplog.records if "verify" in record.getMessage())
            assert line.startswith(
                "Extra 'verify' is false: whoever can redirect requests to https://bkapi.example.com"
            )

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
        monkeypatch.setattr(sops_module, "_TOTAL_SECONDS_AT_ONCE", 0.2)

        try:
            with pytest.raises(SopsConnectionError, match=r"no complete answer within 0\.2 s"):
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
                "identity": "StringField",
                "tenant_id": "StringField",
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
            assert form["identity"].data == "user"
            assert form["timeout_seconds"].data == "30"

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_sops import __version__
from airflow_provider_sops.sops.endpoints import ENDPOINTS
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.gateway import (
    ApiGateway,
    Credentials,
    Esb,
    Gateway,
    build_request,
)

if TYPE_CHECKING:
    from airflow_provider_sops.service.http import HttpRequest

CREDENTIALS = Credentials("airflow", "s3cret&=", bk_username="admin")
API_GATEWAY = ApiGateway("https://bkapi.example.com/api/bk-sops")
FOR_APPS = ApiGateway("https://bkapi.example.com/api/bk-sops", identity="app")
ESB = Esb("https://paas.example.com")


def build(
    name: str,
    parameters: dict[str, Any] | None = None,
    *,
    gateway: Gateway = API_GATEWAY,
    credentials: Credentials = CREDENTIALS,
    **kwargs: Any,
) -> HttpRequest:
    return build_request(gateway, credentials, ENDPOINTS[name], parameters or {}, **kwargs)


def query_of(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))


def body_of(request: HttpRequest) -> dict[str, Any]:
    assert request.body is not None
    body: dict[str, Any] = json.loads(request.body)
    return body


class TestApiGateway:
    @pytest.mark.parametrize(
        ("name", "parameters", "path"),
        [
            ("create_task", {"template_id": 24, "bk_biz_id": 2, "name": "n"}, "create_task/24/2/"),
            ("start_task", {"task_id": "3", "bk_biz_id": 2}, "start_task/3/2/"),
            ("operate_node", {"task_id": 40, "bk_biz_id": 2}, "operate_node/2/40/"),
            ("get_tasks_status", {"bk_biz_id": 2, "task_id_list": [1]}, "get_tasks_status/2/"),
            ("get_task_operate_record", {"task_id": 25, "project_id": 1}, "get_task_operate_record/25/1/"),
            ("get_user_project_list", {}, "get_user_project_list/"),
        ],
    )
    def test_ids_go_into_the_path_in_the_order_of_each_call(
        self, name: str, parameters: dict[str, Any], path: str
    ) -> None:
        assert build(name, parameters).url == f"https://bkapi.example.com/api/bk-sops/prod/{path}"

    def test_another_stage_is_part_of_the_path(self) -> None:
        gateway = ApiGateway("https://bkapi.example.com", stage="stag")

        assert build("get_user_project_list", gateway=gateway).url == (
            "https://bkapi.example.com/stag/get_user_project_list/"
        )

    @pytest.mark.parametrize(
        ("credentials", "header"),
        [
            (
                Credentials("app", "sec", bk_username="管理员"),
                {"bk_app_code": "app", "bk_app_secret": "sec", "bk_username": "管理员"},
            ),
            (
                Credentials("app", "sec", bk_token="tok"),
                {"bk_app_code": "app", "bk_app_secret": "sec", "bk_token": "tok"},
            ),
            (
                Credentials("app", "sec", access_token="acc"),
                {"bk_app_code": "app", "bk_app_secret": "sec", "access_token": "acc"},
            ),
        ],
    )
    def test_credentials_go_into_one_ascii_json_header(self, credentials: Credentials, header: dict[str, str]) -> None:
        value = build("get_user_project_list", credentials=credentials).headers["X-Bkapi-Authorization"]

        assert value.isascii()
        assert json.loads(value) == header

    def test_a_get_has_the_other_parameters_in_the_query(self) -> None:
        request = build("get_task_list", {"bk_biz_id": 2, "keyword": "a b&c=#1", "is_started": False, "limit": 5})

        assert request.method == "GET"
        assert request.body is None
        assert query_of(request) == {"keyword": "a b&c=#1", "is_started": "false", "limit": "5"}

    def test_lists_in_a_query_are_json_and_true_is_true(self) -> None:
        request = build(
            "get_task_node_data",
            {"bk_biz_id": 2, "task_id": 9, "node_id": "n1", "subprocess_stack": ["n2", "n3"], "flag": True},
        )

        assert query_of(request) == {"node_id": "n1", "subprocess_stack": '["n2", "n3"]', "flag": "true"}

    def test_a_post_has_the_other_parameters_in_a_json_body_with_their_types(self) -> None:
        request = build(
            "create_task",
            {
                "template_id": 1,
                "bk_biz_id": 2,
                "name": "发布 <v1> ${x}",
                "constants": {"${n}": 3, "${flag}": True, "${list}": [1, None]},
            },
        )

        assert request.method == "POST"
        assert request.body is not None
        assert "发布 <v1> ${x}".encode() in request.body
        assert body_of(request) == {
            "name": "发布 <v1> ${x}",
            "constants": {"${n}": 3, "${flag}": True, "${list}": [1, None]},
        }

    def test_a_post_without_parameters_sends_an_empty_object(self) -> None:
        assert build("start_task", {"task_id": 1, "bk_biz_id": 2}).body == b"{}"

    def test_headers_say_what_is_sent_wanted_and_by_whom(self) -> None:
        headers = build("start_task", {"task_id": 1, "bk_biz_id": 2}).headers

        assert headers["Content-Type"] == "application/json"
        assert headers["Accept"] == "application/json"
        assert headers["User-Agent"] == f"airflow-provider-sops/{__version__}"


class TestAnAppWithoutAUser:
    @pytest.mark.parametrize(
        ("name", "path"),
        [("get_task_status", "get_task_status/3/2/"), ("operate_node", "operate_node/2/3/")],
    )
    def test_it_calls_the_same_path_below_system(self, name: str, path: str) -> None:
        request = build(name, {"task_id": 3, "bk_biz_id": 2}, gateway=FOR_APPS)

        assert request.url == f"https://bkapi.example.com/api/bk-sops/prod/system/{path}"
        assert (request.api, request.ids) == (name, {"task_id": "3", "bk_biz_id": "2"})

    def test_a_call_for_users_alone_is_refused_with_what_to_do(self) -> None:
        with pytest.raises(SopsInvalidParameterError) as caught:
            build("create_and_start_task", {"template_id": 24, "bk_biz_id": 2}, gateway=FOR_APPS)

        assert str(caught.value) == (
            "create_and_start_task (template_id 24, bk_biz_id 2): SOPS has this call for users alone, and the "
            "connection's identity is 'app'; nothing was sent. Use a connection with identity 'user' and the bk_token "
            "or access_token of a user."
        )


class TestEsb:
    def test_a_get_has_ids_in_the_query_and_credentials_in_a_header(self) -> None:
        request = build("get_task_status", {"task_id": 3, "bk_biz_id": 2, "with_ex_data": True}, gateway=ESB)

        assert request.shown_url == "https://paas.example.com/api/c/compapi/v2/sops/get_task_status/"
        assert query_of(request) == {"task_id": "3", "bk_biz_id": "2", "with_ex_data": "true"}
        assert json.loads(request.headers["X-Bkapi-Authorization"])["bk_app_secret"] == "s3cret&="
        assert request.body is None

    def test_a_post_has_credentials_in_the_body_too_where_older_ones_read_them(self) -> None:
        request = build("create_task", {"template_id": 24, "bk_biz_id": 2, "name": "esb"}, gateway=ESB)

        assert request.url == "https://paas.example.com/api/c/compapi/v2/sops/create_task/"
        assert body_of(request) == {
            "bk_app_code": "airflow",
            "bk_app_secret": "s3cret&=",
            "bk_username": "admin",
            "template_id": "24",
            "bk_biz_id": "2",
            "name": "esb",
        }
        assert json.loads(request.headers["X-Bkapi-Authorization"])["bk_app_secret"] == "s3cret&="


@pytest.mark.parametrize("gateway", [API_GATEWAY, ESB], ids=["apigw", "esb"])
class TestBothGateways:
    def test_the_default_scope_is_not_sent(self, gateway: Gateway) -> None:
        get = build("get_task_list", {"bk_biz_id": 2}, gateway=gateway)
        post = build("start_task", {"task_id": 1, "bk_biz_id": 2}, gateway=gateway)

        assert "scope" not in query_of(get)
        assert "scope" not in body_of(post)

    def test_another_scope_goes_into_the_query_of_a_get_and_the_body_of_a_post(self, gateway: Gateway) -> None:
        get = build("get_task_list", {"bk_biz_id": 2}, gateway=gateway, scope="project")
        post = build("start_task", {"task_id": 1, "bk_biz_id": 2}, gateway=gateway, scope="project")

        assert query_of(get)["scope"] == "project"
        assert body_of(post)["scope"] == "project"
        assert "scope" not in post.url

    @pytest.mark.parametrize("name", ["get_task_status", "start_task", "get_user_project_list"])
    def test_every_call_names_the_tenant_if_there_is_one(self, gateway: Gateway, name: str) -> None:
        in_tenant = Credentials("airflow", "s3cret&=", bk_username="admin", tenant_id="acme")
        parameters = {"task_id": 1, "bk_biz_id": 2}

        assert build(name, parameters, gateway=gateway, credentials=in_tenant).headers["X-Bk-Tenant-Id"] == "acme"
        assert "X-Bk-Tenant-Id" not in build(name, parameters, gateway=gateway).headers

    def test_calls_about_no_business_have_no_scope(self, gateway: Gateway) -> None:
        assert "scope" not in query_of(build("get_common_template_list", gateway=gateway, scope="project"))

    def test_fresh_adds_a_new_unknown_parameter_each_time(self, gateway: Gateway) -> None:
        keys = {
            query_of(build("get_task_status", {"task_id": 1, "bk_biz_id": 2}, gateway=gateway, fresh=True))["_nc"]
            for _ in range(3)
        }
        body = body_of(build("get_tasks_status", {"bk_biz_id": 2}, gateway=gateway, fresh=True))

        assert len(keys) == 3
        assert body["_nc"] not in keys

    def test_parameters_that_are_none_are_left_out(self, gateway: Gateway) -> None:
        request = build("get_task_list", {"bk_biz_id": 2, "keyword": None, "limit": 0}, gateway=gateway)

        assert "keyword" not in query_of(request)
        assert query_of(request)["limit"] == "0"

    @pytest.mark.parametrize("value", ["abc", "1a", "-1", 0, -3, 1.5, True, [1], "1/2", "٣", "../x"])
    def test_an_id_that_is_no_positive_number_is_refused(self, gateway: Gateway, value: Any) -> None:
        with pytest.raises(SopsInvalidParameterError, match=r"get_task_status: task_id is .*positive whole number"):
            build("get_task_status", {"task_id": value, "bk_biz_id": 2}, gateway=gateway)

    def test_an_id_may_be_a_text_with_space_around_it(self, gateway: Gateway) -> None:
        request = build("get_task_status", {"task_id": " 25\n", "bk_biz_id": "2"}, gateway=gateway)

        assert request.ids == {"task_id": "25", "bk_biz_id": "2"}

    @pytest.mark.parametrize("nothing", [{}, {"bk_biz_id": None}, {"bk_biz_id": ""}])
    def test_a_missing_business_is_refused_with_what_to_do(self, gateway: Gateway, nothing: dict[str, Any]) -> None:
        with pytest.raises(SopsInvalidParameterError, match=r"get_task_list: bk_biz_id is missing.*connection"):
            build("get_task_list", nothing, gateway=gateway)

    def test_a_missing_id_is_named(self, gateway: Gateway) -> None:
        with pytest.raises(SopsInvalidParameterError, match="start_task: task_id is missing"):
            build("start_task", {"bk_biz_id": 2}, gateway=gateway)

    def test_an_unknown_scope_is_refused(self, gateway: Gateway) -> None:
        with pytest.raises(SopsInvalidParameterError, match=r"scope is 'weird'.*cmdb_biz, project"):
            build("get_task_list", {"bk_biz_id": 2}, gateway=gateway, scope="weird")

    @pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), "\ud800"])
    def test_what_json_cannot_hold_is_refused(self, gateway: Gateway, value: Any) -> None:
        with pytest.raises(SopsInvalidParameterError, match="create_task: a parameter cannot be written as JSON"):
            build(
                "create_task",
                {"template_id": 1, "bk_biz_id": 2, "constants": {"${a}": value}},
                gateway=gateway,
            )

    @pytest.mark.parametrize("name", ["get_task_status", "operate_task"])
    def test_secrets_are_not_shown(self, gateway: Gateway, name: str) -> None:
        credentials = Credentials("app", "s3cret", bk_token="t0ken", access_token="acc3ss")
        request = build(name, {"task_id": 1, "bk_biz_id": 2}, gateway=gateway, credentials=credentials)

        for shown in (repr(request), repr(credentials), request.shown_url):
            assert "s3cret" not in shown
            assert "t0ken" not in shown
            assert "acc3ss" not in shown


def test_a_query_value_that_is_no_text_json_can_hold_is_refused() -> None:
    with pytest.raises(SopsInvalidParameterError, match="get_task_list: a parameter cannot be written as JSON"):
        build("get_task_list", {"bk_biz_id": 2, "keyword": "\ud800"})


@pytest.mark.parametrize(
    "echo", ["a b/&=é", "a%20b%2F%26%3D%C3%A9", "a+b/%26%3d%c3%a9", "a b/&amp;=é", "%61%20b/&=%C3%A9"]
)
def test_secrets_are_concealed_however_a_server_echoes_them(echo: str) -> None:
    credentials = Credentials("airflow", "a b/&=é", bk_token="t0ken")

    assert credentials.conceal(f"/x?s={echo}&t=t0ken&u=airflow!") == "/x?s=***&t=***&u=airflow!"


@pytest.mark.parametrize(("name", "repeatable"), [("get_task_status", True), ("create_task", False)])
def test_a_request_says_whether_it_may_be_repeated(name: str, repeatable: bool) -> None:
    request = build(name, {"task_id": 1, "template_id": 1, "bk_biz_id": 2})

    assert request.api == name
    assert request.repeatable is repeatable

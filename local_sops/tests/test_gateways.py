from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sops_client import BUSINESS, CREDENTIALS, SopsClient, running_server

if TYPE_CHECKING:
    from pathlib import Path

ESB = "/api/c/compapi/v2/sops/"


def ask(sops: SopsClient, credentials: str | None) -> requests.Response:
    headers = {} if credentials is None else {"X-Bkapi-Authorization": credentials}
    return requests.get(f"{sops.base_url}/prod/get_user_project_list/", headers=headers, timeout=10)


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (None, "app code cannot be empty"),
        ("{oops", "request header X-Bkapi-Authorization is not a valid JSON"),
        (json.dumps({"bk_app_code": "airflow"}), "please provide bk_app_secret or bk_signature to verify app"),
        (json.dumps({**CREDENTIALS, "bk_app_secret": "no"}), "bk_app_code or bk_app_secret is incorrect"),
        (json.dumps({**CREDENTIALS, "bk_app_code": "nobody"}), "app not found"),
        (
            json.dumps({**CREDENTIALS, "bk_username": ""}),
            (
                "user authentication failed, please provide a valid user identity, "
                "such as bk_username, bk_token, access_token"
            ),
        ),
    ],
)
def test_the_api_gateway_refuses_unknown_callers(sops: SopsClient, credentials: str | None, reason: str) -> None:
    response = ask(sops, credentials)
    assert response.status_code == 400
    assert response.json() == {
        "code": 1640001,
        "code_name": "INVALID_ARGS",
        "message": f'Parameters error [reason="{reason}"]',
        "data": None,
        "result": False,
    }
    assert response.headers["X-Bkapi-Error-Code"] == "1640001"


def test_with_tokens_a_bare_username_is_not_verified_and_a_token_is(data_folder: Path) -> None:
    with running_server(data_folder, "--user-token", "t0ken=amy") as server:
        bare = ask(server.client, json.dumps(CREDENTIALS))
        assert bare.status_code == 400
        assert "is not verified" in bare.json()["message"]
        for name in ("bk_token", "access_token"):
            known = {**CREDENTIALS, "bk_username": "", name: "t0ken"}
            assert ask(server.client, json.dumps(known)).json()["result"] is True


def test_any_stage_will_do(sops: SopsClient) -> None:
    response = sops.session.get(f"{sops.base_url}/stag/get_user_project_list/", timeout=10)
    assert response.json()["result"] is True


@pytest.mark.parametrize(("method", "path"), [("GET", "no_such_api/1"), ("GET", "create_task/1/2")])
def test_a_path_or_method_that_no_call_has_is_not_found(sops: SopsClient, method: str, path: str) -> None:
    response = sops.raw(method, path)
    assert response.status_code == 404
    assert response.json()["code"] == 1640401
    assert response.json()["message"] == f'API not found [method="{method}" path="/{path}/"]'


@pytest.mark.parametrize(
    "path", ["get_task_status/abc/2", "get_task_status/1", "get_task_status/1/2/3", "get_task_status/-1/2"]
)
def test_ids_that_do_not_fit_are_sent_to_a_page(sops: SopsClient, path: str) -> None:
    response = sops.raw("GET", path)
    assert (response.status_code, response.text) == (302, "")


@pytest.mark.parametrize("body", [b"this is no json", b"name=x&a=b", b"[1]"])
def test_a_body_that_is_no_json_object_is_refused(sops: SopsClient, body: bytes) -> None:
    answer = sops.raw("POST", "create_task/1/2", data=body).json()
    assert answer == {"result": False, "message": "invalid param format", "code": 3540000}


@pytest.mark.parametrize(
    ("query", "projects"),
    [({}, {1}), ({"scope": "cmdb_biz"}, {1}), ({"scope": "project"}, {2}), ({"scope": "odd"}, {2})],
)
def test_the_scope_says_what_the_business_id_means(sops: SopsClient, query: dict[str, str], projects: set[int]) -> None:
    templates = sops.get("get_template_list/2", **query)["data"]
    assert {one["project_id"] for one in templates} == projects


def test_a_body_that_is_too_large_is_refused_by_the_server_and_then_by_the_gateway(sops: SopsClient) -> None:
    def create(size: int) -> requests.Response:
        body = json.dumps({"name": "large", "constants": {"${any}": "x" * size * 1024 * 1024}})
        return sops.raw("POST", f"create_task/18/{BUSINESS}", data=body)

    assert create(24).json()["result"] is True
    refused = create(26).json()
    assert refused == {"result": False, "message": "invalid param format", "code": 3540000}
    too_large = create(41)
    assert (too_large.status_code, too_large.json()["code"]) == (413, 1641301)


def test_an_unknown_business_is_refused(sops: SopsClient) -> None:
    assert sops.get("get_template_list/999") == {
        "result": False,
        "message": "project(999) with scope(cmdb_biz) does not exist.",
        "code": 3540400,
    }


class TestEsb:
    def call(self, sops: SopsClient, name: str, **parameters: Any) -> Any:
        parameters = {**CREDENTIALS, "bk_biz_id": BUSINESS, **parameters}
        response = requests.get(f"{sops.base_url}{ESB}{name}/", params=parameters, timeout=10)
        assert response.status_code == 200
        return response.json()

    def test_ids_and_credentials_are_parameters(self, sops: SopsClient) -> None:
        parameters = {**CREDENTIALS, "bk_biz_id": str(BUSINESS), "template_id": "18", "name": "by esb"}
        created = requests.post(f"{sops.base_url}{ESB}create_task/", json=parameters, timeout=10).json()
        assert created["result"]
        assert created["request_id"]
        status = self.call(sops, "get_task_status", task_id=created["data"]["task_id"])
        assert status["data"]["state"] == "CREATED"

    def test_credentials_may_be_in_the_header_and_then_no_others_count(self, sops: SopsClient) -> None:
        url, parameters = f"{sops.base_url}{ESB}get_template_list/", {"bk_biz_id": BUSINESS}

        def answer(header: dict[str, str], **more: str) -> Any:
            headers = {"X-Bkapi-Authorization": json.dumps(header)}
            return requests.get(url, params={**parameters, **more}, headers=headers, timeout=10).json()

        assert answer(CREDENTIALS)["result"]
        assert answer({**CREDENTIALS, "bk_app_secret": "no"}, **CREDENTIALS)["code"] == 20101

    def test_a_read_may_be_posted(self, sops: SopsClient) -> None:
        parameters = {**CREDENTIALS, "bk_biz_id": BUSINESS}
        answer = requests.post(f"{sops.base_url}{ESB}get_template_list/", json=parameters, timeout=10).json()
        assert answer["result"]

    @pytest.mark.parametrize(
        ("name", "parameters", "code"),
        [
            ("get_template_list", {"bk_app_secret": "no"}, 20101),
            ("get_template_list", {"bk_username": ""}, 1306401),
            ("get_task_status", {}, 1306406),
            ("no_such_component", {}, 1306404),
            ("get_task_status", {"task_id": "abc"}, 1306201),
        ],
    )
    def test_its_own_errors_are_http_200(
        self, sops: SopsClient, name: str, parameters: dict[str, Any], code: int
    ) -> None:
        answer = self.call(sops, name, **parameters)
        assert (answer["result"], answer["code"]) == (False, code)

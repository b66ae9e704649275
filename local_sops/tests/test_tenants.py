"""The gateway of a platform with several tenants."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sops_client import BUSINESS, CREDENTIALS, SopsClient, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = 18
TENANT = {"X-Bk-Tenant-Id": "default"}
LIST = f"get_template_list/{BUSINESS}"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SopsClient]:
    options = ("--server", "3.35", "--multi-tenant", "--user-token", "t0ken=amy")
    with running_server(tmp_path_factory.mktemp("platform"), *options) as server:
        yield server.client


def error_of(response: requests.Response) -> tuple[int, int, str]:
    return response.status_code, response.json()["code"], response.json()["code_name"]


def verified(headers: dict[str, str]) -> dict[str, str]:
    known = {**CREDENTIALS, "bk_username": "", "access_token": "t0ken"}
    return {**headers, "X-Bkapi-Authorization": json.dumps(known)}


@pytest.mark.parametrize("path", [LIST, f"system/{LIST}"])
def test_a_call_must_name_its_tenant(platform: SopsClient, path: str) -> None:
    assert error_of(platform.raw("GET", path, headers=verified({}))) == (403, 1640302, "CROSS_TENANT_FORBIDDEN")
    assert platform.raw("GET", path, headers=verified(TENANT)).json()["result"] is True


def test_a_bare_username_is_enough_only_for_app_resources(platform: SopsClient) -> None:
    refused = platform.raw("GET", LIST, headers=TENANT)
    assert error_of(refused) == (400, 1640001, "INVALID_ARGS")
    assert "the user indicated by bk_username is not verified" in refused.json()["message"]
    assert platform.raw("GET", f"system/{LIST}", headers=TENANT).json()["result"] is True


def test_an_app_runs_a_task_below_system(platform: SopsClient) -> None:
    ask = {"headers": TENANT, "json": {"name": "by an app"}}
    created = platform.raw("POST", f"system/create_task/{QUICK}/{BUSINESS}", **ask).json()["data"]
    started = platform.raw("POST", f"system/start_task/{created['task_id']}/{BUSINESS}", headers=TENANT, json={})
    assert started.json()["result"] is True


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"create_and_start_task/{QUICK}/{BUSINESS}", (404, 1640401, "API_NOT_FOUND")),
        (f"claim_functionalization_task/1/{BUSINESS}", (404, 1640401, "API_NOT_FOUND")),
        (f"get_clocked_task_list/{BUSINESS}", (404, 1640401, "API_NOT_FOUND")),
        (f"get_task_node_log/1/{BUSINESS}", (403, 1640301, "APP_NO_PERMISSION")),
    ],
)
def test_some_calls_have_no_app_resource_or_one_to_be_granted(
    platform: SopsClient, path: str, expected: tuple[int, int, str]
) -> None:
    method = "POST" if "task/" in path else "GET"
    body: dict[str, Any] = {"json": {}} if method == "POST" else {}
    assert error_of(platform.raw(method, f"system/{path}", headers=TENANT, **body)) == expected


def test_nothing_of_another_tenant_is_found(platform: SopsClient) -> None:
    answer = platform.raw("GET", f"system/{LIST}", headers={"X-Bk-Tenant-Id": "other"}).json()
    assert (answer["result"], answer["code"]) == (False, 3540400)


def test_there_is_no_esb(platform: SopsClient) -> None:
    url = f"{platform.base_url}/api/c/compapi/v2/sops/get_template_list/"
    assert requests.get(url, params={**CREDENTIALS, "bk_biz_id": BUSINESS}, timeout=10).status_code == 404


def test_older_servers_know_nothing_of_it(sops: SopsClient) -> None:
    assert sops.raw("GET", f"system/{LIST}").json()["code"] == 1640401
    assert sops.raw("GET", LIST, headers={"X-Bk-Tenant-Id": "other"}).json()["result"] is True

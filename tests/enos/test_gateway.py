"""Requests as they are sent. That gateways accept them is shown with the hook, against a server that checks them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_sops.enos.endpoints import endpoint
from airflow_provider_sops.enos.errors import EnosInvalidParameterError
from airflow_provider_sops.enos.gateway import Address, Credentials, build_request
from airflow_provider_sops.enos.paging import Page
from airflow_provider_sops.enos.signing import signature

if TYPE_CHECKING:
    from airflow_provider_sops.enos.gateway import ApiVersion
    from airflow_provider_sops.service.http import HttpRequest

CREDENTIALS = Credentials("ak", "s3cret/+", user_id="u1", org_id="o1")
ADDRESS = Address("https://apim.example.com")


def build(
    api: str, parameters: dict[str, Any], *, address: Address = ADDRESS, credentials: Credentials = CREDENTIALS
) -> HttpRequest:
    return build_request(address, credentials, endpoint(api), parameters, access_token="token", timestamp="1000")


def test_a_get_has_everything_in_its_query() -> None:
    request = build("get_task_instance_log", {"taskInstId": "1-2", "maxLength": 100})
    parts = urlsplit(request.url)
    assert (request.method, request.body) == ("GET", None)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == request.shown_url
    assert request.shown_url == "https://apim.example.com/batch-processing-service/v2.1/taskInstances"
    assert parse_qs(parts.query) == {
        "action": ["getLog"],
        "userId": ["u1"],
        "orgId": ["o1"],
        "taskInstId": ["1-2"],
        "maxLength": ["100"],
    }
    assert request.ids == {"taskInstId": "1-2"}


def test_a_post_signs_the_very_bytes_of_its_body() -> None:
    request = build("update_and_trigger_flow", {"flowId": 8, "parameters": [{"key": "站", "value": 1.5}]})
    assert request.body is not None
    assert json.loads(request.body) == {"flowId": 8, "parameters": [{"key": "站", "value": 1.5}]}
    query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
    assert query == {"action": "updateAndTrigger", "userId": "u1", "orgId": "o1"}
    assert request.headers["apim-signature"] == signature(
        access_token="token", secret_key="s3cret/+", timestamp="1000", query=query, body=request.body
    )
    assert (request.headers["apim-accesstoken"], request.headers["apim-timestamp"]) == ("token", "1000")


def test_values_are_escaped_in_the_url_alone() -> None:
    request = build("get_my_flow", {"expression": "报表 a+b&c"})
    assert "expression=%E6%8A%A5%E8%A1%A8%20a%2Bb%26c" in request.url
    assert request.headers["apim-signature"] == signature(
        access_token="token",
        secret_key="s3cret/+",
        timestamp="1000",
        query={"action": "getMyFlow", "userId": "u1", "orgId": "o1", "expression": "报表 a+b&c"},
    )


def test_none_is_left_out_and_an_empty_text_is_not() -> None:
    assert "maxLength=&" not in build("get_task_instance_log", {"taskInstId": "1", "maxLength": None}).url + "&"
    assert "maxLength=&" in build("get_task_instance_log", {"taskInstId": "1", "maxLength": ""}).url + "&"


def test_the_older_version_has_another_base_path() -> None:
    url = build("trigger_flow", {"flowId": 1}, address=Address("https://x", "v2.0")).shown_url
    assert url == "https://x/dataflow-batch-service/v2.0/flows"


def test_the_clock_is_read_for_nobody() -> None:
    request = build("get_current_time", {}, credentials=Credentials("ak", "sk"))
    assert urlsplit(request.url).query == "action=getCurrentTime"


@pytest.mark.parametrize(
    ("api", "parameters", "address", "credentials", "words"),
    [
        ("get_my_flow", {}, ADDRESS, Credentials("ak", "sk", org_id="o"), "userId is missing.*user_id"),
        ("get_my_flow", {}, ADDRESS, Credentials("ak", "sk", user_id="u"), "orgId is missing.*org_id"),
        ("get_task_instance", {}, Address("https://x", "v2.0"), CREDENTIALS, "lacks this call"),
        ("save_flow", {"name": object()}, ADDRESS, CREDENTIALS, "object is not a JSON type"),
        ("save_flow", {"name": float("nan")}, ADDRESS, CREDENTIALS, "cannot be written as JSON"),
        ("save_flow", {"name": "\ud800"}, ADDRESS, CREDENTIALS, "cannot be written as JSON"),
        ("get_my_flow", {"expression": "\ud800"}, ADDRESS, CREDENTIALS, "cannot be encoded as text"),
    ],
)
def test_what_cannot_be_sent_is_named(
    api: str, parameters: dict[str, Any], address: Address, credentials: Credentials, words: str
) -> None:
    with pytest.raises(EnosInvalidParameterError, match=words):
        build(api, parameters, address=address, credentials=credentials)


def test_secrets_are_not_shown_and_can_be_concealed() -> None:
    assert "s3cret" not in repr(CREDENTIALS)
    assert "token" not in repr(build("get_my_flow", {}))
    assert CREDENTIALS.conceal("a s3cret/+ b s3cret%2F%2B c tok", "tok") == "a *** b *** c ***"


@pytest.mark.parametrize(("version", "number"), [("v2.1", 3), ("v2.0", 2)])
def test_the_versions_count_pages_differently(version: ApiVersion, number: int) -> None:
    address = Address(ADDRESS.root, version)
    request = build("search_flow_instances", {"pagination": Page(2, 50)}, address=address)

    assert json.loads(request.body or b"")["pagination"] == {"pageNo": number, "pageSize": 50}

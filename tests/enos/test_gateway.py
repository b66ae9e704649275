"""Requests as they are sent. That gateways accept them is shown with the hook, against a server that checks them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_sops.enos.endpoints import endpoint
from airflow_provider_sops.enos.errors import EnosInvalidParameterError
from airflow_provider_sops.enos.gateway import Address, Credentials, build_request, signature, token_encryption
from airflow_provider_sops.enos.paging import Page

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


ACCESS_KEY = "5acb82e7-a11e-4300-9164-c8b20b638e8b"
SECRET_KEY = "f0b6b1d2-3c4d-4e5f-8a9b-0c1d2e3f4a5b"
TIMESTAMP = "1612265724000"
TOKEN = "H4TestAccessToken-0001"
USER = {"userId": "u15426865866571", "orgId": "o15632609593521"}

VECTORS: list[Any] = [
    pytest.param(
        {"action": "get", "taskInstId": "118979-2021020211", **USER},
        "",
        "5dd1d9467e4f910b6365ebf05894354aa63bdeb70d123729fcebe0d423b38f2a",
        id="get",
    ),
    pytest.param(
        {"action": "trigger", **USER},
        '{"flowId":3377,"triggerTime":1574385824000}',
        "cfcb9c9f3ec7809a07fba8be48539fe59fb2ba7161618f9a87432931c2e36697",
        id="post",
    ),
    pytest.param(
        {"action": "getMyFlow", **USER, "expression": "报表 a+b&c"},
        "",
        "9dd13a023ea96bb16354d27fdeba2132bc035488bebe7a35e623d0c263463ad5",
        id="decoded values",
    ),
    pytest.param(
        {"action": "getLog", "taskInstId": "105007-20190812013400", "maxLength": "", "userId": "u", "orgId": "o"},
        "",
        "8a3adf9236fe8b8131e6ec8570b36609596a2d61436ac4be126ec1e7b29ebbe8",
        id="an empty value",
    ),
]


def test_the_published_example_verifies() -> None:
    body = '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'
    signed = signature(
        access_token="xxxxaaaxxxx",
        secret_key="xxxappSecretxxx",
        timestamp="1572574909697",
        query={"k3": "v3", "k1": "v1", "k2": "v2"},
        body=body.encode(),
    )
    assert signed == "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981"


@pytest.mark.parametrize(("query", "body", "expected"), VECTORS)
def test_other_examples_verify(query: dict[str, str], body: str, expected: str) -> None:
    signed = signature(access_token=TOKEN, secret_key=SECRET_KEY, timestamp=TIMESTAMP, query=query, body=body.encode())
    assert signed == expected


def test_names_are_sorted_by_units_of_utf_16() -> None:
    """U+1F600 is two units from U+D83D on, before U+FF5E; by code points it would come after."""

    def sign(query: dict[str, str]) -> str:
        return signature(access_token="t", secret_key="s", timestamp="1", query=query)

    assert sign({"～": "a", "😀": "b", "B": "c", "a": "d"}) == sign({"Bcad😀b～a": ""})


def test_the_request_for_a_token_is_proved() -> None:
    proof = token_encryption(access_key=ACCESS_KEY, secret_key=SECRET_KEY, timestamp=TIMESTAMP)
    assert proof == "db34c6ad63b0043953e46a604cd46be3fd6eedbfed7e823cea2458120ac72ac7"

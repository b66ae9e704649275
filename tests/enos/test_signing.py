"""The published vector, and others that were made with the published Java sample and OkHttp."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.enos.signing import signature, token_encryption

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

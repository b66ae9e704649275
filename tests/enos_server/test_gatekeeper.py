"""The server's own checks: what is signed by the documents passes, whatever else does not."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest

from tests.enos_server.gatekeeper import Gatekeeper

APP, SECRET, TOKEN = "app", "xxxappSecretxxx", "xxxxaaaxxxx"
PUBLISHED: dict[str, Any] = {
    "query_string": "k3=v3&k1=v1&k2=v2",
    "body": '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'.encode(),
    "headers": {
        "apim-accesstoken": TOKEN,
        "apim-timestamp": "1572574909697",
        "apim-signature": "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981",
    },
}


@pytest.fixture
def gatekeeper(monkeypatch: pytest.MonkeyPatch) -> Gatekeeper:
    """A gateway that knows the published example's app, on the day of the example."""
    monkeypatch.setattr(time, "time", lambda: 1572574909.0)
    return Gatekeeper({APP: SECRET}, _secret_of={TOKEN: SECRET})


def request_token(gatekeeper: Gatekeeper, action: str = "get", **changes: Any) -> dict[str, Any]:
    content = {"appKey": APP, "timestamp": 1000, **changes}
    proof = hashlib.sha256(f"{APP}{content['timestamp']}{SECRET}".encode()).hexdigest()
    return gatekeeper.answer_token_request(action, {"encryption": proof, **content})


def test_the_published_example_passes(gatekeeper: Gatekeeper) -> None:
    assert gatekeeper.refusal(**PUBLISHED) is None


@pytest.mark.parametrize(
    "change",
    [
        {"query_string": "k3=v3&k1=v1&k2=V2"},
        {"query_string": "k3=v3&k1=v1"},
        {"body": b""},
        {"body": '{"count": 20, "page": 1, "desc": "描述"}'.encode()},
        {"headers": {**PUBLISHED["headers"], "apim-timestamp": "1572574909698"}},
        {"headers": {**PUBLISHED["headers"], "apim-timestamp": "1572574000000"}},
        {"headers": {**PUBLISHED["headers"], "apim-signature": PUBLISHED["headers"]["apim-signature"].upper()}},
        {"headers": {**PUBLISHED["headers"], "apim-accesstoken": "another"}},
        {"headers": {}},
    ],
)
def test_anything_else_is_refused(gatekeeper: Gatekeeper, change: dict[str, Any]) -> None:
    assert gatekeeper.refusal(**{**PUBLISHED, **change}) is not None


def test_values_are_checked_as_they_are_before_they_are_escaped(gatekeeper: Gatekeeper) -> None:
    plain = "expression报表 a+b&c"
    signed = hashlib.sha256(f"{TOKEN}{plain}1572574909697{SECRET}".encode()).hexdigest()
    headers = {**PUBLISHED["headers"], "apim-signature": signed}
    escaped = "expression=%E6%8A%A5%E8%A1%A8%20a%2Bb%26c"
    assert gatekeeper.refusal(query_string=escaped, body=b"", headers=headers) is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"appKey": "another"}, 1002),
        ({"encryption": "x"}, 1003),
        ({"timestamp": None}, 1202),
        ({"appKey": ""}, 1202),
    ],
)
def test_a_token_is_given_only_for_a_proof(gatekeeper: Gatekeeper, change: dict[str, Any], status: int) -> None:
    assert request_token(gatekeeper, **change)["status"] == status


def test_the_same_request_is_answered_once_and_the_same_token_given_until_a_refresh(gatekeeper: Gatekeeper) -> None:
    first = request_token(gatekeeper)["data"]["accessToken"]
    assert request_token(gatekeeper)["status"] == 1001
    assert request_token(gatekeeper, timestamp=1001)["data"]["accessToken"] == first
    second = request_token(gatekeeper, "refresh", timestamp=1002, accessToken=first)["data"]["accessToken"]
    assert second != first
    assert request_token(gatekeeper, "refresh", timestamp=1003, accessToken=first)["status"] == 1204

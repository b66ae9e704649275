from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sops.enos.errors import EnosGatewayError
from airflow_provider_sops.enos.gateway import Credentials, token_encryption
from airflow_provider_sops.enos.tokens import AccessToken, read_token, token_request

CREDENTIALS = Credentials("ak", "sk")


def test_a_token_is_asked_for_with_a_proof_and_without_the_secret() -> None:
    request = token_request("https://x", CREDENTIALS, timestamp="1612265724000")
    assert request.url == "https://x/apim-token-service/v2.0/token/get"
    assert json.loads(request.body or b"") == {
        "appKey": "ak",
        "encryption": token_encryption(access_key="ak", secret_key="sk", timestamp="1612265724000"),
        "timestamp": 1612265724000,
    }
    assert not [name for name in request.headers if name.startswith("apim")]


def test_a_refresh_names_the_token_that_it_replaces() -> None:
    request = token_request("https://x", CREDENTIALS, timestamp="1", to_replace=AccessToken("old", 0.0))
    assert request.url.endswith("/token/refresh")
    assert json.loads(request.body or b"")["accessToken"] == "old"


@pytest.mark.parametrize(
    ("expire", "fresh_seconds"), [(7200, 6600), ("7200", 6600), (1000, 500), (100, 50), (0, 0), (None, 0)]
)
def test_a_token_is_replaced_ten_minutes_early_or_after_half_of_a_short_life(expire: Any, fresh_seconds: float) -> None:
    token = read_token({"accessToken": "t", "expire": expire}, asked_at=1000.0)
    assert token.replace_at == 1000.0 + fresh_seconds
    assert token.is_fresh(999.0 + fresh_seconds)
    assert not token.is_fresh(1000.0 + fresh_seconds)
    assert "'t'" not in repr(token)


@pytest.mark.parametrize("data", [None, {}, [], {"accessToken": ""}, {"accessToken": 7}])
def test_an_answer_without_a_token_is_an_error(data: Any) -> None:
    with pytest.raises(EnosGatewayError, match="without a token"):
        read_token(data, asked_at=0.0)

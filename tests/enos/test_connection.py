"""How an Airflow connection of type ``enos`` is read."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_sops.enos.connection import EnosConnection, read_enos_connection
from airflow_provider_sops.enos.errors import EnosInvalidParameterError


def read(extra: Any = None, *, user_id: str | None = None, **fields: Any) -> EnosConnection:
    defaults = {"conn_id": "e", "host": "apim.example.com", "port": None, "schema": None, "login": "ak"}
    text = extra if isinstance(extra, str) else json.dumps(extra or {})
    given: Any = SimpleNamespace(**{**defaults, "password": "s3cret", "extra": text, **fields})
    return read_enos_connection(given, user_id=user_id)


@pytest.mark.parametrize(
    ("fields", "root"),
    [
        ({}, "https://apim.example.com"),
        ({"host": "http://10.0.0.1:8080/"}, "http://10.0.0.1:8080"),
        ({"port": 8443}, "https://apim.example.com:8443"),
        ({"schema": "http"}, "http://apim.example.com"),
        ({"host": "https://apim.example.com/enos/"}, "https://apim.example.com/enos"),
    ],
)
def test_the_host_is_the_gateways_address(fields: dict[str, Any], root: str) -> None:
    assert read(**fields).address.root == root


def test_defaults_are_those_of_the_documentation() -> None:
    connection = read()
    assert (connection.address.version, connection.transport.verify, connection.transport.proxy) == ("v2.1", True, None)
    assert connection.limits.total_seconds == 30
    assert (connection.credentials.user_id, connection.credentials.org_id) == (None, None)


def test_everything_can_be_set() -> None:
    connection = read(
        {
            "user_id": "u1",
            "org_id": "o1",
            "api_version": "v2.0",
            "verify": "false",
            "proxy": "http://user:pa%2Fss@proxy:3128",
            "timeout_seconds": "7.5",
            "misspelt": 1,
        }
    )
    assert (connection.credentials.user_id, connection.credentials.org_id) == ("u1", "o1")
    assert (connection.address.version, connection.transport.verify) == ("v2.0", False)
    assert connection.limits.total_seconds == 7.5
    assert connection.transport.proxies["https"] == "http://user:pa%2Fss@proxy:3128"
    assert connection.unused_extra == ("misspelt",)
    assert {"s3cret", "pa%2Fss"} <= set(connection.secrets)


def test_the_callers_user_comes_first() -> None:
    assert read({"user_id": "u1"}, user_id="u2").credentials.user_id == "u2"


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("https://apim.example.com", False),
        ("http://apim.example.com", True),
        ("http://127.0.0.1:80", False),
        ("http://localhost", False),
        ("http://10.0.0.1", True),
    ],
)
def test_an_open_way_is_known(host: str, plain: bool) -> None:
    assert read(host=host).transport.is_plain_text is plain


@pytest.mark.parametrize(
    ("extra", "fields", "words"),
    [
        ({}, {"host": ""}, "host is empty"),
        ({}, {"host": "ftp://x"}, "host must start with http"),
        ({}, {"host": "https://x:port"}, "host must start with http"),
        ({}, {"host": "https://user@x"}, "host must be the gateway's address alone"),
        ({}, {"login": " "}, "login .AccessKey. is empty"),
        ({}, {"password": None}, "password .SecretKey. is empty"),
        ("[1]", {}, "extra must be a JSON object"),
        ("{", {}, "extra must be a JSON object"),
        ({"api_version": "2.1"}, {}, "'api_version' is '2.1'; it must be one of v2.1, v2.0"),
        ({"user_id": 7}, {}, "'user_id' must be a string"),
        ({"proxy": "proxy:3128"}, {}, "'proxy' must start with http"),
        ({"timeout_seconds": 0}, {}, "'timeout_seconds' is 0"),
        ({"timeout_seconds": True}, {}, "'timeout_seconds' is True"),
        ({"max_answer_mb": "much"}, {}, "'max_answer_mb' is 'much'; it must be a number of MiB above 0"),
    ],
)
def test_what_is_wrong_is_named_without_secrets(extra: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(EnosInvalidParameterError, match=f"connection 'e': .*{words}") as raised:
        read(extra, **fields)
    assert "s3cret" not in str(raised.value)


def test_secrets_are_in_no_repr() -> None:
    assert "s3cret" not in repr(read({"proxy": "http://user:hidden@proxy"}))
    assert "hidden" not in repr(read({"proxy": "http://user:hidden@proxy"}).transport)

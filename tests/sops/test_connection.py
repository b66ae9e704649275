from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_sops.service.settings import Limits, TransportSettings
from airflow_provider_sops.sops.connection import SopsConnection, read_connection
from airflow_provider_sops.sops.errors import TRANSPORT_ERRORS, SopsInvalidParameterError
from airflow_provider_sops.sops.gateway import ApiGateway, Credentials, Esb


def connection(extra: Any = None, **fields: Any) -> Any:
    given = {
        "conn_id": "sops_default",
        "host": "https://bkapi.example.com",
        "port": None,
        "schema": None,
        "login": "airflow",
        "password": "s3cret",
        "extra": extra if extra is None or isinstance(extra, str) else json.dumps(extra),
    }
    return SimpleNamespace(**{**given, **fields})


def test_the_smallest_connection_has_safe_defaults() -> None:
    assert read_connection(connection()) == SopsConnection(
        gateway=ApiGateway("https://bkapi.example.com", stage="prod"),
        credentials=Credentials("airflow", "s3cret"),
        transport=TransportSettings("https://bkapi.example.com", TRANSPORT_ERRORS, verify=True, proxy=None),
        limits=Limits(total_seconds=30.0),
        bk_biz_id=None,
        scope="cmdb_biz",
        unused_extra=(),
    )


def test_everything_can_be_set() -> None:
    extra = {
        "gateway": "apigw",
        "stage": "stag",
        "identity": "app",
        "tenant_id": " acme ",
        "bk_username": "admin",
        "bk_token": "t0ken",
        "access_token": "acc3ss",
        "bk_biz_id": 2,
        "scope": "project",
        "verify": "/etc/ca.pem",
        "proxy": "http://proxy.example.com:3128",
        "timeout_seconds": 7.5,
    }

    assert read_connection(connection(extra)) == SopsConnection(
        gateway=ApiGateway("https://bkapi.example.com", stage="stag", identity="app"),
        credentials=Credentials("airflow", "s3cret", "admin", "t0ken", "acc3ss", "acme"),
        transport=TransportSettings(
            "https://bkapi.example.com", TRANSPORT_ERRORS, verify="/etc/ca.pem", proxy="http://proxy.example.com:3128"
        ),
        limits=Limits(total_seconds=7.5),
        bk_biz_id="2",
        scope="project",
    )


def test_empty_fields_of_a_form_are_no_values() -> None:
    extra = dict.fromkeys(
        (
            "gateway",
            "stage",
            "bk_username",
            "bk_token",
            "access_token",
            "bk_biz_id",
            "scope",
            "verify",
            "proxy",
            "timeout_seconds",
        ),
        "",
    )

    assert read_connection(connection(extra)) == read_connection(connection())


@pytest.mark.parametrize(
    ("fields", "root"),
    [
        ({"host": "https://bkapi.example.com/api/bk-sops/"}, "https://bkapi.example.com/api/bk-sops"),
        ({"host": "bkapi.example.com"}, "https://bkapi.example.com"),
        ({"host": "bkapi.example.com", "schema": "http"}, "http://bkapi.example.com"),
        ({"host": "bkapi.example.com/api/bk-sops", "port": 8443}, "https://bkapi.example.com:8443/api/bk-sops"),
        ({"host": "http://bkapi.example.com:81", "port": 82}, "http://bkapi.example.com:81"),
        ({"host": "http://[::1]:8900"}, "http://[::1]:8900"),
        ({"host": " 127.0.0.1:8900 ", "schema": "http"}, "http://127.0.0.1:8900"),
    ],
)
def test_the_gateways_address_is_read_from_host_port_and_schema(fields: dict[str, Any], root: str) -> None:
    assert read_connection(connection(**fields)).gateway.root == root


def test_esb_is_another_gateway() -> None:
    assert read_connection(connection({"gateway": "esb"})).gateway == Esb("https://bkapi.example.com")


@pytest.mark.parametrize(
    ("value", "verify"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        ("no", False),
        (0, False),
        (1, True),
        (None, True),
        ("", True),
        ("/etc/ssl/certs", "/etc/ssl/certs"),
    ],
)
def test_verify_is_a_switch_or_a_path(value: Any, verify: bool | str) -> None:
    assert read_connection(connection({"verify": value})).transport.verify == verify


@pytest.mark.parametrize(("value", "seconds"), [("12", 12.0), (0.5, 0.5), ("", 30.0), (None, 30.0)])
def test_the_timeout_is_a_number_of_seconds(value: Any, seconds: float) -> None:
    limits = read_connection(connection({"timeout_seconds": value})).limits

    assert (limits.total_seconds, limits.connect_seconds) == (seconds, min(5.0, seconds))


def test_business_and_scope_of_the_caller_come_first() -> None:
    extra = {"bk_biz_id": 2, "scope": "project"}

    assert read_connection(connection(extra), bk_biz_id=7, scope="cmdb_biz").bk_biz_id == "7"
    assert read_connection(connection(extra), bk_biz_id=7, scope="cmdb_biz").scope == "cmdb_biz"
    assert read_connection(connection(extra), bk_biz_id="", scope="").bk_biz_id == "2"
    assert read_connection(connection(extra), bk_biz_id="", scope="").scope == "project"


def test_an_access_token_may_stand_for_app_and_user() -> None:
    read = read_connection(connection({"access_token": "acc3ss"}, login=None, password=None))

    assert read.credentials.as_parameters() == {"access_token": "acc3ss"}


def test_keys_that_mean_nothing_are_kept_by_name() -> None:
    read = read_connection(connection({"bk_bizid": 2, "bk_username": "admin", "__extra__": "{}"}))

    assert read.unused_extra == ("__extra__", "bk_bizid")


@pytest.mark.parametrize(
    ("extra", "fields", "named"),
    [
        (None, {"host": ""}, "host is empty"),
        (None, {"host": None}, "host is empty"),
        (None, {"host": "ftp://x"}, "host must start with http:// or https://"),
        (None, {"host": "https://"}, "host must start with http:// or https://"),
        (None, {"host": "https://x:port"}, "host must start with http:// or https://"),
        (None, {"host": "https://u:p4ss@x"}, "host must be the gateway's address alone"),
        (None, {"host": "https://x?a=b"}, "host must be the gateway's address alone"),
        (None, {"login": ""}, "login (bk_app_code) is empty"),
        (None, {"password": None}, "password (bk_app_secret) is empty"),
        ("{oops", {}, "extra must be a JSON object"),
        ("[1]", {}, "extra must be a JSON object"),
        ({"gateway": "kong"}, {}, "extra 'gateway' is 'kong'; it must be one of apigw, esb"),
        ({"gateway": 1}, {}, "extra 'gateway' must be a string"),
        ({"identity": "robot"}, {}, "extra 'identity' is 'robot'; it must be one of user, app"),
        ({"identity": "app", "gateway": "esb"}, {}, "extra 'identity' is 'app', which ESB does not have"),
        ({"tenant_id": 5}, {}, "extra 'tenant_id' must be a string"),
        ({"tenant_id": "a\r\nX-Evil: 1"}, {}, "extra 'tenant_id' is 'a\\r\\nX-Evil: 1'; it may hold"),
        ({"tenant_id": "租户"}, {}, "extra 'tenant_id' is '租户'; it may hold"),
        ({"scope": "weird"}, {}, "extra 'scope' is 'weird'; it must be one of cmdb_biz, project"),
        ({"bk_biz_id": "abc"}, {}, "extra 'bk_biz_id' is 'abc'"),
        ({"bk_biz_id": -1}, {}, "extra 'bk_biz_id' is '-1'"),
        ({"bk_username": 5}, {}, "extra 'bk_username' must be a string"),
        ({"bk_token": ["t0ken"]}, {}, "extra 'bk_token' must be a string"),
        ({"proxy": "proxy.example.com:3128"}, {}, "extra 'proxy' must start with http:// or https://"),
        ({"timeout_seconds": "soon"}, {}, "extra 'timeout_seconds' is 'soon'"),
        ({"timeout_seconds": 0}, {}, "extra 'timeout_seconds' is 0"),
        ({"timeout_seconds": -3}, {}, "extra 'timeout_seconds' is -3"),
        ({"timeout_seconds": True}, {}, "extra 'timeout_seconds' is True"),
        ({"timeout_seconds": "inf"}, {}, "extra 'timeout_seconds' is 'inf'"),
        ({"timeout_seconds": "nan"}, {}, "extra 'timeout_seconds' is 'nan'"),
    ],
)
def test_what_is_malformed_is_named_with_the_connection_and_without_secrets(
    extra: Any, fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(SopsInvalidParameterError) as caught:
        read_connection(connection(extra, **fields))

    assert str(caught.value).startswith("connection 'sops_default': ")
    assert named in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "p4ss" not in str(caught.value)
    assert "t0ken" not in str(caught.value)


def test_an_unknown_scope_of_the_caller_is_refused_with_the_first_call() -> None:
    read = read_connection(connection({"bk_biz_id": 2}), scope="weird")

    with pytest.raises(SopsInvalidParameterError, match="scope is 'weird'"):
        read.request("get_task_list", {})


def test_secrets_are_listed_and_not_shown() -> None:
    extra = {"bk_token": "t0ken", "access_token": "acc3ss", "proxy": "http://user:pr0xy@proxy.example.com"}
    read = read_connection(connection(extra))

    assert read.secrets == ("s3cret", "t0ken", "acc3ss", "pr0xy")
    assert not [secret for secret in read.secrets if secret in repr(read)]


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("http://bkapi.example.com", True),
        ("http://10.0.0.1:8900", True),
        ("https://bkapi.example.com", False),
        ("http://localhost:8900", False),
        ("http://127.0.0.1:8900", False),
        ("http://[::1]:8900", False),
    ],
)
def test_secrets_in_plain_text_are_noticed_except_on_this_machine(host: str, plain: bool) -> None:
    assert read_connection(connection(host=host)).transport.is_plain_text is plain


class TestRequest:
    def test_business_and_scope_of_the_connection_stand_in(self) -> None:
        read = read_connection(connection({"bk_biz_id": 2, "scope": "project"}))

        assert read.request("get_task_list", {}).url == (
            "https://bkapi.example.com/prod/get_task_list/2/?scope=project"
        )
        assert read.request("get_task_list", {"bk_biz_id": 7, "scope": "cmdb_biz"}).url == (
            "https://bkapi.example.com/prod/get_task_list/7/"
        )

    def test_a_missing_business_is_said_before_anything_is_sent(self) -> None:
        with pytest.raises(SopsInvalidParameterError, match="get_task_list: bk_biz_id is missing"):
            read_connection(connection()).request("get_task_list", {})

    def test_calls_about_no_business_get_none(self) -> None:
        read = read_connection(connection({"bk_biz_id": 2, "scope": "project"}))

        assert read.request("get_user_project_list", {}).url == (
            "https://bkapi.example.com/prod/get_user_project_list/"
        )
        assert read.request("register_project", {"bk_biz_id": 9}).body == b'{"bk_biz_id": 9}'

    def test_an_unknown_call_is_refused(self) -> None:
        with pytest.raises(SopsInvalidParameterError, match="no call named 'make_coffee'"):
            read_connection(connection()).request("make_coffee", {})

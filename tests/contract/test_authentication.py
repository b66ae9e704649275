"""Who may call: an app with its secret and a user, through either gateway."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops import endpoints
from airflow_provider_sops.sops.endpoints import ENDPOINTS, Endpoint
from airflow_provider_sops.sops.errors import SopsAuthError, SopsGatewayError, SopsNotFoundError
from tests.contract.server import NO_SUCH_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.http import Method

pytestmark = [pytest.mark.contract, pytest.mark.integration]


def hook_with(hook: SopsHook, **credentials: Any) -> SopsHook:
    """A hook on the same gateway with other credentials."""
    other = SopsHook(hook.sops_conn_id)
    connection = hook.connection
    other.connection = dataclasses.replace(
        connection, credentials=dataclasses.replace(connection.credentials, **credentials)
    )
    return other


def test_app_secret_and_user_are_accepted(gateway_hook: SopsHook) -> None:
    assert gateway_hook.test_connection()[0] is True


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param({"bk_app_secret": "not-the-secret"}, id="wrong secret"),
        pytest.param({"bk_app_code": "no-such-app"}, id="unknown app"),
        pytest.param({"bk_username": None, "bk_token": None, "access_token": None}, id="no user"),
    ],
)
def test_unknown_app_wrong_secret_and_missing_user_are_refused(
    gateway_hook: SopsHook, credentials: Mapping[str, Any]
) -> None:
    with hook_with(gateway_hook, **credentials) as stranger, pytest.raises(SopsAuthError) as refusal:
        stranger.get_template_list()
    if gateway_hook.connection.gateway.kind == "apigw":
        assert (refusal.value.http_status, refusal.value.code) == (400, 1640001)
    else:
        assert refusal.value.http_status == 200
    assert not refusal.value.temporary
    assert not refusal.value.outcome_unknown
    assert "not-the-secret" not in str(refusal.value)


def test_test_connection_says_that_the_app_is_refused(gateway_hook: SopsHook) -> None:
    with hook_with(gateway_hook, bk_app_secret="not-the-secret") as stranger:
        works, sentence = stranger.test_connection()
    assert not works
    assert "app" in sentence


def test_test_connection_says_that_the_business_is_unknown(gateway_hook: SopsHook) -> None:
    with SopsHook(gateway_hook.sops_conn_id, bk_biz_id=NO_SUCH_ID) as elsewhere:
        works, sentence = elsewhere.test_connection()
    assert not works
    assert str(NO_SUCH_ID) in sentence


@pytest.mark.since("2020")
def test_an_unknown_business_is_not_found(gateway_hook: SopsHook) -> None:
    with SopsHook(gateway_hook.sops_conn_id, bk_biz_id=NO_SUCH_ID) as elsewhere, pytest.raises(SopsNotFoundError) as no:
        elsewhere.get_template_list()
    assert no.value.code == 3540400


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_that_does_not_exist_is_told_from_a_failure(
    gateway_hook: SopsHook, monkeypatch: pytest.MonkeyPatch, method: Method
) -> None:
    row = Endpoint("no_such_call", method, "no_such_call/{bk_biz_id}/", repeatable=False, doc="")
    monkeypatch.setattr(endpoints, "ENDPOINTS", {**ENDPOINTS, row.name: row})
    with pytest.raises(SopsGatewayError) as refusal:
        gateway_hook.call("no_such_call")
    assert refusal.value.api_missing
    assert not refusal.value.outcome_unknown


@pytest.mark.since("2020")
def test_the_projects_of_the_user_hold_the_connections_business(hook: SopsHook) -> None:
    connection = hook.connection
    key = "bk_biz_id" if connection.scope == "cmdb_biz" else "project_id"
    assert connection.bk_biz_id in [str(project[key]) for project in hook.get_user_project_list()]

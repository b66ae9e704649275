from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsAuthError
from tests.aged_sops import run_local_sops

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_httpserver import HTTPServer

    from demo.local_sops import LocalSops
    from tests.cli.conftest import AirflowSops

pytestmark = pytest.mark.integration


def findings(airflow_sops: AirflowSops, *options: str) -> tuple[int, dict[str, dict[str, str]]]:
    done = airflow_sops("doctor", "--output", "json", *options)
    return done.code, {each["check"]: each for each in json.loads(done.out)}


def test_a_good_connection_passes_every_check(airflow_sops: AirflowSops, sops_default: LocalSops) -> None:
    code, found = findings(airflow_sops)

    assert code == 0
    assert {each["mark"] for each in found.values()} == {"ok"}
    assert list(found) == [
        "connection",
        "gateway",
        "tenant",
        "app and user",
        "business",
        "templates",
        "tasks",
        "server",
    ]
    assert found["server"]["found"] == "SOPS 3.32 or newer"


def test_text_is_one_line_a_check(airflow_sops: AirflowSops, sops_default: LocalSops) -> None:
    done = airflow_sops("doctor")

    assert done.code == 0
    assert done.out.splitlines()[1] == f"ok    gateway      {sops_default.url} leads to SOPS"
    assert sops_default.app_secret not in done.out + done.err


@pytest.mark.parametrize(
    ("changed", "check", "words", "advice"),
    [
        ({"host": "http://127.0.0.1:9"}, "gateway", "refused", "host and port"),
        ({"host": ""}, "connection", "host is empty", "Correct this field"),
        ({"password": "another secret"}, "app and user", "rejected the app or the user", "bk_token"),
        ({"extra": {"bk_username": "admin", "bk_biz_id": 99}}, "business", "no business 99", "scope"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(
    airflow_sops: AirflowSops,
    sops_default: LocalSops,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    check: str,
    words: str,
    advice: str,
) -> None:
    connection = {**json.loads(sops_default.connection_json()), **changed}
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", json.dumps(connection))

    code, found = findings(airflow_sops)

    assert code == 1
    assert [name for name, each in found.items() if each["mark"] == "wrong"] == [check]
    assert words in found[check]["found"]
    assert advice in found[check]["advice"]


@pytest.mark.parametrize(
    ("status", "answer", "words", "advice"),
    [
        (
            200,
            {"result": False, "code": 3599999, "message": "iam authentication exception, action:project_view"},
            "action:project_view",
            "permission centre",
        ),
        (
            403,
            {"result": False, "code": 1640301, "message": "App has no permission to the resource"},
            "App has no permission to the resource",
            "Apply for the permission",
        ),
    ],
    ids=["by SOPS", "by the gateway"],
)
def test_a_missing_permission_is_no_fault_of_the_gateway_and_its_advice_is_given_once(
    airflow_sops: AirflowSops,
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    answer: dict[str, Any],
    words: str,
    advice: str,
) -> None:
    httpserver.expect_request(re.compile("/prod/.*")).respond_with_json(answer, status=status)
    connection = {
        "conn_type": "sops",
        "host": httpserver.url_for(""),
        "login": "airflow",
        "password": "s3cret-of-the-app",
        "extra": {"bk_username": "admin", "bk_biz_id": 2},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", json.dumps(connection))

    code, found = findings(airflow_sops)

    assert code == 1
    assert {name: each["mark"] for name, each in found.items() if name != "connection"} == {
        "gateway": "ok",
        "permissions": "wrong",
    }
    assert words in found["permissions"]["found"]
    assert advice in found["permissions"]["advice"]
    assert advice not in found["permissions"]["found"]


def test_a_connection_without_a_business_is_noted(
    airflow_sops: AirflowSops, sops_default: LocalSops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", sops_default.connection_json(bk_biz_id=None))

    code, found = findings(airflow_sops)

    assert code == 0
    assert found["business"]["mark"] == "note"


def test_templates_that_may_not_be_run_are_named(
    airflow_sops: AirflowSops, sops_default: LocalSops, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_once = SopsHook.call_once

    def without_permission(hook: SopsHook, api: str, **parameters: Any) -> Any:
        answer = call_once(hook, api, **parameters)
        for item in answer.data if api == "get_template_list" else ():
            if item["name"] != "quick":
                item["auth_actions"] = ["flow_view"]
        return answer

    monkeypatch.setattr(SopsHook, "call_once", without_permission)
    code, found = findings(airflow_sops)

    assert code == 0
    assert found["templates"]["mark"] == "note"
    assert re.match(r"the user may not create tasks from \d+ of (\d+) templates: ", found["templates"]["found"])
    assert "flow_create_task" in found["templates"]["advice"]


def test_a_call_that_the_app_may_not_make_is_named(
    airflow_sops: AirflowSops, sops_default: LocalSops, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_once = SopsHook.call_once

    def refuse(hook: SopsHook, api: str, **parameters: Any) -> Any:
        if api == "get_task_list":
            raise SopsAuthError("the app has no permission for this call", api=api)
        return call_once(hook, api, **parameters)

    monkeypatch.setattr(SopsHook, "call_once", refuse)
    code, found = findings(airflow_sops)

    assert code == 1
    assert found["tasks"]["found"] == "cannot be read: get_task_list: the app has no permission for this call"


@pytest.mark.parametrize(
    ("age", "words"), [("2019", "SOPS 2019"), ("2020", "SOPS 2020 to 2021"), ("3.28", "SOPS 3.25 to 3.28")]
)
def test_an_older_server_is_told_by_its_calls(
    airflow_sops: AirflowSops, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, age: str, words: str
) -> None:
    with run_local_sops(tmp_path / "sops", "--server", age) as sops:
        monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", sops.connection_json())

        code, found = findings(airflow_sops)

    assert code == 0
    assert found["server"]["found"] == words
    assert found["server"]["advice"].startswith("It lacks ")

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, node_states, running_server

if TYPE_CHECKING:
    from pathlib import Path

LINEAR, QUICK, OPTIONAL = 1, 18, 9
LATER = "2036-11-20 19:40:30 +0800"


def plan(sops: SopsClient, template_id: int = QUICK, **body: Any) -> dict[str, Any]:
    given = {"task_name": "once", "plan_start_time": LATER, **body}
    answer = sops.post(f"create_clocked_task/{template_id}/{BUSINESS}", given)
    assert answer["result"], answer
    data: dict[str, Any] = answer["data"]
    return data


def listed(sops: SopsClient, **query: Any) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = sops.get(f"get_clocked_task_list/{BUSINESS}", **query)["data"]
    return data


def started(sops: SopsClient, key: int) -> dict[str, Any]:
    while (found := listed(sops, id=key)[0])["state"] == "not_started":
        time.sleep(0.02)
    return found


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_new_one_is_described_with_times_that_have_no_space_before_the_zone(sops: SopsClient) -> None:
    made = plan(sops, task_parameters={"constants": {}, "exclude_task_nodes_id": []})
    assert made["plan_start_time"] == "2036-11-20 19:40:30+0800"
    assert made["create_time"] == made["edit_time"]
    assert {key: value for key, value in made.items() if not key.endswith("_time")} == {
        "id": made["id"],
        "task_parameters": {"constants": {}, "exclude_task_nodes_id": []},
        "creator": "tester",
        "editor": "",
        "state": "not_started",
        "project_id": 1,
        "task_id": None,
        "task_name": "once",
        "template_id": QUICK,
        "template_name": "quick",
        "template_source": "project",
    }


def test_the_list_has_that_space_and_says_how_many_match(sops: SopsClient) -> None:
    older, newer = plan(sops), plan(sops)
    answer = sops.get(f"get_clocked_task_list/{BUSINESS}", limit=2)
    assert [one["id"] for one in answer["data"]] == [newer["id"], older["id"]]
    assert answer["count"] >= 2
    first = answer["data"][0]
    assert first["plan_start_time"] == LATER
    assert set(first) - set(newer) == {"clocked_task_id", "auth_actions"}
    assert listed(sops, id=newer["id"], expected_timezone="UTC")[0]["plan_start_time"] == "2036-11-20 11:40:30 +0000"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"task_name": "ONLY TH"}, True),
        ({"creator": "test", "task_name": "only this"}, True),
        ({"task_name": "only this", "state": "started"}, False),
        ({"task_name": "only this", "editor": "x"}, False),
        ({"task_name": "only that"}, False),
    ],
)
def test_the_list_can_be_searched(sops: SopsClient, query: dict[str, str], found: bool) -> None:
    plan(sops, task_name="only this")
    assert bool(listed(sops, **query)) is found


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"id": "x"}, "参数id必须为数字"),
        ({"state": "x"}, "参数state必须为以下值之一: not_started, started, start_failed"),
    ],
)
def test_a_search_for_what_cannot_be_is_refused(sops: SopsClient, query: dict[str, str], words: str) -> None:
    refused = sops.get(f"get_clocked_task_list/{BUSINESS}", **query)
    assert (refused["code"], refused["message"]) == (3540000, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"plan_start_time": "2020-01-01 00:00:00"},
            "Plan start time should be later than the time to create the plan",
        ),
        ({"plan_start_time": "tomorrow"}, "{'plan_start_time': [ErrorDetail(string='日期时间格式错误。"),
        ({"plan_start_time": "2036-02-31 00:00:00"}, "日期时间格式错误"),
        ({"task_name": " "}, "{'task_name': [ErrorDetail(string='该字段不能为空。', code='blank')]}"),
        ({"task_name": "x" * 129}, "code='max_length'"),
        (
            {"task_parameters": {"exclude_task_nodes_id": ["a"], "template_schemes_id": ["b"]}},
            "can not use multiple method to appoint execute nodes",
        ),
    ],
)
def test_what_cannot_be_planned_is_refused(sops: SopsClient, body: dict[str, Any], words: str) -> None:
    given = {"task_name": "once", "plan_start_time": LATER, **body}
    refused = sops.post(f"create_clocked_task/{QUICK}/{BUSINESS}", given)
    assert (refused["result"], refused["code"]) == (False, 3546100)
    assert refused["message"].startswith("params is invalid, error: ")
    assert words in refused["message"]


@pytest.mark.parametrize("missing", ["task_name", "plan_start_time"])
def test_name_and_time_are_required(sops: SopsClient, missing: str) -> None:
    given = {"task_name": "once", "plan_start_time": LATER}
    del given[missing]
    refused = sops.post(f"create_clocked_task/{QUICK}/{BUSINESS}", given)
    text = f"{{'{missing}': [ErrorDetail(string='该字段是必填项。', code='required')]}}"
    assert refused["message"] == f"params is invalid, error: {text}"


def test_its_task_is_started_in_time_with_its_parameters(sops: SopsClient) -> None:
    parameters = {"constants": {"${who}": "Ada", "${seconds}": 0}, "description": "by the clock"}
    key = plan(sops, LINEAR, plan_start_time=in_seconds(0.5), task_parameters=parameters)["id"]
    assert listed(sops, id=key)[0]["state"] == "not_started"
    found = started(sops, key)
    assert found["state"] == "started"
    assert sops.wait(found["task_id"])["state"] == "FINISHED"
    detail = sops.detail(found["task_id"])
    assert detail["name"].startswith("once_20")
    assert (detail["create_method"], detail["executor"]) == ("clocked", "tester")
    assert {one["key"]: one["value"] for one in detail["outputs"]}["${who}"] == "Ada"


@pytest.mark.parametrize("selection", ["exclude_task_nodes_id", "appoint_task_nodes_id", "template_schemes_id"])
def test_its_nodes_may_be_chosen(sops: SopsClient, selection: str) -> None:
    template = sops.get(f"get_template_info/{OPTIONAL}/{BUSINESS}")["data"]["pipeline_tree"]["activities"]
    ids = {one["name"]: key for key, one in template.items()}
    chosen: dict[str, list[str]] = {
        "exclude_task_nodes_id": [ids["may wait"]],
        "appoint_task_nodes_id": [key for name, key in ids.items() if name != "may wait"],
        "template_schemes_id": ["9-only_check"],
    }
    parameters = {selection: chosen[selection]}
    key = plan(sops, OPTIONAL, plan_start_time=in_seconds(0.2), task_parameters=parameters)["id"]
    status = sops.wait(started(sops, key)["task_id"])
    assert set(node_states(status)) == set(ids) - {"may wait"}


def test_one_that_cannot_be_made_has_failed_to_start(sops: SopsClient) -> None:
    parameters = {"exclude_task_nodes_id": ["nowhere"]}
    key = plan(sops, plan_start_time=in_seconds(0.2), task_parameters=parameters)["id"]
    found = started(sops, key)
    assert (found["state"], found["task_id"]) == ("start_failed", None)


def test_one_whose_time_came_while_the_server_was_down_is_started_once(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        key = plan(server.client)["id"]
        server.kill()
    with sqlite3.connect(data_folder / "local_sops.sqlite3") as database:
        database.execute("UPDATE local_sops_clockedtask SET plan_start_time = '2026-01-01 00:00:00'")
    task_ids = set()
    for _ in range(2):
        with running_server(data_folder) as server:
            task_ids.add(started(server.client, key)["task_id"])
            count = server.client.get(f"get_task_list/{BUSINESS}", create_method="clocked")["count"]
            server.kill()
    assert (len(task_ids), count) == (1, 1)

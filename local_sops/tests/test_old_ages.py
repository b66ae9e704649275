"""Servers that answer as a SOPS of 2019 or 2020."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sops_client import BUSINESS, CREDENTIALS, SopsClient, is_in, node_ids, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

LINEAR, FAIL, QUICK, FAIL_IN_SUBPROCESS = 1, 12, 18, 22
UTC_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
SERVER_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0800")


@pytest.fixture(scope="module")
def sops_2019(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SopsClient]:
    with running_server(tmp_path_factory.mktemp("2019"), "--server", "2019") as server:
        yield server.client


@pytest.fixture(scope="module")
def sops_2020(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SopsClient]:
    with running_server(tmp_path_factory.mktemp("2020"), "--server", "2020") as server:
        yield server.client


def test_answers_of_2019_carry_neither_code_nor_trace(sops_2019: SopsClient) -> None:
    assert set(sops_2019.get(f"get_template_list/{BUSINESS}")) == {"result", "data"}
    refused = sops_2019.post(f"create_task/{QUICK}/{BUSINESS}", {"name": ""})
    assert refused["result"] is False
    assert refused["message"]
    assert "code" not in refused


def test_the_batch_call_is_unknown_to_both_gateways(sops_2019: SopsClient) -> None:
    refused = sops_2019.raw("POST", f"get_tasks_status/{BUSINESS}", json={"task_id_list": []})
    assert (refused.status_code, refused.json()["code"]) == (404, 1640401)
    url = f"{sops_2019.base_url}/api/c/compapi/v2/sops/get_tasks_status/"
    esb = requests.post(url, json={**CREDENTIALS, "bk_biz_id": BUSINESS}, timeout=10).json()
    assert (esb["result"], esb["code"]) == (False, 1306404)


def test_a_created_task_has_no_name(sops_2019: SopsClient) -> None:
    assert sops_2019.status(sops_2019.create(QUICK)["task_id"]) == {
        "start_time": None,
        "state": "CREATED",
        "retry": 0,
        "skip": 0,
        "finish_time": None,
        "elapsed_time": 0,
        "children": {},
    }


def test_a_status_of_2019_names_classes_and_writes_no_time_as_an_empty_text(sops_2019: SopsClient) -> None:
    task_id = sops_2019.run(FAIL)["task_id"]
    status = sops_2019.wait(task_id, is_in("FAILED"))
    keys = {"id", "state", "name", "retry", "loop", "skip", "version", "start_time", "finish_time", "children"}
    assert set(status) == keys
    assert status["name"] == "<class 'pipeline.core.pipeline.Pipeline'>"
    assert (status["finish_time"], status["version"], status["skip"]) == ("", "", False)
    assert SERVER_TIME.fullmatch(status["start_time"])
    children = list(status["children"].values())
    assert {name for child in children for name in child} == keys
    assert {child["name"] for child in children} == {
        "<class 'pipeline.core.flow.event.EmptyStartEvent'>",
        "<class 'pipeline.core.flow.activity.ServiceActivity'>",
    }
    assert "ex_data" not in sops_2019.status(task_id, with_ex_data="true")


def test_a_status_of_2020_names_activities_and_tells_errors(sops_2020: SopsClient) -> None:
    created = sops_2020.run(FAIL)
    sops_2020.wait(created["task_id"], is_in("FAILED"))
    answer = sops_2020.get(f"get_task_status/{created['task_id']}/{BUSINESS}", with_ex_data="true")
    assert answer["code"] == 0
    status = answer["data"]
    node_id = node_ids(created["pipeline_tree"])["fails"]
    assert set(status["ex_data"]) == {node_id}
    node = status["children"][node_id]
    assert (node["name"], node["error_ignorable"], node["elapsed_time"]) == ("fails", False, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", node["state_refresh_at"])
    assert "error_ignored" not in node
    assert "root_id:" not in node


def test_a_node_that_waits_to_begin_has_no_times(sops_2020: SopsClient) -> None:
    created = sops_2020.run(FAIL)
    task_id, node_id = created["task_id"], node_ids(created["pipeline_tree"])["fails"]
    sops_2020.wait(task_id, is_in("FAILED"))
    sops_2020.operate_task(task_id, "revoke")
    sops_2020.operate_node_when_asleep(task_id, node_id, "retry")
    node = sops_2020.status(task_id)["children"][node_id]
    assert (node["state"], node["start_time"], node["finish_time"]) == ("READY", "", "")


def test_nested_nodes_have_the_old_shape_too(sops_2019: SopsClient) -> None:
    created = sops_2019.run(FAIL_IN_SUBPROCESS)
    status = sops_2019.wait(created["task_id"], is_in("FAILED"))
    subprocess = status["children"][node_ids(created["pipeline_tree"])["call what fails"]]
    assert subprocess["name"] == "<class 'pipeline.core.flow.activity.SubProcess'>"
    assert all(child["name"].startswith("<class ") for child in subprocess["children"].values())


def test_details_of_2019_have_other_names_and_times_in_utc_that_do_not_say_so(sops_2019: SopsClient) -> None:
    task_id = sops_2019.run(LINEAR, name="old", constants={"${seconds}": 0})["task_id"]
    status = sops_2019.wait(task_id, is_in("FINISHED"))
    detail = sops_2019.detail(task_id)
    assert set(detail) == {
        "business_id",
        "business_name",
        "constants",
        "create_method",
        "create_time",
        "creator",
        "elapsed_time",
        "end_time",
        "ex_data",
        "executor",
        "id",
        "instance_name",
        "outputs",
        "pipeline_tree",
        "start_time",
        "task_url",
        "template_id",
    }
    assert (detail["instance_name"], detail["template_id"], detail["business_id"]) == ("old", "1", 2)
    for name in ("create_time", "start_time", "end_time"):
        assert UTC_WITHOUT_ZONE.fullmatch(detail[name])
    assert int(status["start_time"][11:13]) == (int(detail["start_time"][11:13]) + 8) % 24


def test_trees_of_2019_have_single_flows_as_text_and_the_old_switches(sops_2019: SopsClient) -> None:
    info = sops_2019.get(f"get_template_info/{LINEAR}/{BUSINESS}")["data"]
    for tree in (sops_2019.create(LINEAR)["pipeline_tree"], info["pipeline_tree"]):
        for node in (tree["end_event"], *tree["activities"].values()):
            assert isinstance(node["incoming"], str)
        activity: dict[str, Any] = next(iter(tree["activities"].values()))
        assert {"can_retry", "isSkipped"} <= set(activity)
        assert not {"retryable", "skippable", "template_node_id", "auto_retry", "labels"} & set(activity)
        assert set(activity["component"]) == {"code", "data"}


def test_lists_of_2019_call_the_projects_templates_business(sops_2019: SopsClient) -> None:
    sops_2019.create(QUICK)
    item = sops_2019.get(f"get_task_list/{BUSINESS}", limit=1)["data"][0]
    assert item["template_source"] == "business"
    assert "is_child_taskflow" not in item

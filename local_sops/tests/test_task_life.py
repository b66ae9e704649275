from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sops_client import BUSINESS, SopsClient, is_in, node_ids, node_is, node_states, running_server
from tree_fixtures import constant, display, tree_of

if TYPE_CHECKING:
    from pathlib import Path

LINEAR, EXCLUSIVE, NO_MATCH, CONDITIONAL, NESTED = 1, 3, 4, 5, 8
FAIL, IGNORED, AUTO_RETRY, FAIL_IN_PARALLEL, QUICK, LOOP, PASSWORD = 12, 13, 14, 15, 18, 19, 20
FAIL_IN_SUBPROCESS, TIMEOUT, TIMEOUT_SKIP, UNKNOWN_PLUGIN, HTTP = 22, 23, 24, 25, 26
SERVER_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0800")
PAST_DATE = "[定时]节点执行失败: 定时时间需晚于当前时间, 请检查节点配置"


def outputs(sops: SopsClient, task_id: int) -> dict[str, object]:
    return {one["key"]: one["value"] for one in sops.detail(task_id)["outputs"]}


def test_a_task_is_created_until_it_is_started(sops: SopsClient) -> None:
    task_id = sops.create(QUICK, name="waiting")["task_id"]
    assert sops.status(task_id) == {
        "start_time": None,
        "state": "CREATED",
        "retry": 0,
        "skip": 0,
        "finish_time": None,
        "elapsed_time": 0,
        "children": {},
        "name": "waiting",
    }
    refused = sops.get(f"get_task_status/{task_id}/{BUSINESS}", with_failed_node_info=1)
    assert refused["message"] == f"task[id={task_id}] extract failed node info error: 'id'"


def test_a_started_task_runs_its_nodes_and_gives_outputs_when_it_is_finished(sops: SopsClient) -> None:
    task_id = sops.run(LINEAR, constants={"${who}": "amy", "${seconds}": 1})["task_id"]
    running = sops.wait(task_id, node_is("wait", "RUNNING"))
    assert running["state"] == "RUNNING"
    assert running["finish_time"] is None
    assert sops.detail(task_id)["outputs"] == []
    finished = sops.wait(task_id, is_in("FINISHED"))
    assert node_states(finished) == {"say hello": "FINISHED", "wait": "FINISHED", "say goodbye": "FINISHED"}
    assert SERVER_TIME.fullmatch(finished["finish_time"])
    assert outputs(sops, task_id) == {"${greeting}": "hello amy", "${said}": True, "${who}": "amy"}


def test_a_start_is_accepted_again_until_a_worker_takes_it_and_the_task_runs_once(data_folder: Path) -> None:
    with socket.socket() as silent, running_server(data_folder, "--worker-threads", "1") as server:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        sops = server.client
        sops.run(HTTP, constants={"${url}": f"http://127.0.0.1:{silent.getsockname()[1]}/"})
        connection, _ = silent.accept()  # from now on the only worker waits
        task_id = sops.create(LINEAR, constants={"${seconds}": 0})["task_id"]
        assert [sops.start(task_id)["result"] for _ in range(3)] == [True, True, True]
        assert sops.status(task_id)["state"] == "CREATED"
        assert sops.operate_task(task_id, "revoke")["message"] == "task not started"
        connection.close()
        status = sops.wait(task_id, is_in("FINISHED"))
        assert {(node["loop"], node["retry"]) for node in status["children"].values()} == {(1, 0)}
        (listed,) = sops.get(f"get_task_list/{BUSINESS}", is_finished="true")["data"]
        assert (listed["id"], listed["is_started"], listed["executor"]) == (task_id, True, "tester")
        again = sops.start(task_id)
        assert (again["result"], again["code"], again["message"]) == (False, 3545000, "task already started")


def test_a_task_for_a_functionary_is_not_started_until_it_is_claimed(sops: SopsClient) -> None:
    task_id = sops.create(QUICK, flow_type="common_func")["task_id"]
    assert sops.start(task_id)["result"]
    other = sops.run(QUICK)["task_id"]
    sops.wait(other)
    assert sops.status(task_id)["state"] == "CREATED"
    (item,) = sops.post(f"get_tasks_status/{BUSINESS}", {"task_id_list": [task_id]})["data"]
    assert item["current_flow"] == "func_claim"


def test_a_choice_without_its_definition_is_accepted_and_never_starts(sops: SopsClient) -> None:
    choice = constant("kind", {"default": "s", "items_text": "[]"}, custom_type="text_value_select", is_meta=True)
    tree = tree_of([display("a", "${kind}")], "start>a a>end", constants=[choice])
    task_id = sops.create(QUICK, pipeline_tree=tree)["task_id"]
    assert sops.start(task_id)["result"]
    sops.wait(sops.run(QUICK)["task_id"])
    assert sops.status(task_id)["state"] == "CREATED"
    assert sops.start(task_id)["result"]


def test_create_and_start_does_both(sops: SopsClient) -> None:
    answer = sops.post(f"create_and_start_task/{LINEAR}/{BUSINESS}", {"name": "both", "constants": {"${seconds}": 0}})
    assert sops.wait(answer["data"]["task_id"])["state"] == "FINISHED"


def test_an_exclusive_gateway_takes_one_branch(sops: SopsClient) -> None:
    for env, branch in (("prod", "deploy to production"), ("qa", "deploy elsewhere")):
        task_id = sops.run(EXCLUSIVE, constants={"${env}": env})["task_id"]
        assert list(node_states(sops.wait(task_id))) == [branch]


def test_a_gateway_without_a_way_out_fails(sops: SopsClient) -> None:
    created = sops.run(NO_MATCH)
    assert sops.wait(created["task_id"])["state"] == "FAILED"
    gateway, converge = created["pipeline_tree"]["gateways"]
    status = sops.status(created["task_id"], with_ex_data="false")
    assert status["ex_data"] == {gateway: "all conditions of branches are not meet"}
    assert converge not in status["children"]
    flow = created["pipeline_tree"]["gateways"][gateway]["outgoing"][0]
    assert sops.operate_node(created["task_id"], gateway, "skip_exg", flow_id=flow)["result"]
    assert sops.wait(created["task_id"], is_in("FINISHED"))


def test_a_conditional_gateway_takes_every_branch_that_is_met(sops: SopsClient) -> None:
    task_id = sops.run(CONDITIONAL, constants={"${n}": 2})["task_id"]
    assert set(node_states(sops.wait(task_id))) == {"at least 1", "at least 2"}


def test_subprocesses_nest_in_the_status_and_pass_values_both_ways(sops: SopsClient) -> None:
    created = sops.run(NESTED, constants={"${topic}": "rain"})
    status = sops.wait(created["task_id"])
    ids = node_ids(created["pipeline_tree"])
    assert "leaf says" in node_states(status["children"][ids["call leaf"]])
    assert outputs(sops, created["task_id"])["${answer}"] == "leaf heard: rain"
    below = sops.status(created["task_id"], subprocess_id=ids["call middle"])
    assert below["id"] == ids["call middle"]
    assert {child["name"] for child in below["children"].values()} == {""}
    nowhere = sops.status(created["task_id"], subprocess_id="nowhere")
    assert nowhere["state"] == "CREATED"


def test_a_flow_may_ask_what_task_it_runs_in(sops: SopsClient) -> None:
    told = constant("told", "${_system.task_name} of ${_system.operator}")
    tree = tree_of([display("a", "${told}")], "start>a a>end", constants=[told], outputs=["${told}"])
    task_id = sops.run(QUICK, name="curious", pipeline_tree=tree)["task_id"]
    sops.wait(task_id, is_in("FINISHED"))
    assert outputs(sops, task_id) == {"${told}": "curious of tester"}


def test_a_loop_counts_its_rounds(sops: SopsClient) -> None:
    created = sops.run(LOOP)
    status = sops.wait(created["task_id"])
    count = node_ids(created["pipeline_tree"])["count"]
    assert status["children"][count]["loop"] == 3
    assert outputs(sops, created["task_id"]) == {"${count}": 3}
    first = sops.get(
        f"get_task_node_detail/{created['task_id']}/{BUSINESS}", node_id=count, component_code="bk_display", loop=1
    )["data"]
    assert (first["loop"], first["inputs"]["_loop"]) == (1, 1)


def test_a_failed_node_fails_the_task_and_says_why(sops: SopsClient) -> None:
    created = sops.run(FAIL)
    task_id = created["task_id"]
    assert sops.wait(task_id)["state"] == "FAILED"
    failed = node_ids(created["pipeline_tree"])["fails"]
    status = sops.status(task_id, with_ex_data=1, with_failed_node_info=1, with_auto_retry_status=1)
    assert status["ex_data"] == {failed: PAST_DATE}
    assert status["failed_node_info"] == {failed: {}}
    assert status["auto_retry_status"] == {"exist_auto_retry_nodes": False, "auto_retry_nodes": []}
    assert status["finish_time"] is None


def test_a_failure_in_a_subprocess_is_told_of_the_node_inside(sops: SopsClient) -> None:
    created = sops.run(FAIL_IN_SUBPROCESS)
    assert node_states(sops.wait(created["task_id"])) == {"call what fails": "FAILED"}
    (inner,) = sops.status(created["task_id"], with_ex_data=1)["ex_data"]
    assert inner not in created["pipeline_tree"]["activities"]
    assert sops.operate_node(created["task_id"], inner, "skip")["result"]
    assert sops.wait(created["task_id"], is_in("FINISHED"))


def test_a_task_is_failed_while_another_branch_runs_and_goes_on(sops: SopsClient) -> None:
    created = sops.run(FAIL_IN_PARALLEL, constants={"${slow_seconds}": 1})
    task_id = created["task_id"]
    sops.wait(task_id, is_in("FAILED"))
    status = sops.wait(task_id, node_is("slow branch", "RUNNING"))
    assert status["state"] == "FAILED"
    assert node_states(status) == {"branch fails": "FAILED", "slow branch": "RUNNING"}
    sops.wait(task_id, node_is("slow branch", "FINISHED"))
    assert sops.status(task_id)["state"] == "FAILED"
    assert sops.operate_node(task_id, node_ids(created["pipeline_tree"])["branch fails"], "skip")["result"]
    sops.wait(task_id, is_in("FINISHED"))


def test_an_ignored_failure_is_finished(sops: SopsClient) -> None:
    created = sops.run(IGNORED)
    status = sops.wait(created["task_id"])
    assert status["state"] == "FINISHED"
    ignored = status["children"][node_ids(created["pipeline_tree"])["fails, ignored"]]
    assert (ignored["state"], ignored["error_ignored"], ignored["error_ignorable"]) == ("FINISHED", True, True)


def test_the_server_retries_by_itself_and_says_so_as_long_as_it_will(sops: SopsClient) -> None:
    created = sops.run(AUTO_RETRY)
    task_id, node_id = created["task_id"], node_ids(created["pipeline_tree"])["fails again"]
    sops.wait(task_id, is_in("FAILED"))
    status = sops.status(task_id, with_failed_node_info=1, with_auto_retry_status=1)
    assert status["auto_retry_status"] == {"exist_auto_retry_nodes": True, "auto_retry_nodes": [node_id]}
    assert status["failed_node_info"] == {
        node_id: {"node_id": node_id, "auto_retry_times": 0, "max_auto_retry_times": 2}
    }
    sops.wait(task_id, lambda now: now["state"] == "FAILED" and now["children"][node_id]["retry"] == 2)
    status = sops.status(task_id, with_failed_node_info=1, with_auto_retry_status=1)
    assert status["auto_retry_status"]["exist_auto_retry_nodes"] is False
    assert status["failed_node_info"][node_id]["auto_retry_times"] == 2


@pytest.mark.parametrize(("template_id", "state"), [(TIMEOUT, "FAILED"), (TIMEOUT_SKIP, "FINISHED")])
def test_a_node_that_takes_too_long_is_failed_or_skipped(sops: SopsClient, template_id: int, state: str) -> None:
    created = sops.run(template_id)
    status = sops.wait(created["task_id"], is_in(state))
    node = status["children"][node_ids(created["pipeline_tree"])["too slow"]]
    assert (node["state"], node["skip"]) == (state, state == "FINISHED")


def test_an_unknown_plugin_runs_for_ever(sops: SopsClient) -> None:
    task_id = sops.run(UNKNOWN_PLUGIN)["task_id"]
    sops.wait(task_id, node_is("no such plugin", "RUNNING"))
    sops.wait(sops.run(QUICK)["task_id"])
    assert node_states(sops.status(task_id)) == {"no such plugin": "RUNNING"}


def test_many_tasks_at_once_all_finish(sops: SopsClient) -> None:
    with ThreadPoolExecutor(8) as threads:
        task_ids = list(threads.map(lambda _: sops.run(NESTED)["task_id"], range(50)))
    for task_id in task_ids:
        assert sops.wait(task_id, timeout_seconds=40)["state"] == "FINISHED"


class TestManyTasks:
    def test_the_newest_comes_first_and_unknown_ids_are_left_out(self, sops: SopsClient) -> None:
        first, second = (sops.create(QUICK, name=name)["task_id"] for name in ("one", "two"))
        sops.start(first)
        sops.wait(first)
        body = {"task_id_list": [first, "999999", str(second)]}
        found = sops.post(f"get_tasks_status/{BUSINESS}", body)["data"]
        assert [(one["id"], one["name"], one["status"]["state"]) for one in found] == [
            (second, "two", "CREATED"),
            (first, "one", "FINISHED"),
        ]
        assert "children" not in found[1]["status"]
        assert (found[0]["start_time"], found[0]["finish_time"]) == ("", "")
        with_children = {"task_id_list": [first], "include_children_status": True}
        (only,) = sops.post(f"get_tasks_status/{BUSINESS}", with_children)["data"]
        assert len(only["status"]["children"]) == 3

    def test_tasks_that_are_not_started_share_one_name_in_their_status(self, sops: SopsClient) -> None:
        ids = [sops.create(QUICK, name=name)["task_id"] for name in ("one", "two")]
        found = sops.post(f"get_tasks_status/{BUSINESS}", {"task_id_list": ids})["data"]
        assert [(one["name"], one["status"]["name"]) for one in found] == [("two", "one"), ("one", "one")]

    def test_no_more_than_fifty(self, sops: SopsClient) -> None:
        answer = sops.post(f"get_tasks_status/{BUSINESS}", {"task_id_list": list(range(51))})
        assert (answer["code"], answer["message"]) == (3540000, "task_id_list is too long, maximum length is 50")

    def test_text_among_the_ids_is_a_server_error(self, sops: SopsClient) -> None:
        response = sops.raw("POST", f"get_tasks_status/{BUSINESS}", json={"task_id_list": ["abc"]})
        assert response.status_code == 500
        assert response.json()["code"] == "50000"


class TestList:
    def test_the_keyword_is_part_of_the_name_in_its_case(self, sops: SopsClient) -> None:
        ids = [sops.create(QUICK, name=f"Needle {number} #a1_%")["task_id"] for number in range(3)]
        path = f"get_task_list/{BUSINESS}"
        found = sops.get(path, keyword="Needle", limit=2)
        assert ([one["id"] for one in found["data"]], found["count"]) == ([ids[2], ids[1]], 3)
        assert [one["id"] for one in sops.get(path, keyword="Needle", offset=2)["data"]] == [ids[0]]
        assert sops.get(path, keyword="needle")["count"] == 0
        assert sops.get(path, keyword="#a1_%")["count"] == 3

    def test_filters_and_times(self, sops: SopsClient) -> None:
        task_id = sops.run(QUICK, name="filtered")["task_id"]
        sops.wait(task_id)
        waiting = sops.create(QUICK, name="filtered")["task_id"]
        path = f"get_task_list/{BUSINESS}"
        (done,) = sops.get(path, keyword="filtered", is_finished="true", template_id=QUICK)["data"]
        assert done["id"] == task_id
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", done["finish_time"])
        assert done["template_id"] == str(QUICK)
        (open_,) = sops.get(path, keyword="filtered", is_started="false")["data"]
        assert (open_["id"], open_["start_time"]) == (waiting, None)
        (zoned,) = sops.get(path, keyword="filtered", is_started="false", expected_timezone="UTC")["data"]
        assert zoned["start_time"] == ""
        assert sops.get(path, keyword="filtered", create_method="app")["count"] == 0

    def test_an_unknown_zone_is_refused(self, sops: SopsClient) -> None:
        assert sops.get(f"get_task_list/{BUSINESS}", expected_timezone="Mars/X") == {
            "result": False,
            "data": "",
            "message": "expected_timezone Mars/X is unknown.",
            "code": 3546100,
        }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "get_task_status/999999/2"),
        ("GET", "get_task_detail/999999/2"),
        ("GET", "get_task_node_detail/999999/2"),
        ("GET", "get_task_node_data/2/999999"),
        ("POST", "start_task/999999/2"),
        ("POST", "operate_task/999999/2"),
        ("POST", "operate_node/2/999999"),
        ("POST", "node_callback/999999/2"),
    ],
)
def test_a_task_that_is_not_there_is_not_found(sops: SopsClient, method: str, path: str) -> None:
    answer = sops.raw(method, path, json={} if method == "POST" else None).json()
    assert answer["code"] == 3540400
    assert "TaskFlowInstance(id=999999) does not exist" in answer["message"]


def test_a_task_of_another_project_has_its_own_refusal_for_the_status(sops: SopsClient) -> None:
    task_id = sops.create(QUICK)["task_id"]
    answer = sops.get(f"get_task_status/{task_id}/2", scope="project")
    assert answer["code"] == 3599999
    assert sops.post(f"start_task/{task_id}/2", {"scope": "project"})["code"] == 3540400

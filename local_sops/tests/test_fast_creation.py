"""fast_create_task and preview_task_tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, is_in, node_ids, node_states
from tree_fixtures import constant, display, tree_of

if TYPE_CHECKING:
    from sops_client import SopsClient

LEAF, OPTIONAL, LINEAR = 6, 9, 1
PATH = f"fast_create_task/{BUSINESS}"


def small_tree(**fields: Any) -> dict[str, Any]:
    return tree_of([display("a", **fields)], "start>a a>end")


def test_a_tree_alone_makes_a_task_that_runs(sops: SopsClient) -> None:
    answer = sops.post(PATH, {"name": "fast", "pipeline_tree": small_tree(), "description": "d"})
    assert set(answer) == {"result", "data", "code", "trace_id"}
    assert set(answer["data"]) == {"task_id", "task_url", "pipeline_tree"}
    task_id, tree = answer["data"]["task_id"], answer["data"]["pipeline_tree"]
    (node,) = tree["activities"].values()
    assert (node["template_node_id"], node["id"] in ("a", "")) == ("a", False)
    assert (tree["constants"], tree["outputs"]) == ({}, [])
    assert sops.detail(task_id)["template_id"] == ""
    (item,) = (one for one in sops.get(f"get_task_list/{BUSINESS}", limit=5)["data"] if one["id"] == task_id)
    assert (item["template_source"], item["template_id"]) == ("onetime", "")
    sops.start(task_id)
    assert node_states(sops.wait(task_id, is_in("FINISHED"))) == {"a": "FINISHED"}


def test_gateways_constants_and_outputs_may_be_left_out(sops: SopsClient) -> None:
    tree = small_tree()
    for part in ("gateways", "constants", "outputs"):
        del tree[part]
    assert sops.post(PATH, {"name": "fast", "pipeline_tree": tree})["result"]


def test_names_are_cleaned_and_cut(sops: SopsClient) -> None:
    body = {"name": "<a>" + "x" * 200, "pipeline_tree": small_tree(name="n<'&>" + "y" * 60)}
    data = sops.post(PATH, body)["data"]
    assert sops.detail(data["task_id"])["name"] == "a" + "x" * 99
    assert list(node_ids(data["pipeline_tree"])) == ["n" + "y" * 49]


def test_the_server_neither_retries_nor_times_out_its_nodes(sops: SopsClient) -> None:
    node = display("a", auto_retry={"enable": True, "interval": 0, "times": 2})
    node["component"] = {
        "code": "sleep_timer",
        "version": "legacy",
        "data": {"bk_timing": {"value": "never"}, "force_check": {"value": True}},
    }
    tree = tree_of([node], "start>a a>end")
    task_id = sops.post(PATH, {"name": "fast", "pipeline_tree": tree})["data"]["task_id"]
    sops.start(task_id)
    sops.wait(task_id, is_in("FAILED"))
    asked = sops.status(task_id, with_auto_retry_status=1, with_failed_node_info=1)
    assert asked["auto_retry_status"] == {"exist_auto_retry_nodes": False, "auto_retry_nodes": []}
    assert list(asked["failed_node_info"].values()) == [{}]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"name": "fast"}, "'pipeline_tree'"),
        ({"name": "fast", "pipeline_tree": {"activities": {}}}, "'start_event'"),
    ],
)
def test_a_tree_that_is_none_is_refused(sops: SopsClient, body: dict[str, Any], reason: str) -> None:
    assert sops.post(PATH, body) == {
        "result": False,
        "message": f"[API] fast_create_task get invalid pipeline_tree: {reason}",
        "data": None,
        "code": 3540000,
    }


def test_a_tree_that_cannot_run_is_refused(sops: SopsClient) -> None:
    gateways = {"g": "ParallelGateway"}
    tree = tree_of([display("a"), display("b")], "start>g g>a g>b a>end b>end", gateways)
    refused = sops.post(PATH, {"name": "fast", "pipeline_tree": tree})
    assert (refused["code"], refused["data"]) == (3540000, None)
    assert refused["message"].startswith("[API] fast_create_task get invalid pipeline_tree: ")
    assert "cur_index: g," in refused["message"]


def test_a_task_needs_a_name(sops: SopsClient) -> None:
    refused = sops.post(PATH, {"pipeline_tree": small_tree()})
    assert (refused["code"], refused["message"]) == (3540000, "invalid params: 'name'")


def test_subprocesses_are_of_the_own_project(sops: SopsClient) -> None:
    node = {key: value for key, value in display("a").items() if key != "component"}
    calls = {"type": "SubProcess", "constants": {}}
    own, foreign = ({**node, **calls, "template_id": str(number)} for number in (LEAF, 29))
    made = sops.post(PATH, {"name": "fast", "pipeline_tree": tree_of([own], "start>a a>end")})
    assert made["result"], made
    refused = sops.post(PATH, {"name": "fast", "pipeline_tree": tree_of([foreign], "start>a a>end")})
    assert "get invalid template_id: 29" in refused["message"]


def test_a_preview_is_the_pruned_template_with_its_own_ids(sops: SopsClient) -> None:
    path = f"preview_task_tree/{BUSINESS}/{OPTIONAL}"
    template = sops.get(f"get_template_info/{OPTIONAL}/{BUSINESS}")["data"]["pipeline_tree"]
    optional = [key for key, node in template["activities"].items() if node["optional"]]
    data = sops.post(path, {"exclude_task_nodes_id": optional[:1]})["data"]
    assert set(data) == {"pipeline_tree", "constants_not_referred"}
    assert set(data["pipeline_tree"]["activities"]) == set(template["activities"]) - {optional[0]}
    assert {"line", "location"} <= set(data["pipeline_tree"])
    before = sops.get(f"get_task_list/{BUSINESS}", limit=1)["count"]
    sops.post(path, {})
    assert sops.get(f"get_task_list/{BUSINESS}", limit=1)["count"] == before


def test_a_preview_names_the_constants_that_a_task_would_lack(sops: SopsClient) -> None:
    template = sops.get(f"get_template_info/{LINEAR}/{BUSINESS}")["data"]["pipeline_tree"]
    data = sops.post(f"preview_task_tree/{BUSINESS}/{LINEAR}", {})["data"]
    kept, dropped = set(data["pipeline_tree"]["constants"]), set(data["constants_not_referred"])
    assert kept | dropped == set(template["constants"])
    assert not kept & dropped


@pytest.mark.parametrize(
    ("excluded", "code", "message"),
    [
        ("a", 3540000, "invalid exclude_task_nodes_id"),
        (["nowhere"], 3599999, "preview_task_tree fail: task node[id=nowhere] is not in template pipeline tree"),
    ],
)
def test_a_preview_refuses_what_cannot_be_left_out(sops: SopsClient, excluded: Any, code: int, message: str) -> None:
    refused = sops.post(f"preview_task_tree/{BUSINESS}/{OPTIONAL}", {"exclude_task_nodes_id": excluded})
    assert (refused["code"], refused["message"]) == (code, message)


def test_a_tree_may_bring_constants(sops: SopsClient) -> None:
    tree = tree_of([display("a", "${x}")], "start>a a>end", constants=[constant("x", 5)], outputs=["${x}"])
    task_id = sops.post(PATH, {"name": "fast", "pipeline_tree": tree})["data"]["task_id"]
    sops.start(task_id)
    sops.wait(task_id, is_in("FINISHED"))
    assert [one["value"] for one in sops.detail(task_id)["outputs"]] == [5]

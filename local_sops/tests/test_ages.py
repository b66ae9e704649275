"""Servers of each age: which calls, parameters and fields they know. ``test_old_ages.py`` has the oldest shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, is_in, node_ids, running_server

from local_sops.ages import Age

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK, NESTED, AUTORETRY, FAIL_IN_SUBPROCESS, INDEPENDENT = 18, 8, 14, 22, 32
FLAGS = {"with_failed_node_info": "1", "with_auto_retry_status": "1"}


@pytest.fixture(scope="module", params=["3.25", "3.28", "3.32", "3.35"])
def aged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Age, SopsClient]]:
    with running_server(tmp_path_factory.mktemp(request.param), "--server", request.param) as server:
        yield Age(request.param), server.client


def test_3_28_lacks_what_came_later(aged: tuple[Age, SopsClient]) -> None:
    age, sops = aged
    lacking = not age.is_at_least("3.32")
    answer = sops.raw("GET", f"get_clocked_task_list/{BUSINESS}").json()
    assert answer["code"] == (1640401 if lacking else 0)


def test_automatic_retries_are_told_in_the_words_of_the_age(aged: tuple[Age, SopsClient]) -> None:
    age, sops = aged
    task_id = sops.run(AUTORETRY)["task_id"]
    sops.wait(task_id, is_in("FAILED"))
    status = sops.status(task_id, **FLAGS)
    assert ("auto_retry_status" in status) is age.is_at_least("3.34")
    assert ("failed_node_info" in status) is age.is_at_least("3.32")
    if age.is_at_least("3.32"):
        (info,) = status["failed_node_info"].values()
        assert info["max_auto_retry_times"] == 2
        assert ("node_id" in info) is age.is_at_least("3.34")


def test_a_created_task_has_no_failures_to_tell_of(aged: tuple[Age, SopsClient]) -> None:
    age, sops = aged
    answer = sops.get(f"get_task_status/{sops.create(QUICK)['task_id']}/{BUSINESS}", with_failed_node_info="1")
    assert answer["result"] is not age.is_at_least("3.32")


def test_a_failed_subprocess_is_among_the_failed_nodes(aged: tuple[Age, SopsClient]) -> None:
    age, sops = aged
    created = sops.run(FAIL_IN_SUBPROCESS)
    sops.wait(created["task_id"], is_in("FAILED"))
    status = sops.status(created["task_id"], with_failed_node_info="1")
    if age.is_at_least("3.32"):
        outer, inner = status["failed_node_info"]
        assert outer == node_ids(created["pipeline_tree"])["call what fails"]
        assert inner in status["children"][outer]["children"]
    else:
        assert "failed_node_info" not in status


def test_nodes_name_their_origin_from_3_28_on(aged: tuple[Age, SopsClient]) -> None:
    age, sops = aged
    outer = sops.create(NESTED)["pipeline_tree"]["activities"].values()
    inner = [node for sub in outer for node in sub.get("pipeline", {}).get("activities", {}).values()]
    assert {"template_node_id" in node for node in (*outer, *inner)} == {age.marks_origins}


def test_3_25_runs_every_subprocess_within_its_task(aged: tuple[Age, SopsClient]) -> None:
    age, sops = aged
    kinds = {node["type"] for node in sops.create(INDEPENDENT)["pipeline_tree"]["activities"].values()}
    assert ("SubProcess" in kinds) is not age.has_independent_subprocesses


def test_what_an_age_does_not_read_has_no_effect(aged: tuple[Age, SopsClient]) -> None:
    age, sops = aged
    quick, nested = sops.create(QUICK)["task_id"], sops.create(NESTED)["task_id"]
    found = {item["id"] for item in sops.get(f"get_task_list/{BUSINESS}", template_id=str(QUICK))["data"]}
    assert quick in found
    assert (nested in found) is not age.is_at_least("3.32")
    info = sops.get(f"get_template_info/{NESTED}/{BUSINESS}", unfold_subprocess="1")["data"]
    unfolded = [node for node in info["pipeline_tree"]["activities"].values() if "pipeline" in node]
    assert bool(unfolded) is age.is_at_least("3.32")


def test_a_task_to_be_claimed_names_the_page_for_it(aged: tuple[Age, SopsClient]) -> None:
    age, sops = aged
    created = sops.create(QUICK, flow_type="common_func")
    if age.is_at_least("3.32"):
        url = f"{sops.base_url}/function/execute/1/?instance_id={created['task_id']}"
        assert created["function_task_claim_url"] == url
    else:
        assert "function_task_claim_url" not in created


@pytest.mark.parametrize(("project", "query"), [(1, {"scope": "project"}), (BUSINESS, {})], ids=["own", "business"])
def test_records_are_found_by_the_id_that_the_age_compares(
    aged: tuple[Age, SopsClient], project: int, query: dict[str, Any]
) -> None:
    age, sops = aged
    task_id = sops.run(QUICK)["task_id"]
    sops.wait(task_id)
    answer = sops.get(f"get_task_operate_record/{task_id}/{project}", **query)
    if not age.is_at_least("3.32"):
        assert answer["code"] == 1640401
    else:
        found = bool(query) or not age.records_by_project
        assert [one["operate_type"] for one in answer["data"]] == (["create", "start"] if found else [])

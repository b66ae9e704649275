from __future__ import annotations

import pytest

from airflow_provider_sops.sops.endpoints import ENDPOINTS, endpoint
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

READS_BY_POST = {"get_tasks_status", "preview_task_tree"}


def test_every_call_is_found_by_its_name_and_its_path_is_that_name_with_the_closing_slash() -> None:
    offenders = [
        name
        for name, row in ENDPOINTS.items()
        if endpoint(name) is not row or row.name != name or row.path.split("/")[0] != name or row.path[-1] != "/"
    ]

    assert offenders == []


def test_reads_are_got_and_all_but_two_of_those_that_post_change_something() -> None:
    got = {name for name, row in ENDPOINTS.items() if row.method == "GET"}

    assert got | READS_BY_POST == {name for name in ENDPOINTS if name.startswith(("get_", "preview_"))}


def test_after_a_lost_answer_only_reads_and_settings_are_sent_again() -> None:
    settings = {name for name in ENDPOINTS if name.startswith(("set_", "modify_"))}
    got = {name for name, row in ENDPOINTS.items() if row.method == "GET"}

    assert {name for name, row in ENDPOINTS.items() if row.repeatable} == got | READS_BY_POST | settings


def test_the_order_of_ids_differs_from_call_to_call() -> None:
    assert ENDPOINTS["operate_task"].path_parameters == ("task_id", "bk_biz_id")
    assert ENDPOINTS["operate_node"].path_parameters == ("bk_biz_id", "task_id")
    assert ENDPOINTS["get_user_project_list"].path_parameters == ()


def test_a_call_about_one_business_is_scoped() -> None:
    assert ENDPOINTS["get_task_status"].scoped
    assert not ENDPOINTS["get_common_template_info"].scoped


def test_nearly_every_call_has_a_twin_for_apps_below_system() -> None:
    alone = {name for name, row in ENDPOINTS.items() if row.app_path is None}

    assert ENDPOINTS["operate_node"].app_path == "system/operate_node/{bk_biz_id}/{task_id}/"
    assert alone == {
        "create_and_start_task",
        "claim_functionalization_task",
        "modify_template_notify",
        "modify_template_executor_proxy",
        "modify_project_executor_proxy",
        "get_clocked_task_list",
    }


def test_an_unknown_name_is_answered_with_similar_ones() -> None:
    with pytest.raises(SopsInvalidParameterError, match=r"'get_task_statis'.*get_task_status"):
        endpoint("get_task_statis")


def test_a_name_like_no_other_is_answered_with_all_of_them() -> None:
    with pytest.raises(SopsInvalidParameterError, match=r"claim_functionalization_task.*start_task"):
        endpoint("????")


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ENDPOINTS["mine"] = ENDPOINTS["start_task"]  # type: ignore[index]

from __future__ import annotations

import pytest

from airflow_provider_sops.sops.endpoints import ENDPOINTS, Endpoint, endpoint
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

READS_BY_POST = {"get_tasks_status", "preview_task_tree"}

SETTERS = {
    "modify_constants_for_periodic_task",
    "modify_cron_for_periodic_task",
    "modify_project_executor_proxy",
    "modify_template_executor_proxy",
    "modify_template_notify",
    "set_periodic_task_enabled",
}

ACTIONS = {
    "claim_functionalization_task",
    "create_and_start_task",
    "create_clocked_task",
    "create_periodic_task",
    "create_task",
    "dispatch_plugin_query",
    "fast_create_task",
    "import_project_template",
    "node_callback",
    "operate_node",
    "operate_task",
    "register_project",
    "start_task",
}


@pytest.mark.parametrize("row", ENDPOINTS.values(), ids=lambda row: row.name)
def test_every_row_is_found_by_its_name_and_has_the_shape_that_sops_needs(row: Endpoint) -> None:
    assert endpoint(row.name) is row
    assert row.path.startswith(f"{row.name}/")
    assert row.path.endswith("/")
    assert row.doc.endswith(".")


def test_reads_are_got_and_everything_else_is_posted() -> None:
    gets = {row.name for row in ENDPOINTS.values() if row.method == "GET"}

    assert all(name.startswith("get_") for name in gets)
    assert {row.name for row in ENDPOINTS.values() if row.method == "POST"} == READS_BY_POST | SETTERS | ACTIONS


def test_only_what_creates_or_moves_something_on_is_not_repeatable() -> None:
    assert {row.name for row in ENDPOINTS.values() if not row.repeatable} == ACTIONS


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("create_task", ("template_id", "bk_biz_id")),
        ("operate_task", ("task_id", "bk_biz_id")),
        ("operate_node", ("bk_biz_id", "task_id")),
        ("get_task_node_data", ("bk_biz_id", "task_id")),
        ("get_task_node_detail", ("task_id", "bk_biz_id")),
        ("get_template_schemes", ("bk_biz_id", "template_id")),
        ("preview_task_tree", ("bk_biz_id", "template_id")),
        ("get_task_operate_record", ("task_id", "project_id")),
        ("get_tasks_status", ("bk_biz_id",)),
        ("get_user_project_list", ()),
    ],
)
def test_ids_stand_in_the_order_that_each_path_has(name: str, ids: tuple[str, ...]) -> None:
    assert ENDPOINTS[name].path_parameters == ids


@pytest.mark.parametrize(
    ("name", "scoped"),
    [
        ("get_task_status", True),
        ("get_task_list", True),
        ("get_common_template_info", False),
        ("get_task_operate_record", False),
        ("register_project", False),
    ],
)
def test_calls_about_one_business_are_scoped(name: str, scoped: bool) -> None:
    assert ENDPOINTS[name].scoped is scoped


def test_an_unknown_name_is_answered_with_similar_ones() -> None:
    with pytest.raises(SopsInvalidParameterError, match=r"'get_task_statis'.*get_task_status"):
        endpoint("get_task_statis")


def test_a_name_like_no_other_is_answered_with_all_of_them() -> None:
    with pytest.raises(SopsInvalidParameterError, match=r"claim_functionalization_task.*start_task"):
        endpoint("????")


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ENDPOINTS["mine"] = ENDPOINTS["start_task"]  # type: ignore[index]

from __future__ import annotations

import pytest

from airflow_provider_sops.enos.endpoints import ENDPOINTS, endpoint
from airflow_provider_sops.enos.errors import EnosInvalidParameterError

NOT_REPEATABLE = {
    "cancel_flow_instance",
    "trigger_flow",
    "trigger_flow_from_task",
    "update_and_trigger_flow",
    "save_flow",
    "import_flow",
    "delete_flow",
    "create_directory",
}


def test_the_table_has_the_22_calls_of_the_service() -> None:
    assert len(ENDPOINTS) == len({(row.resource, row.action) for row in ENDPOINTS.values()}) == 22


def test_only_what_makes_or_ends_something_is_not_repeatable() -> None:
    assert {row.name for row in ENDPOINTS.values() if not row.repeatable} == NOT_REPEATABLE


def test_only_the_clock_is_read_for_nobody() -> None:
    assert {row.name for row in ENDPOINTS.values() if not row.for_user} == {"get_current_time", "get_time_zone"}


def test_v20_lacks_two_calls() -> None:
    assert {row.name for row in ENDPOINTS.values() if row.since_v21} == {"get_task_instance", "trigger_flow_from_task"}


@pytest.mark.parametrize(
    ("name", "method", "resource", "action"),
    [
        ("get_task_instance", "GET", "taskInstances", "get"),
        ("search_flow_instances", "POST", "flowInstances", "search"),
        ("update_and_trigger_flow", "POST", "flows", "updateAndTrigger"),
        ("delete_flow", "GET", "flows", "delete"),
        ("list_workflow_directories", "GET", "directories", "listWorkFlowDirs"),
        ("get_time_zone", "GET", "time", "getTimeZone"),
    ],
)
def test_a_call_is_a_resource_and_an_action(name: str, method: str, resource: str, action: str) -> None:
    row = endpoint(name)
    assert (row.method, row.resource, row.action) == (method, resource, action)
    assert row.doc.endswith(".")


@pytest.mark.parametrize(
    ("name", "words"), [("get_flow_instanc", "get_flow_instance"), ("????", "cancel_flow_instance")]
)
def test_an_unknown_name_is_answered_with_others(name: str, words: str) -> None:
    with pytest.raises(EnosInvalidParameterError, match=words):
        endpoint(name)

"""What the calls of EnOS send and return, without a server."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pendulum
import pytest

from airflow_provider_sops.enos import calls
from airflow_provider_sops.enos.errors import EnosGatewayError, EnosInvalidParameterError, EnosNotFoundError
from airflow_provider_sops.enos.paging import Page
from airflow_provider_sops.service.answer import Answer

if TYPE_CHECKING:
    from airflow_provider_sops.service.calls import Call

MOMENT = pendulum.datetime(2021, 2, 2, 11, 35)
MILLISECONDS = 1612265700000


@pytest.mark.parametrize(
    ("call", "api", "parameters"),
    [
        (calls.get_task_instance("1-2"), "get_task_instance", {"taskInstId": "1-2"}),
        (
            calls.get_task_instance_log(" 1-2 ", max_length=5),
            "get_task_instance_log",
            {"taskInstId": "1-2", "maxLength": 5},
        ),
        (calls.get_flow_instance("8-2"), "get_flow_instance", {"flowInstId": "8-2"}),
        (calls.cancel_flow_instance("8-2"), "cancel_flow_instance", {"flowInstId": "8-2"}),
        (
            calls.search_flow_instances(
                0, from_trigger_time=MOMENT, to_trigger_time=7, status_numbers=(1, 2), page=Page(3)
            ),
            "search_flow_instances",
            {
                "type": 0,
                "expression": "",
                "owner": "",
                "fromTriggerTime": MILLISECONDS,
                "toTriggerTime": 7,
                "status": "1,2",
                "pagination": Page(3),
            },
        ),
        (calls.trigger_flow("8", MOMENT), "trigger_flow", {"flowId": 8, "triggerTime": MILLISECONDS}),
        (
            calls.trigger_flow_from_task(8, "9", 7),
            "trigger_flow_from_task",
            {"flowId": 8, "taskId": 9, "triggerTime": 7},
        ),
        (
            calls.update_and_trigger_flow(8, 7, {"site": "浙江"}),
            "update_and_trigger_flow",
            {"flowId": 8, "triggerTime": 7, "parameters": [{"key": "site", "value": "浙江"}]},
        ),
    ],
)
def test_a_call_names_its_parameters_as_enos_does(call: Call[Any], api: str, parameters: dict[str, Any]) -> None:
    assert (call.api, call.parameters) == (api, parameters)


@pytest.mark.parametrize(
    "describe",
    [
        lambda: calls.trigger_flow("x", MOMENT),
        lambda: calls.trigger_flow(0, MOMENT),
        lambda: calls.trigger_flow(8, datetime.datetime(2021, 2, 2)),  # noqa: DTZ001
        lambda: calls.trigger_flow_from_task(8, True, MOMENT),
        lambda: calls.update_and_trigger_flow(8, MOMENT, ["a"]),  # type: ignore[arg-type]
        lambda: calls.get_flow_instance(" "),
        lambda: calls.cancel_flow_instance(""),
    ],
)
def test_what_cannot_work_is_refused(describe: Any) -> None:
    with pytest.raises(EnosInvalidParameterError):
        describe()


@pytest.mark.parametrize("data", [None, "", [], {}])
def test_an_answer_without_an_instance_means_that_there_is_none(data: Any) -> None:
    with pytest.raises(EnosNotFoundError, match=r"get_flow_instance \(flowInstId 8-2\)"):
        calls.get_flow_instance("8-2").read(Answer(data, {}))
    with pytest.raises(EnosNotFoundError, match=r"get_task_instance \(taskInstId 1-2\)"):
        calls.get_task_instance("1-2").read(Answer(data, {}))


def test_a_trigger_brings_the_instances_id() -> None:
    assert calls.trigger_flow(8, 7).read(Answer({"flowInstanceId": "8-2"}, {})) == "8-2"
    with pytest.raises(EnosGatewayError, match="returned no instance id") as caught:
        calls.trigger_flow(8, 7).read(Answer({}, {}))
    assert caught.value.outcome_unknown is True


def test_a_log_is_a_text() -> None:
    call = calls.get_task_instance_log("1-2")

    assert call.read(Answer({"log": "first\nsecond"}, {})) == "first\nsecond"
    assert call.read(Answer(None, {})) == ""

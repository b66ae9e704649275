"""What a node asks as one of Airflow's Required Actions, and what an answer there means for SOPS."""

from __future__ import annotations

import logging
from typing import Any
from unittest import mock

import pytest

from airflow_provider_sops.sops.person_request import PersonRequest
from airflow_provider_sops.task_instance.required_action import Answer, close_request, open_request
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from tests.plain_task_instance import PlainTaskInstance

log = logging.getLogger(__name__)
needs_airflow_3_3 = pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="an answer ends a deferral from Airflow 3.3 on")
URL = "http://sops.example.com/taskflow/execute/1/?instance_id=25"
ASKED = PersonRequest("Publish 1.4.2?", "all *tests* pass", "ann,tom")


def answer(option: str, **user: str) -> dict[str, Any]:
    return {"chosen_options": [option], "params_input": {}, "responded_by_user": user or None}


@pytest.mark.parametrize(
    ("option", "data"),
    [("Approve", {"approve_result": True}), ("Reject", {"approve_result": False}), ("Continue", {})],
)
def test_an_answer_becomes_what_the_node_waits_for(option: str, data: dict[str, Any]) -> None:
    found = Answer.from_event(answer(option, id="7", name="ann"))

    assert found is not None
    assert found.callback_data == data
    assert found.who == '"ann"'
    assert Answer.from_event(found.to_event()) == found


def test_whoever_has_no_name_is_named_by_the_id() -> None:
    assert Answer.from_event(answer("Approve", id="7")) == Answer("Approve", "7")
    assert Answer("Approve", "").who == "somebody"


@pytest.mark.parametrize("event", [{"begin": True}, {"outcome": "finished", "trigger": {}}, {}, None])
def test_an_event_of_a_trigger_is_no_answer(event: Any) -> None:
    assert Answer.from_event(event) is None


@needs_airflow_3_3
class TestRequest:
    @pytest.mark.parametrize(
        ("plugin", "options"), [("bk_approve", ["Approve", "Reject"]), ("pause_node", ["Continue"])]
    )
    def test_it_has_sopss_words_as_plain_text_and_the_answers_of_its_plugin(
        self, plugin: str, options: list[str]
    ) -> None:
        ti = PlainTaskInstance()
        with mock.patch("airflow.sdk.execution_time.hitl.upsert_hitl_detail", autospec=True) as upsert:
            assert open_request(ti, "approve", plugin, ASKED, URL, log)

        asked = upsert.call_args.kwargs
        assert (asked["ti_id"], asked["options"], asked["subject"]) == (ti.id, options, "Publish 1.4.2?")
        assert asked["body"].split("\n\n") == [
            "who: ann,tom",
            r"title: Publish 1\.4\.2?",
            r"text: all \*tests\* pass",
            URL,
        ]

    def test_a_node_without_a_title_is_called_by_its_name(self) -> None:
        with mock.patch("airflow.sdk.execution_time.hitl.upsert_hitl_detail", autospec=True) as upsert:
            open_request(PlainTaskInstance(), "look", "pause_node", PersonRequest(), "", log)

        assert upsert.call_args.kwargs["subject"] == "look"

    def test_the_wait_goes_on_without_one_where_airflow_refuses_it(self, caplog: pytest.LogCaptureFixture) -> None:
        with mock.patch("airflow.sdk.execution_time.hitl.upsert_hitl_detail", side_effect=ConnectionError("no API")):
            assert not open_request(PlainTaskInstance(), "approve", "bk_approve", ASKED, URL, log)

        assert "no API" in caplog.text

    @pytest.mark.parametrize("failure", [None, ConnectionError("somebody has just answered")])
    async def test_the_trigger_closes_it_and_does_not_fail_over_that(self, failure: Exception | None) -> None:
        ti = PlainTaskInstance()
        with mock.patch(
            "airflow.sdk.execution_time.hitl.update_hitl_detail_response", autospec=True, side_effect=failure
        ) as update:
            await close_request(ti, log)

        assert update.call_args.kwargs["ti_id"] == ti.id

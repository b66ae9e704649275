"""What a node asks as one of Airflow's Required Actions, and what an answer there means for SOPS."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.person_request import PersonRequest
from airflow_provider_sops.task_instance import required_action
from airflow_provider_sops.task_instance.required_action import (
    Answer,
    Asked,
    RequestState,
    answered_or,
    close_request,
    give_answer,
    open_request,
)
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS
from tests.airflow_requests import airflow_requests
from tests.plain_task_instance import PlainTaskInstance
from tests.sops.builders import node, task_status

if TYPE_CHECKING:
    from tests.airflow_requests import AirflowRequests

log = logging.getLogger(__name__)
needs_airflow_3_1 = pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow has Required Actions from 3.1 on")
ASKED = PersonRequest("Publish 1.4.2?", "all *tests* pass", "ann,tom")

requests = pytest.fixture(airflow_requests)


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


@needs_airflow_3_1
class TestRequest:
    @pytest.mark.parametrize(
        ("plugin", "options"), [("bk_approve", ["Approve", "Reject"]), ("pause_node", ["Continue"])]
    )
    def test_it_has_sopss_words_as_plain_text_and_the_answers_of_its_plugin(
        self, requests: AirflowRequests, plugin: str, options: list[str]
    ) -> None:
        ti = PlainTaskInstance()

        assert open_request(ti, "approve", plugin, ASKED, log) == RequestState.OPEN

        (asked,) = requests.asked
        assert (asked.ti_id, asked.options, asked.subject) == (ti.id, options, "Publish 1.4.2?")
        assert asked.body.split("\n\n") == [r"all \*tests\* pass", "Verifiers: ann,tom"]

    @pytest.mark.parametrize(
        ("asks", "body"),
        [
            (PersonRequest(), ""),
            (PersonRequest(title="Publish?"), ""),
            (PersonRequest(text="- one\n    two\n    ===\n\n    three"), "\\- one  \ntwo  \n\\=\\=\\=  \n  \nthree"),
            (PersonRequest(title="x" * 201, verifiers="ann"), f"{'x' * 201}\n\nVerifiers: ann"),
        ],
        ids=["nothing", "title alone", "lines", "title longer than a subject"],
    )
    def test_below_its_subject_it_repeats_nothing(
        self, requests: AirflowRequests, asks: PersonRequest, body: str
    ) -> None:
        open_request(PlainTaskInstance(), "approve", "bk_approve", asks, log)

        assert requests.asked[0].body == body

    def test_a_node_without_a_title_is_called_by_its_name(self, requests: AirflowRequests) -> None:
        open_request(PlainTaskInstance(), "look", "pause_node", PersonRequest(), log)

        assert requests.asked[0].subject == "look"

    def test_what_was_asked_before_is_not_taken_for_what_is_asked_now(
        self, requests: AirflowRequests, caplog: pytest.LogCaptureFixture
    ) -> None:
        requests.first = SimpleNamespace(options=["Approve", "Reject"], subject="Publish 1.4.1?", body="")

        assert open_request(PlainTaskInstance(), "approve", "bk_approve", ASKED, log) == RequestState.STALE

        assert '"Publish 1.4.1?"' in caplog.text

    def test_the_wait_goes_on_without_one_where_airflow_refuses_it(
        self, requests: AirflowRequests, caplog: pytest.LogCaptureFixture
    ) -> None:
        requests.refusal = ConnectionError("no API")

        assert open_request(PlainTaskInstance(), "approve", "bk_approve", ASKED, log) == RequestState.CLOSED

        assert "no API" in caplog.text

    @pytest.mark.parametrize("failure", [None, ConnectionError("somebody has just answered")])
    async def test_the_trigger_closes_it_and_does_not_fail_over_that(
        self, requests: AirflowRequests, failure: Exception | None
    ) -> None:
        requests.refusal = failure

        await close_request(PlainTaskInstance(), log)

        assert len(requests.closed) == (0 if failure else 1)


@needs_airflow_3_1
class TestAnsweredOr:
    async def test_an_answer_before_the_deferral_is_found(self, requests: AirflowRequests) -> None:
        requests.answer = "Approve"

        assert await answered_or(asyncio.sleep(60), PlainTaskInstance(), log) == Answer("Approve", "ann")

    @pytest.mark.parametrize("refusal", [None, ConnectionError("no API")])
    async def test_without_an_answer_the_wait_decides(
        self, requests: AirflowRequests, refusal: Exception | None
    ) -> None:
        requests.refusal = refusal

        assert await answered_or(asyncio.sleep(0.1, "ended"), PlainTaskInstance(), log) == "ended"

    async def test_the_triggers_own_answer_is_none(self, requests: AirflowRequests) -> None:
        await close_request(PlainTaskInstance(), log)
        (requests.answer,) = requests.closed

        assert await answered_or(asyncio.sleep(0.1, "ended"), PlainTaskInstance(), log) == "ended"

    async def test_where_an_answer_ends_no_deferral_it_is_looked_for_again(
        self, requests: AirflowRequests, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(required_action, "AIRFLOW_V_3_3_PLUS", False)
        monkeypatch.setattr(required_action, "_LOOK_SECONDS", 0.01)

        async def answer_later() -> None:
            await asyncio.sleep(0.05)
            requests.answer = "Reject"
            await asyncio.sleep(60)

        assert await answered_or(answer_later(), PlainTaskInstance(), log) == Answer("Reject", "ann")

    async def test_what_the_wait_raises_is_raised(self, requests: AirflowRequests) -> None:
        async def fail() -> None:
            raise LookupError("broken")

        with pytest.raises(LookupError, match="broken"):
            await answered_or(fail(), PlainTaskInstance(), log)


class TestGiveAnswer:
    @pytest.fixture
    def hook(self) -> mock.Mock:
        made: mock.Mock = mock.create_autospec(SopsHook, instance=True)
        made.configure_mock(user="robot")
        made.bear.side_effect = lambda _call, act: act()
        made.get_task_status.return_value = TaskStatus.read(task_status("RUNNING", {"n2": node("RUNNING", "approve")}))
        return made

    def test_an_answer_that_the_node_does_not_ask_is_not_sent(
        self, hook: mock.Mock, caplog: pytest.LogCaptureFixture
    ) -> None:
        give_answer(hook, 25, ("n2",), "bk_approve", Answer("Continue", "ann"), log)

        assert not hook.node_callback.called
        assert "which the node does not ask" in caplog.text


@pytest.mark.parametrize("state", RequestState)
def test_what_was_asked_goes_through_json(state: RequestState) -> None:
    asked = Asked(("sub", "n2"), "bk_approve", state)

    assert Asked.from_json(json.loads(json.dumps(asked.to_json()))) == asked


def test_a_state_of_another_version_is_not_answered() -> None:
    asked = Asked.from_json({"path": ["n2"], "plugin": "bk_approve", "state": "invented later"})

    assert asked is not None
    assert asked.is_stale
    assert Asked.from_json(None) is None

"""``SopsRunTaskOperator(approvals="airflow")``: what nodes ask in Airflow, and what becomes of an answer there."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops import SopsRunTaskOperator, run_settings
from airflow_provider_sops.sops.models import NodeDetail, TaskStatus
from airflow_provider_sops.sops.person_request import WaitingNode
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.task_instance.required_action import Asked, RequestState
from airflow_provider_sops.triggers import sops
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from airflow_provider_sops.triggers.sops_interruption import OVER, SopsOutageTrigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS
from airflow_provider_sops.waiting.model import Look
from tests.airflow_requests import AirflowRequests, airflow_requests
from tests.plain_task_instance import PlainTaskInstance
from tests.sops.builders import node, task_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


needs_airflow_3_1 = pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow has Required Actions from 3.1 on")
requests = pytest.fixture(airflow_requests)

HUMAN = {"n2": "bk_approve", "n3": "pause_node"}
WAITING = task_status("RUNNING", {"n2": node("RUNNING", "approve", version="v9")})
BOTH_WAIT = task_status("RUNNING", {"n2": node("RUNNING", "approve"), "n3": node("RUNNING", "look")})
APPROVED = task_status("RUNNING", {"n2": node("FINISHED", "approve"), "n4": node("RUNNING", "deploy")})
FINISHED = task_status("FINISHED", {"n2": node("FINISHED", "approve")})
ANSWER = {"chosen_options": ["Approve"], "params_input": {}, "responded_by_user": {"id": "7", "name": "ann"}}
ASKED = WaitResult(Outcome.ASKED, "RUNNING", told="a node", waiting=(WaitingNode(("n2",), "bk_approve", "approve"),))


class TestArgument:
    def test_the_default_asks_in_sops_alone(self) -> None:
        operator = SopsRunTaskOperator(task_id="run", template_id=1)

        assert operator.approvals == "sops"

    @needs_airflow_3_1
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ({"deferrable": False}, "set deferrable=True"),
            ({"deferrable": True, "wait_for_completion": False}, "wait_for_completion=False"),
            ({"deferrable": True, "approvals": "mail"}, "must be one of sops, airflow"),
        ],
    )
    def test_what_cannot_work_is_refused(self, arguments: dict[str, Any], reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            SopsRunTaskOperator(task_id="run", template_id=1, **{"approvals": "airflow", **arguments})

    def test_an_airflow_without_required_actions_refuses_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_settings, "AIRFLOW_V_3_1_PLUS", False)

        with pytest.raises(ValueError, match=r"only from 3\.1 on"):
            SopsRunTaskOperator(task_id="run", template_id=1, approvals="airflow", deferrable=True)


class TestWait:
    @staticmethod
    def see(status: dict[str, Any], **policy: Any) -> WaitResult | None:
        wait = TaskWait(WaitPolicy(**policy), 0.0, TreeIndex.of_plugins(HUMAN))
        return wait.see(TaskStatus.read(status), Look(0.0), 1.0).result

    def test_it_stops_where_a_node_begins_to_wait(self) -> None:
        result = self.see(WAITING, announce_requests=True)

        assert result is not None
        assert (result.outcome, result.waiting) == (Outcome.ASKED, (WaitingNode(("n2",), "bk_approve", "approve"),))
        assert WaitResult.from_event(json.loads(json.dumps(result.to_event()))) == result

    def test_it_does_not_stop_for_the_same_again(self) -> None:
        result = self.see(WAITING, announce_requests=True)

        assert result is not None
        assert self.see(WAITING, announce_requests=True, told=result.told) is None

    def test_by_default_it_goes_on(self) -> None:
        assert self.see(WAITING) is None

    def test_policies_of_others_are_written_as_before(self) -> None:
        assert "announce_requests" not in WaitPolicy().to_json()
        assert WaitPolicy.from_json(WaitPolicy(announce_requests=True).to_json()).announce_requests


@needs_airflow_3_1
class TestOnTheWorker:
    @pytest.fixture
    def hook(self) -> mock.Mock:
        made: mock.Mock = mock.create_autospec(SopsHook, instance=True)
        made.configure_mock(sops_conn_id="sops_default", bk_biz_id=None, scope=None, user="robot")
        made.bear.side_effect = lambda _call, act: act()
        made.get_task_status.return_value = TaskStatus.read(WAITING)
        inputs = {"bk_verifier": "tom", "bk_approve_title": "Publish?"}
        made.get_task_node_detail.return_value = NodeDetail.read({"id": "n2", "state": "RUNNING", "inputs": inputs})
        return made

    @staticmethod
    def resume(hook: mock.Mock, event: dict[str, Any], trigger: dict[str, Any] | None = None) -> TaskDeferred:
        operator: Any = SopsRunTaskOperator(task_id="run", template_id=1, approvals="airflow", deferrable=True)
        operator.hook = hook
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute_complete(PlainTaskInstance().context, event, trigger=trigger)
        return deferred.value

    @staticmethod
    def trigger(asked: Asked | None = None) -> dict[str, Any]:
        policy = WaitPolicy(deadline=4e9, announce_requests=True)
        return SopsTaskTrigger(
            sops_conn_id="sops_default", sops_task_id=25, policy=policy, human_nodes=HUMAN, asked=asked
        ).serialize()[1]

    def asked_by(self, deferral: TaskDeferred) -> Asked | None:
        assert isinstance(deferral.trigger, SopsTaskTrigger)
        assert deferral.trigger.policy.deadline == 4e9
        return deferral.trigger.asked

    def test_a_node_is_asked_about_and_the_wait_goes_on(self, hook: mock.Mock, requests: AirflowRequests) -> None:
        deferral = self.resume(hook, {**ASKED.to_event(), "trigger": self.trigger()})

        assert (requests.asked[0].subject, requests.asked[0].body) == ("Publish?", "Verifiers: tom")
        assert self.asked_by(deferral) == Asked(("n2",), "bk_approve")
        assert deferral.kwargs == {"trigger": deferral.trigger.serialize()[1]}

    def test_a_second_one_waits_in_sops_alone_while_the_first_is_open(
        self, hook: mock.Mock, requests: AirflowRequests, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = Asked(("n3",), "pause_node")

        deferral = self.resume(hook, {**ASKED.to_event(), "trigger": self.trigger(first)})

        assert not requests.asked
        assert self.asked_by(deferral) == first

    def test_an_answer_goes_to_sops_and_the_wait_goes_on(
        self, hook: mock.Mock, requests: AirflowRequests, capsys: pytest.CaptureFixture[str]
    ) -> None:
        deferral = self.resume(hook, ANSWER, self.trigger(Asked(("n2",), "bk_approve")))

        hook.node_callback.assert_called_once_with(25, "n2", {"approve_result": True}, version="v9")
        asked = self.asked_by(deferral)
        assert asked is not None
        assert asked.state == RequestState.CLOSED
        assert '"ann" has answered "Approve" in Airflow; SOPS is told so in the name of "robot".' in (
            capsys.readouterr().out
        )

    def test_an_answer_outlives_an_outage_in_which_it_cannot_be_sent(
        self, hook: mock.Mock, requests: AirflowRequests
    ) -> None:
        hook.be_patient.return_value = SimpleNamespace(since={"node_callback": 1.0})
        hook.bear.side_effect = lambda _call, _act: hook.be_patient.call_args.kwargs["leave"]()
        answer = {**ANSWER, "responded_at": datetime.now(UTC)}

        left = self.resume(hook, answer, self.trigger(Asked(("n2",), "bk_approve")))
        assert isinstance(left.trigger, SopsOutageTrigger)
        arguments = json.loads(json.dumps(left.trigger.serialize()[1]))

        hook.bear.side_effect = lambda _call, act: act()
        deferral = self.resume(hook, {"outcome": OVER, "trigger": arguments})
        hook.node_callback.assert_called_once_with(25, "n2", {"approve_result": True}, version="v9")
        assert isinstance(deferral.trigger, SopsTaskTrigger)

    def test_an_answer_to_what_was_asked_before_is_not_sent(self, hook: mock.Mock, requests: AirflowRequests) -> None:
        self.resume(hook, ANSWER, self.trigger(Asked(("n2",), "bk_approve", RequestState.STALE)))

        assert not hook.node_callback.called


class TestInTheTriggerer:
    """A trigger whose SOPS tells one status after another; the last one for ever."""

    @pytest.fixture
    def run(self, requests: AirflowRequests, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        async def run(statuses: Sequence[dict[str, Any]], asked: Asked) -> dict[str, Any]:
            left = list(statuses)

            class Looks:
                def __init__(self, _part: Any, wait: TaskWait, _log: Any) -> None:
                    self.tell = mock.Mock()

                async def __call__(self, look: Look) -> TaskStatus:
                    await asyncio.sleep(0.01)
                    if not left:
                        await asyncio.sleep(60)
                    return TaskStatus.read(left.pop(0))

            monkeypatch.setattr(sops, "SharedLooks", Looks)
            monkeypatch.setattr(SopsTaskTrigger, "_shared_wait", lambda _self: mock.MagicMock())
            trigger: Any = SopsTaskTrigger(
                sops_conn_id="sops_default",
                sops_task_id=25,
                policy=WaitPolicy(announce_requests=True),
                human_nodes=HUMAN,
                asked=asked,
            )
            trigger.task_instance = PlainTaskInstance()
            events: AsyncIterator[Any] = aiter(trigger.run())
            async with asyncio.timeout(20):
                return dict((await anext(events)).payload)

        return run

    @pytest.fixture(autouse=True)
    def no_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("airflow_provider_sops.triggers.waiting_trigger.WORKER_EXIT_SECONDS", 0.0)

    pytestmark = needs_airflow_3_1

    async def test_answered_in_sops_it_closes_the_request_before_the_flow_ends(
        self, run: Callable[..., Any], requests: AirflowRequests
    ) -> None:
        event = await run([APPROVED, BOTH_WAIT], Asked(("n2",), "bk_approve"))

        assert requests.closed == ["Closed: see SOPS"]
        assert event["outcome"] == "asked"
        assert event["trigger"]["asked"]["state"] == "closed"

    async def test_the_end_of_the_flow_closes_it(self, run: Callable[..., Any], requests: AirflowRequests) -> None:
        event = await run([FINISHED], Asked(("n2",), "bk_approve"))

        assert event["outcome"] == "finished"
        assert requests.closed == ["Closed: see SOPS"]

    async def test_it_stays_open_while_the_node_waits(self, run: Callable[..., Any], requests: AirflowRequests) -> None:
        event = await run([WAITING, BOTH_WAIT], Asked(("n2",), "bk_approve"))

        assert requests.closed == []
        assert event["trigger"]["asked"]["state"] == "open"

    async def test_what_shows_an_earlier_try_is_closed_at_once(
        self, run: Callable[..., Any], requests: AirflowRequests
    ) -> None:
        await run([WAITING, BOTH_WAIT], Asked(("n2",), "bk_approve", RequestState.STALE))

        assert requests.closed == ["Closed: see SOPS"]

    async def test_an_answer_that_airflow_took_before_the_deferral_is_an_event(
        self, run: Callable[..., Any], requests: AirflowRequests
    ) -> None:
        requests.answer = "Approve"

        event = await run([], Asked(("n2",), "bk_approve"))

        assert event["chosen_options"] == ["Approve"]
        assert event["trigger"]["sops_task_id"] == 25

"""The EnOS triggers: they wait in an event loop, and stop an instance only if somebody ended the Airflow task."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from airflow_provider_sops.enos.errors import EnosInvalidParameterError
from airflow_provider_sops.enos.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.triggers import waiting_trigger
from airflow_provider_sops.triggers.enos import EnosFlowInstanceTrigger, EnosTaskInstanceTrigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from tests.enos_server import EnosServer, Fault, Play, TaskPlay
from tests.enos_server.plays import CANCEL, FAIL, RUNNING, SUCCESS

if TYPE_CHECKING:
    from airflow.triggers.base import TriggerEvent

pytest_plugins = ("tests.enos_server.fixtures",)

POLICY = WaitPolicy(poll_interval_seconds=0.02, deadline=4_000_000_000.0, settle_seconds=0.1)
FLOW_INSTANCE_ID, TASK_INSTANCE_ID = "8-19700101000000", "800-19700101000000"


def make_trigger(**arguments: Any) -> EnosFlowInstanceTrigger:
    defaults = {"enos_conn_id": "enos_default", "instance_id": FLOW_INSTANCE_ID, "policy": POLICY}
    return EnosFlowInstanceTrigger(**{**defaults, **arguments})


async def fire(trigger: EnosFlowInstanceTrigger | EnosTaskInstanceTrigger) -> TriggerEvent:
    return await anext(aiter(trigger.run()))


@pytest.fixture
def server(enos_default: EnosServer) -> EnosServer:
    """EnOS with an instance of flow 8 that runs for ever."""
    flow = enos_default.add_flow(8, Play((RUNNING,), {"load": TaskPlay((RUNNING,))}))
    enos_default.service.add_instance(flow, 0)
    return enos_default


def let_play(server: EnosServer, *statuses: int) -> None:
    server.instances[0].play = Play(statuses, {"load": TaskPlay(statuses)})


class TestSerialization:
    def test_makes_the_same_trigger_again(self) -> None:
        trigger = make_trigger(user_id="u2", org_id="o2", cancel_on_kill=True)
        path, arguments = trigger.serialize()
        again = EnosFlowInstanceTrigger(**json.loads(json.dumps(arguments)))
        assert path == "airflow_provider_sops.triggers.enos.EnosFlowInstanceTrigger"
        assert again.serialize() == trigger.serialize()
        assert again.policy == POLICY

    def test_that_of_a_task_has_its_own_name(self) -> None:
        trigger = EnosTaskInstanceTrigger(enos_conn_id="enos_default", instance_id=TASK_INSTANCE_ID)
        assert trigger.serialize()[0] == "airflow_provider_sops.triggers.enos.EnosTaskInstanceTrigger"

    def test_arguments_of_a_later_version_are_ignored(self) -> None:
        arguments = {**make_trigger().serialize()[1], "invented_later": 1}
        arguments["policy"]["invented_later"] = 1
        assert EnosFlowInstanceTrigger.from_event({"trigger": arguments}).serialize() == make_trigger().serialize()

    @pytest.mark.parametrize("event", [None, "success", {}, {"trigger": {}}])
    def test_foreign_events_are_refused(self, event: Any) -> None:
        with pytest.raises(EnosInvalidParameterError, match="without the id of an EnOS instance"):
            EnosFlowInstanceTrigger.from_event(event)
        with pytest.raises(EnosInvalidParameterError, match="says nothing"):
            WaitResult.from_event(event)


class TestRun:
    @pytest.mark.parametrize(("status", "word"), [(SUCCESS, "SUCCESS"), (FAIL, "FAIL"), (CANCEL, "CANCEL")])
    async def test_fires_the_end(self, server: EnosServer, status: int, word: str) -> None:
        let_play(server, RUNNING, status)
        for trigger in (
            make_trigger(),
            EnosTaskInstanceTrigger(enos_conn_id="enos_default", instance_id=TASK_INSTANCE_ID, policy=POLICY),
        ):
            event = await fire(trigger)
            result = WaitResult.from_event(json.loads(json.dumps(event.payload)))
            assert (result.outcome, result.status) == (Outcome.ENDED, word)
            assert [task.instance_id for task in result.failed] == ([TASK_INSTANCE_ID] if status == FAIL else [])
            assert type(trigger).from_event(event.payload).instance_id == trigger.instance_id

    async def test_bears_unusable_answers(self, server: EnosServer) -> None:
        let_play(server, RUNNING, SUCCESS)
        server.spoil("get", *[Fault.BAD_GATEWAY_BEFORE] * 6, Fault.WEB_PAGE, Fault.RATE_LIMITED)
        event = await fire(make_trigger())
        assert WaitResult.from_event(event.payload).status == "SUCCESS"

    async def test_ends_at_the_deadline_and_stops_nothing(self, server: EnosServer) -> None:
        event = await fire(make_trigger(policy=WaitPolicy(poll_interval_seconds=0.02, deadline=0.0)))
        assert WaitResult.from_event(event.payload).outcome == Outcome.TIMED_OUT
        assert server.instances[0].status == RUNNING

    async def test_gives_up_after_a_long_outage(self, server: EnosServer) -> None:
        server.spoil("get", *[Fault.WEB_PAGE] * 99)
        policy = WaitPolicy(poll_interval_seconds=0.02, max_outage_seconds=0.1)
        event = await fire(make_trigger(policy=policy))
        assert WaitResult.from_event(event.payload).outcome == Outcome.UNREACHABLE

    @pytest.mark.parametrize(("ended", "status"), [(True, CANCEL), (False, RUNNING)])
    async def test_a_kill_stops_only_what_somebody_ended(self, server: EnosServer, ended: bool, status: int) -> None:
        server.spoil("cancel", Fault.RESET_BEFORE)
        with mock.patch.object(waiting_trigger, "is_ended_by_decision_async", autospec=True, return_value=ended):
            await kill(make_trigger(cancel_on_kill=True))
        assert server.instances[0].status == status

    async def test_a_kill_without_ownership_stops_nothing(self, server: EnosServer) -> None:
        with mock.patch.object(waiting_trigger, "is_ended_by_decision_async", autospec=True, return_value=True):
            await kill(make_trigger(cancel_on_kill=False))
        assert server.instances[0].status == RUNNING


async def kill(trigger: EnosFlowInstanceTrigger) -> None:
    """End a waiting trigger as this version of Airflow does."""
    waiting = asyncio.ensure_future(fire(trigger))
    await asyncio.sleep(0.3)
    if AIRFLOW_V_3_3_PLUS:
        await trigger.on_kill()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

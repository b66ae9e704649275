"""SopsTaskTrigger: waits in an event loop, and leaves the task alone unless somebody ended the Airflow task."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from airflow_provider_sops import metrics
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.task_instance import told_lines
from airflow_provider_sops.task_instance.told_lines import tell_again
from airflow_provider_sops.triggers import waiting_trigger
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.triggers.base import TriggerEvent

    from airflow_provider_sops.hooks.sops import SopsHook

POLICY = WaitPolicy(poll_interval_seconds=0.2, deadline=4_000_000_000.0, announced=("a",), overcome=("b", "c"))


def make_trigger(sops_task_id: int, **arguments: Any) -> SopsTaskTrigger:
    return SopsTaskTrigger(
        **{"sops_conn_id": "sops_default", "sops_task_id": sops_task_id, "policy": POLICY, **arguments}
    )


async def fire(trigger: SopsTaskTrigger) -> TriggerEvent:
    return await anext(aiter(trigger.run()))


class TestSerialization:
    def test_makes_the_same_trigger_again(self) -> None:
        trigger = make_trigger(7, bk_biz_id=2, scope="project", task_url="http://sops/7", revoke_on_kill=True)
        path, arguments = trigger.serialize()
        again = SopsTaskTrigger(**json.loads(json.dumps(arguments)))
        assert path == f"{SopsTaskTrigger.__module__}.{SopsTaskTrigger.__qualname__}"
        assert again.serialize() == trigger.serialize()
        assert again.policy == POLICY

    def test_goes_on_from_its_own_event(self) -> None:
        trigger = make_trigger(7, task_url="http://sops/7")
        event = {**WaitResult(Outcome.PERSON_NEEDED).to_event(), "trigger": trigger.serialize()[1]}
        again = SopsTaskTrigger.from_event(json.loads(json.dumps(event)))
        assert again.serialize() == trigger.serialize()

    def test_arguments_of_a_later_version_are_ignored(self) -> None:
        arguments = {**make_trigger(7).serialize()[1], "invented_later": 1}
        arguments["policy"]["invented_later"] = 1
        assert SopsTaskTrigger.from_event({"trigger": arguments}).serialize() == make_trigger(7).serialize()

    @pytest.mark.parametrize("event", [None, "success", {}, {"trigger": {}}, {"trigger": {"sops_task_id": "x"}}])
    def test_foreign_events_are_refused(self, event: Any) -> None:
        with pytest.raises(SopsInvalidParameterError, match="without the id of a SOPS task"):
            SopsTaskTrigger.from_event(event)


@pytest.mark.integration
class TestRun:
    @pytest.fixture
    def started(self, hook: SopsHook, templates: dict[str, int]) -> Callable[[str], int]:
        def start(template: str) -> int:
            sops_task_id = hook.create_task(templates[template], "watched").task_id
            hook.start_task(sops_task_id)
            return sops_task_id

        return start

    async def test_metrics_tell_how_late_an_end_is_noticed(
        self, started: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[str] = []
        monkeypatch.setattr(metrics, "_form", lambda: "tags")
        monkeypatch.setattr(metrics, "_send", lambda metric, _value, **_tags: sent.append(metric.name))

        await fire(make_trigger(started("quick"), policy=replace(POLICY, told="{}")))

        assert sent.count("sops.notice_delay") == 1
        assert "sops.polled_tasks" in sent
        assert "sops.waits" in sent

    @pytest.mark.parametrize(("template", "outcome"), [("quick", Outcome.FINISHED), ("fail", Outcome.FAILED)])
    async def test_fires_the_end(self, started: Callable[[str], int], template: str, outcome: Outcome) -> None:
        trigger = make_trigger(started(template))
        event = await fire(trigger)
        assert WaitResult.from_event(event.payload).outcome == outcome
        assert SopsTaskTrigger.from_event(event.payload).sops_task_id == trigger.sops_task_id

    async def test_the_event_carries_what_was_told_of_the_nodes(
        self, started: Callable[[str], int], logged: Callable[[], str]
    ) -> None:
        sops_task_id = started("quick")
        event = await fire(make_trigger(sops_task_id))
        log = mock.Mock()
        with mock.patch.object(told_lines, "own_host", autospec=True, return_value="another"):
            assert tell_again(json.loads(json.dumps(event.payload)), log)
        lines = [call.args[3] for call in log.log.call_args_list]
        assert any(re.fullmatch(f'SOPS task {sops_task_id}: node ".+" FINISHED.*', line) for line in lines)
        assert all(line in logged() for line in lines)

    async def test_a_failure_names_the_node_and_its_error(self, started: Callable[[str], int]) -> None:
        event = await fire(make_trigger(started("fail")))
        (node,) = WaitResult.from_event(event.payload).failed_nodes
        assert node.label.startswith('"')
        assert node.error

    async def test_ends_at_the_deadline(self, started: Callable[[str], int]) -> None:
        policy = WaitPolicy(poll_interval_seconds=0.2, deadline=0.0)
        event = await fire(make_trigger(started("pause"), policy=policy))
        assert WaitResult.from_event(event.payload).outcome == Outcome.TIMED_OUT

    @pytest.mark.parametrize(("ended", "state"), [(True, TaskState.REVOKED), (False, TaskState.RUNNING)])
    async def test_a_kill_revokes_only_what_somebody_ended(
        self, started: Callable[[str], int], hook: SopsHook, ended: bool, state: TaskState
    ) -> None:
        sops_task_id = started("pause")
        await asyncio.to_thread(wait_for_state, hook, sops_task_id, TaskState.RUNNING)
        trigger = make_trigger(sops_task_id, revoke_on_kill=True)
        with mock.patch.object(waiting_trigger, "is_ended_by_decision_async", autospec=True, return_value=ended):
            await kill(trigger)
        assert hook.get_task_status(sops_task_id, fresh=True).state == state

    async def test_a_kill_without_ownership_revokes_nothing(
        self, started: Callable[[str], int], hook: SopsHook
    ) -> None:
        sops_task_id = started("pause")
        await asyncio.to_thread(wait_for_state, hook, sops_task_id, TaskState.RUNNING)
        with mock.patch.object(waiting_trigger, "is_ended_by_decision_async", autospec=True, return_value=True):
            await kill(make_trigger(sops_task_id, revoke_on_kill=False))
        assert hook.get_task_status(sops_task_id, fresh=True).state == TaskState.RUNNING


async def kill(trigger: SopsTaskTrigger) -> None:
    """End a waiting trigger as this version of Airflow does."""
    waiting = asyncio.ensure_future(fire(trigger))
    await asyncio.sleep(0.3)
    if AIRFLOW_V_3_3_PLUS:
        await trigger.on_kill()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

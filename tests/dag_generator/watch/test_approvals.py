"""The task of a node that waits for a person: when it asks in Airflow, and what becomes of an answer there."""

from __future__ import annotations

import asyncio
import functools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_sops.dag_generator.watch.node_mirror import NodeMirrorOperator
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsInvalidOperationError
from airflow_provider_sops.sops.models import NodeDetail, TaskStatus
from airflow_provider_sops.sops.node_result import NodeInTask, NodeOutcome, NodeResult
from airflow_provider_sops.task_instance.mirrored_node import MirroredNode
from airflow_provider_sops.triggers import sops, waiting_trigger
from airflow_provider_sops.triggers.sops import SopsNodeTrigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS
from airflow_provider_sops.waiting.patience import Patience
from tests.airflow_requests import AirflowRequests, airflow_requests
from tests.plain_task_instance import PlainTaskInstance
from tests.sops.builders import node, task_status

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow has Required Actions from 3.1 on")

WAITING = task_status("RUNNING", {"n2": node("RUNNING", "approve", version="v9")})
PASSED = task_status("RUNNING", {"n2": node("FINISHED", "approve")})
NOT_REACHED = task_status("RUNNING", {"n1": node("RUNNING", "compile")})
APPROVED = {"chosen_options": ["Approve"], "params_input": {}, "responded_by_user": {"id": "7", "name": "ann"}}


@pytest.fixture
def hook() -> mock.Mock:
    made: mock.Mock = mock.create_autospec(SopsHook, instance=True)
    made.configure_mock(sops_conn_id="sops_default", bk_biz_id=None, scope=None, user="robot")
    made.bear.side_effect = lambda _call, act: act()
    inputs = {"bk_verifier": "tom", "bk_approve_title": "Publish?"}
    made.bear.side_effect = Patience("SOPS", 60, lambda _line: None, sleep=lambda _seconds: None).bear
    made.get_task_node_detail.return_value = NodeDetail.read({"id": "n2", "state": "RUNNING", "inputs": inputs})
    return made


requests = pytest.fixture(airflow_requests)


def mirror(hook: mock.Mock) -> Any:
    mirrored = MirroredNode(("t2",), waits_for_person=True, has_data=True, plugin="bk_approve")
    operator: Any = NodeMirrorOperator(
        task_id="approve__t2", task_display_name="approve", start_task_id="start", node=mirrored
    )
    operator.hook = hook
    return operator


def deferred_by(call: Any, *arguments: Any) -> SopsNodeTrigger:
    ti = PlainTaskInstance(pulled={"sops_task_id": 25, "sops_node_paths": {"t2": ["n2"]}})
    with pytest.raises(TaskDeferred) as deferred:
        call(ti.context, *arguments)
    trigger = deferred.value.trigger
    assert isinstance(trigger, SopsNodeTrigger)
    return trigger


def test_it_asks_once_its_node_is_reached(hook: mock.Mock, requests: AirflowRequests) -> None:
    hook.get_task_status.return_value = TaskStatus.read(WAITING)

    trigger = deferred_by(mirror(hook).execute)

    assert requests.asked[0].subject == "Publish?"
    assert trigger.closes_request
    assert not trigger.node.until_arrival


def test_before_that_it_waits_for_the_arrival_and_asks_nothing(hook: mock.Mock, requests: AirflowRequests) -> None:
    hook.get_task_status.return_value = TaskStatus.read(NOT_REACHED)

    trigger = deferred_by(mirror(hook).execute)

    assert trigger.node.until_arrival
    assert not requests.asked


def test_an_answer_goes_to_sops_and_the_wait_goes_on(
    hook: mock.Mock, requests: AirflowRequests, capsys: pytest.CaptureFixture[str]
) -> None:
    hook.get_task_status.return_value = TaskStatus.read(WAITING)

    trigger = deferred_by(mirror(hook).execute_complete, APPROVED)

    hook.node_callback.assert_called_once_with(25, "n2", {"approve_result": True}, version="v9")
    assert not trigger.closes_request
    assert trigger.policy.always_fresh
    assert not requests.asked
    assert '"ann" has answered "Approve" in Airflow; SOPS is told so in the name of "robot".' in capsys.readouterr().out


def test_what_airflow_keeps_of_an_earlier_try_is_closed_at_once_and_an_answer_to_it_is_not_sent(
    hook: mock.Mock, requests: AirflowRequests
) -> None:
    hook.get_task_status.return_value = TaskStatus.read(WAITING)
    requests.first = SimpleNamespace(options=["Approve", "Reject"], subject="Publish the last one?", body="")

    ti = PlainTaskInstance(pulled={"sops_task_id": 25, "sops_node_paths": {"t2": ["n2"]}})
    with pytest.raises(TaskDeferred) as deferred:
        mirror(hook).execute(ti.context)
    trigger = deferred.value.trigger
    assert isinstance(trigger, SopsNodeTrigger)
    assert (trigger.closes_request, trigger.request_is_stale) == (True, True)

    deferred_by(functools.partial(mirror(hook).execute_complete, **(deferred.value.kwargs or {})), APPROVED)
    assert not hook.node_callback.called


def test_an_answer_that_comes_too_late_is_not_sent(hook: mock.Mock, capsys: pytest.CaptureFixture[str]) -> None:
    hook.get_task_status.return_value = TaskStatus.read(PASSED)

    deferred_by(mirror(hook).execute_complete, APPROVED)

    assert not hook.node_callback.called
    assert "too late" in capsys.readouterr().out


def test_a_refused_answer_leaves_the_end_to_the_state_of_the_node(hook: mock.Mock) -> None:
    hook.get_task_status.return_value = TaskStatus.read(WAITING)
    hook.node_callback.side_effect = SopsInvalidOperationError("the node is not waiting")

    assert not deferred_by(mirror(hook).execute_complete, APPROVED).closes_request


def test_an_answer_bears_an_outage_as_every_call_of_a_run_does(hook: mock.Mock) -> None:
    hook.get_task_status.return_value = TaskStatus.read(WAITING)

    deferred_by(mirror(hook).execute_complete, APPROVED)

    assert [call.args[0] for call in hook.bear.call_args_list] == ["node_callback"]


class TestInTheTriggerer:
    @pytest.fixture
    def fire(self, requests: AirflowRequests, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        """Run a trigger whose node ends at once, or never."""
        monkeypatch.setattr(waiting_trigger, "WORKER_EXIT_SECONDS", 0.0)
        monkeypatch.setattr(SopsNodeTrigger, "_shared_wait", lambda _self: mock.MagicMock())

        async def fire(*, ends: bool, **arguments: Any) -> dict[str, Any]:
            async def follow_node(*_: Any) -> NodeResult:
                await asyncio.sleep(0.05 if ends else 60)
                return NodeResult(NodeOutcome.FINISHED)

            monkeypatch.setattr(sops, "follow_node", follow_node)
            node = NodeInTask(("n2",), waits_for_person=True)
            trigger: Any = SopsNodeTrigger(sops_conn_id="sops_default", sops_task_id=25, node=node, **arguments)
            trigger.task_instance = PlainTaskInstance()
            async with asyncio.timeout(20):
                return dict((await anext(aiter(trigger.run()))).payload)

        return fire

    async def test_the_end_of_the_node_closes_the_request(
        self, fire: Callable[..., Any], requests: AirflowRequests
    ) -> None:
        assert (await fire(ends=True, closes_request=True))["outcome"] == "finished"
        assert requests.closed == ["Closed: see SOPS"]

    async def test_an_answer_that_airflow_took_before_the_deferral_is_an_event(
        self, fire: Callable[..., Any], requests: AirflowRequests
    ) -> None:
        requests.answer = "Reject"

        assert (await fire(ends=False, closes_request=True))["chosen_options"] == ["Reject"]
        assert requests.closed == []

    async def test_a_stale_request_is_closed_once_and_no_answer_to_it_is_taken(
        self, fire: Callable[..., Any], requests: AirflowRequests
    ) -> None:
        requests.answer = "Reject"

        event = await fire(ends=True, closes_request=True, request_is_stale=True)
        assert event["outcome"] == "finished"
        assert requests.closed == ["Closed: see SOPS"]

    async def test_without_a_request_airflow_is_told_nothing(
        self, fire: Callable[..., Any], requests: AirflowRequests
    ) -> None:
        assert (await fire(ends=True))["outcome"] == "finished"
        assert requests.closed == []

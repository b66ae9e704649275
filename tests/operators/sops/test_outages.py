"""An outage at any step of a run costs its own time and no try; on a worker, and through the triggerer."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_sops.operators.sops import SopsRunTaskOperator, earlier_tasks, exactly_once
from airflow_provider_sops.operators.sops.interruption import Interruption
from airflow_provider_sops.polling import shared_connection
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.triggers import sops_interruption, waiting_trigger
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from airflow_provider_sops.triggers.sops_interruption import SopsOutageTrigger, SopsRevokedTrigger
from airflow_provider_sops.waiting import patience
from tests.outage_network import NO_CONNECTION, PAGE, REDIRECT, STEPS_TO_START, Network, network_with_outages
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.sops.models import TaskStatus

pytestmark = pytest.mark.integration

TRIGGERS: dict[str, Any] = {each.__name__: each for each in (SopsTaskTrigger, SopsOutageTrigger, SopsRevokedTrigger)}


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return network_with_outages(monkeypatch)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker leave after some failures, and pauses be short."""
    for place, name, value in (
        (patience, "WORKER_SECONDS", 0.1),
        (patience, "_FIRST_PAUSE_SECONDS", 0.02),
        (patience, "_LONGEST_PAUSES_SECONDS", (0.05, 0.05)),
        (sops_interruption, "_PAUSE_SECONDS", 0.05),
        (sops_interruption, "_LOOK_SECONDS", 0.1),
        (sops_interruption, "_REST_PART", 0.0),
        (shared_connection, "_LONGEST_PAUSE_SECONDS", 0.05),
        (earlier_tasks, "_LOOK_INTERVAL_SECONDS", 0.1),
        (earlier_tasks, "_START_SHOWS_SECONDS", 0.2),
        (earlier_tasks, "WORKER_SECONDS", 0.2),
        (exactly_once, "_PAUSE_SECONDS", 0.05),
        (waiting_trigger, "WORKER_EXIT_SECONDS", 0.0),
    ):
        monkeypatch.setattr(place, name, value)


@dataclass
class Run:
    """One try of a task, as worker and triggerer live it."""

    operator: Callable[[], SopsRunTaskOperator]
    ti: PlainTaskInstance = field(default_factory=PlainTaskInstance)
    deferred: list[str] = field(default_factory=list)
    last: Any = None

    def to_its_end(self) -> Any:
        """Run until the try ends, and return what it returns."""

        event: dict[str, Any] | None = None
        while True:
            operator = self.operator()
            try:
                if event is None:
                    return inspect.unwrap(SopsRunTaskOperator.execute)(operator, self.ti.context)
                return operator.execute_complete(self.ti.context, event)
            except TaskDeferred as deferral:
                event = self.wait(deferral)

    def wait(self, deferral: TaskDeferred) -> dict[str, Any]:
        path, arguments = deferral.trigger.serialize()
        self.last = TRIGGERS[path.rpartition(".")[2]](**json.loads(json.dumps(arguments)))
        self.deferred.append(type(self.last).__name__)
        self.last._log = self.last._cached_logger = logging.getLogger(__name__)

        async def first() -> Any:
            async with asyncio.timeout(60):
                return await anext(aiter(self.last.run()))

        event: dict[str, Any] = json.loads(json.dumps(asyncio.run(first()).payload))
        return event


def make(run_operator: Callable[..., SopsRunTaskOperator], template: str = "linear", **arguments: Any) -> Run:
    constants = {"constants": {"${who}": "Bob", "${seconds}": 1}} if template == "linear" else {}
    return Run(lambda: run_operator(template, **{**constants, **arguments}))


STEPS = [
    *STEPS_TO_START,
    pytest.param("get_task_status", 2, False, id="wait"),
    pytest.param("get_task_detail", 2, False, id="outputs"),
]


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
@pytest.mark.parametrize(("api", "nth", "loses"), STEPS)
def test_an_outage_at_any_step_burns_no_try(
    run_operator: Callable[..., SopsRunTaskOperator],
    hook: SopsHook,
    network: Network,
    api: str,
    nth: int,
    loses: bool,
    deferrable: bool,
) -> None:
    network.api, network.nth, network.loses, network.failures = api, nth, loses, 15
    run = make(run_operator, deferrable=deferrable, retries=0)
    assert run.to_its_end()["who"] == "Bob"
    assert network._seen >= nth or api == "get_task_status"
    assert not network._left
    if deferrable and api != "get_task_status":
        assert "SopsOutageTrigger" in run.deferred
    created = hook.get_task_list(keyword=run.ti.xcoms["sops_task_url"] and _key(hook, run))
    assert [task.is_started for task in created] == [True]


def _key(hook: SopsHook, run: Run) -> str:
    name = hook.get_task_detail(run.ti.xcoms["sops_task_id"]).name
    return name[name.rindex("#") : name.rindex("-") + 1]


@pytest.mark.parametrize("error", [PAGE, REDIRECT, NO_CONNECTION], ids=["page", "redirect", "no connection"])
def test_whatever_stands_in_place_of_an_answer_is_an_outage_before_the_start(
    run_operator: Callable[..., SopsRunTaskOperator], network: Network, error: ServiceError
) -> None:
    network.api, network.failures, network.error = "get_task_list", 8, error
    assert make(run_operator).to_its_end()["who"] == "Bob"


def test_refused_inputs_fail_at_once(run_operator: Callable[..., SopsRunTaskOperator], network: Network) -> None:
    network.api, network.failures = "create_task", 3
    network.error = SopsInvalidParameterError("refused", http_status=200, code=3540000)
    with pytest.raises(AirflowFailException, match="refused"):
        make(run_operator, deferrable=True).to_its_end()
    assert network.sent.count("create_task") == 1


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
def test_an_outage_that_is_too_long_fails_the_try_with_its_last_error(
    run_operator: Callable[..., SopsRunTaskOperator], network: Network, deferrable: bool
) -> None:
    network.api, network.failures = "get_task_list", 10**6
    with pytest.raises(AirflowException, match="a page instead") as raised:
        make(run_operator, deferrable=deferrable, max_outage_seconds=0.8).to_its_end()
    assert not isinstance(raised.value, AirflowFailException)


def test_an_outage_is_told_once_at_its_beginning_and_once_at_its_end(
    run_operator: Callable[..., SopsRunTaskOperator], network: Network, logged: Callable[[], str]
) -> None:
    network.api, network.failures = "create_task", 8
    make(run_operator).to_its_end()
    text = logged()
    # Airflow's loggers write a line to one place or to two.
    times = text.count("is started.")
    assert text.count("SOPS gives no usable answer to create_task. Asking again for up to 3600 s") == times
    assert text.count("SOPS answers again after") == times
    assert "Trying again in" not in text


def test_a_worker_that_left_after_its_retries_of_nodes_remembers_them(
    run_operator: Callable[..., SopsRunTaskOperator], network: Network
) -> None:
    first = make(run_operator, "fail", deferrable=True, retries=1)
    with pytest.raises(AirflowException):
        first.to_its_end()
    network.api, network.failures, network.nth = "get_task_detail", 12, 1
    network._seen = 0
    again = Run(first.operator, first.ti.retried())
    with pytest.raises(AirflowException):
        again.to_its_end()
    assert again.deferred[0] == "SopsOutageTrigger"
    assert network.sent.count("operate_node") == 1


class TestKill:
    @pytest.mark.parametrize("known", [True, False], ids=["known", "found by its key"])
    def test_a_person_who_ends_the_task_during_an_outage_revokes_the_flow(
        self, run_operator: Callable[..., SopsRunTaskOperator], hook: SopsHook, network: Network, known: bool
    ) -> None:
        """Either of this try, or of an earlier one that was not looked up yet."""
        ti = PlainTaskInstance()
        inspect.unwrap(SopsRunTaskOperator.execute)(run_operator("pause", wait_for_completion=False), ti.context)
        sops_task_id = ti.xcoms["sops_task_id"]
        network.failures, network.api = 10**6, "get_task_detail" if known else "get_task_list"
        network._seen = 0
        operator = run_operator("pause", deferrable=True)
        with pytest.raises(TaskDeferred) as deferral:
            inspect.unwrap(SopsRunTaskOperator.execute)(operator, ti.retried().context)
        trigger = deferral.value.trigger
        assert isinstance(trigger, SopsOutageTrigger)
        assert trigger.sops_task_id == (sops_task_id if known else None)
        network._left = network.failures = 0
        asyncio.run(trigger.stop())
        assert hook.get_task_status(sops_task_id, fresh=True).state == TaskState.REVOKED


class TestClear:
    def test_the_nodes_of_a_revoked_flow_are_waited_for_in_the_triggerer(
        self, run_operator: Callable[..., SopsRunTaskOperator], hook: SopsHook
    ) -> None:
        constants = {"${who}": "Bob", "${seconds}": 3}
        first = make(run_operator, constants=constants, wait_for_completion=False)
        first.to_its_end()
        revoked = first.ti.xcoms["sops_task_id"]
        _until_a_node_runs(hook, revoked)
        cleared = Run(
            make(run_operator, deferrable=True, defer_after_seconds=0, constants=constants).operator, first.ti.cleared()
        )
        assert cleared.to_its_end()["who"] == "Bob"
        assert cleared.deferred == ["SopsRevokedTrigger", "SopsTaskTrigger"]
        assert hook.get_task_status(revoked, fresh=True).state == TaskState.REVOKED
        ended = [node.finish_time for _, node in hook.get_task_status(revoked, fresh=True).walk()]
        began = hook.get_task_detail(cleared.ti.xcoms["sops_task_id"]).start_time
        assert all(end is not None and began is not None and end <= began for end in ended)

    def test_revoke_wait_seconds_counts_across_the_triggerer(
        self, run_operator: Callable[..., SopsRunTaskOperator], hook: SopsHook
    ) -> None:
        constants = {"${who}": "Bob", "${seconds}": 6}
        first = make(run_operator, constants=constants, wait_for_completion=False)
        first.to_its_end()
        _until_a_node_runs(hook, first.ti.xcoms["sops_task_id"])
        cleared = make(run_operator, deferrable=True, constants=constants, revoke_wait_seconds=1)
        with pytest.raises(AirflowException, match="1 s later it still runs"):
            Run(cleared.operator, first.ti.cleared()).to_its_end()


def _until_a_node_runs(hook: SopsHook, sops_task_id: int) -> None:
    def runs(status: TaskStatus) -> bool:
        return any(node.name and node.state == TaskState.RUNNING for _, node in status.walk())

    wait_until(hook, sops_task_id, "a running node", runs)


class TestInterruption:
    def test_survives_the_database(self) -> None:
        whole = Interruption(
            outages={"create_task": 12.5},
            sops_task_id=7,
            created={7: "http://claim"},
            overcome=("n1:1",),
            retire_until=99.0,
            event={"outcome": "finished"},
            deadline=3.0,
        )
        assert Interruption.from_json(json.loads(json.dumps(whole.to_json()))) == whole

    def test_ignores_what_it_does_not_know_and_needs_nothing(self) -> None:
        assert Interruption.from_json({"invented_later": 1}) == Interruption()


def test_an_older_worker_says_that_it_cannot_go_on() -> None:
    """The event has an outcome that it does not know; see "Upgrading"."""
    assert sops_interruption.Over().to_event() == {"outcome": "interruption over"}


def test_the_trigger_of_an_outage_is_made_of_its_arguments() -> None:
    trigger = SopsOutageTrigger(sops_conn_id="sops_default", since=1.0, until=2.0, progress={"a": 1}, sops_task_id=3)
    path, arguments = trigger.serialize()
    assert path.endswith("sops_interruption.SopsOutageTrigger")
    assert SopsOutageTrigger(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)
    with mock.patch.object(waiting_trigger, "_warned_about", set()):
        assert SopsOutageTrigger(**arguments, invented_later=1).serialize() == (path, arguments)

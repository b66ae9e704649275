"""An outage at any step of the operators that wait for nothing costs its own time and no try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_sops.operators.sops import (
    SopsCreateTaskOperator,
    SopsOperateNodeOperator,
    SopsOperateTaskOperator,
    SopsStartTaskOperator,
    actions,
    exactly_once,
)
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.waiting import patience
from tests.outage_network import NO_CONNECTION, PAGE, STEPS_TO_START, Network, network_with_outages
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_node, wait_for_state, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.operators.sops.base import SopsBaseOperator
    from airflow_provider_sops.service.errors import ServiceError

pytestmark = pytest.mark.integration

#: More than the few tries that every call has.
MANY = 9


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    for place, name, value in (
        (patience, "_FIRST_PAUSE_SECONDS", 0.01),
        (patience, "_LONGEST_PAUSES_SECONDS", (0.02, 0.02)),
        (exactly_once, "_PAUSE_SECONDS", 0.02),
        (actions, "_PAUSE_SECONDS", 0.05),
        (actions, "_SHOWS_SECONDS", 0.2),
    ):
        monkeypatch.setattr(place, name, value)
    return network_with_outages(monkeypatch)


@pytest.fixture
def create(templates: dict[str, int]) -> Callable[..., SopsCreateTaskOperator]:
    def make(**arguments: Any) -> SopsCreateTaskOperator:
        usual = {"template_id": templates["linear"], "name": "create", "constants": {"${seconds}": 1}}
        return SopsCreateTaskOperator(task_id="create", **{**usual, **arguments})

    return make


def run(operator: SopsBaseOperator) -> PlainTaskInstance:
    ti = PlainTaskInstance()
    operator.execute(ti.context)
    return ti


@pytest.mark.parametrize("error", [PAGE, NO_CONNECTION], ids=["page", "no connection"])
@pytest.mark.parametrize(("api", "nth", "loses"), STEPS_TO_START)
def test_one_task_is_created_and_started_whatever_step_an_outage_begins_at(
    create: Callable[..., SopsCreateTaskOperator],
    hook: SopsHook,
    network: Network,
    api: str,
    nth: int,
    loses: bool,
    error: ServiceError,
) -> None:
    network.api, network.nth, network.loses, network.failures = api, nth, loses, MANY
    network.error = PAGE if loses else error
    ti = run(create(start=True))
    assert (network._seen >= nth, network._left) == (True, 0)
    sops_task_id = ti.xcoms["sops_task_id"]
    wait_until(hook, sops_task_id, "its start", lambda status: status.state != TaskState.CREATED)
    name = hook.get_task_detail(sops_task_id).name
    assert [task.is_started for task in hook.get_task_list(keyword=name[name.rindex("#") :])] == [True]


def test_a_start_waits_for_sops(hook: SopsHook, templates: dict[str, int], network: Network) -> None:
    sops_task_id = hook.create_task(templates["quick"], "started").task_id
    network.api, network.failures = "get_task_detail", MANY
    run(SopsStartTaskOperator(task_id="start", sops_task_id=sops_task_id))
    wait_for_state(hook, sops_task_id, TaskState.FINISHED)


class TestActionsOnTasks:
    @pytest.fixture
    def paused(self, hook: SopsHook, templates: dict[str, int]) -> int:
        """A task that waits for a person."""
        sops_task_id = hook.create_task(templates["pause"], "steered").task_id
        hook.start_task(sops_task_id)
        wait_for_node(hook, sops_task_id, "ask a person", "RUNNING")
        return sops_task_id

    @pytest.mark.parametrize("loses", [False, True], ids=["no answer", "a lost answer"])
    def test_each_is_done_once(self, paused: int, hook: SopsHook, network: Network, loses: bool) -> None:
        network.loses, network.api = loses, "operate_task"
        for action, state in (
            ("pause", TaskState.SUSPENDED),
            ("resume", TaskState.RUNNING),
            ("revoke", TaskState.REVOKED),
        ):
            network.action, network._seen, network.failures = action, 0, MANY
            run(SopsOperateTaskOperator(task_id="operate", sops_task_id=paused, action=action))
            assert hook.get_task_status(paused, fresh=True).state == state
        # What was done is not sent again, what was not is.
        assert network.sent.count("operate_task") == (3 if loses else 6)

    def test_a_start_whose_answer_was_lost_is_found(
        self, hook: SopsHook, templates: dict[str, int], network: Network
    ) -> None:
        sops_task_id = hook.create_task(templates["quick"], "started").task_id
        network.api, network.action, network.loses, network.failures = "operate_task", "start", True, 1
        run(SopsOperateTaskOperator(task_id="operate", sops_task_id=sops_task_id, action="start"))
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)

    def test_what_sops_refuses_fails_at_once(self, hook: SopsHook, templates: dict[str, int], network: Network) -> None:
        sops_task_id = hook.create_task(templates["quick"], "refused").task_id
        with pytest.raises(AirflowException, match="task not started"):
            run(SopsOperateTaskOperator(task_id="operate", sops_task_id=sops_task_id, action="pause"))
        assert network.sent.count("operate_task") == 1


class TestActionsOnNodes:
    @pytest.mark.parametrize("loses", [False, True], ids=["no answer", "a lost answer"])
    def test_a_node_is_retried_once(
        self, hook: SopsHook, templates: dict[str, int], network: Network, loses: bool
    ) -> None:
        sops_task_id = hook.create_task(templates["fail"], "steered").task_id
        hook.start_task(sops_task_id)
        (node,) = wait_for_state(hook, sops_task_id, TaskState.FAILED).failed_nodes
        network.loses, network.api, network.action, network.failures = loses, "operate_node", "retry", MANY
        operator = SopsOperateNodeOperator(
            task_id="operate", sops_task_id=sops_task_id, node_id=node.id, action="retry"
        )
        run(operator)
        wait_for_state(hook, sops_task_id, TaskState.FAILED)
        (again,) = hook.get_task_status(sops_task_id, fresh=True).failed_nodes
        assert again.retry == node.retry + 1

    def test_an_answer_that_was_lost_is_not_given_twice(
        self, hook: SopsHook, templates: dict[str, int], network: Network
    ) -> None:
        sops_task_id = hook.create_task(templates["pause"], "steered").task_id
        hook.start_task(sops_task_id)
        status = wait_for_node(hook, sops_task_id, "ask a person", "RUNNING")
        waiting = next(node for _, node in status.walk() if node.name == "ask a person")
        network.loses, network.api, network.action, network.failures = True, "operate_node", "callback", 1
        operator = SopsOperateNodeOperator(
            task_id="operate", sops_task_id=sops_task_id, node_id=waiting.id, action="callback"
        )
        run(operator)
        wait_for_state(hook, sops_task_id, TaskState.FINISHED)


def test_an_outage_that_is_too_long_fails_the_try_with_its_last_error(
    create: Callable[..., SopsCreateTaskOperator], network: Network
) -> None:
    network.api, network.failures = "get_task_list", 10**6
    with pytest.raises(AirflowException, match="a page instead") as raised:
        run(create(max_outage_seconds=0.3))
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize("by_configuration", [True, False])
def test_the_configuration_says_how_long_unless_the_task_does(
    create: Callable[..., SopsCreateTaskOperator],
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    by_configuration: bool,
) -> None:
    monkeypatch.setenv("AIRFLOW__SOPS__MAX_OUTAGE_SECONDS", "0" if by_configuration else "3600")
    network.api, network.failures = "get_task_list", 10**6
    with pytest.raises(AirflowException, match="a page instead"):
        run(create() if by_configuration else create(max_outage_seconds=0))


def test_refused_inputs_fail_at_once(create: Callable[..., SopsCreateTaskOperator], network: Network) -> None:
    network.api, network.failures = "create_task", 3
    network.error = SopsInvalidParameterError("refused", http_status=200, code=3540000)
    with pytest.raises(AirflowFailException, match="refused"):
        run(create())
    assert network.sent.count("create_task") == 1


def test_an_outage_is_told_once_at_its_beginning_and_once_at_its_end(
    create: Callable[..., SopsCreateTaskOperator], network: Network, logged: Callable[[], str]
) -> None:
    network.api, network.failures = "create_task", MANY
    ti = run(create())
    text = logged()
    # Airflow's loggers write a line to one place or to two.
    times = text.count(f"SOPS task {ti.xcoms['sops_task_id']}: ")
    assert text.count("SOPS gives no usable answer to create_task. Asking again for up to 3600 s") == times
    assert text.count("SOPS answers again after") == times
    assert "Trying again in" not in text

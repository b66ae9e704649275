"""The sensors for SOPS: alike in poke, in reschedule and deferred."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from unittest import mock

import pendulum
import pytest
import tenacity
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.polling import shared_connection
from airflow_provider_sops.sensors.sops import SopsNodeSensor, SopsTaskSensor
from airflow_provider_sops.service import retrying
from airflow_provider_sops.sops.models import TaskDetail, TaskState, TaskStatus
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.triggers import sops_interruption
from airflow_provider_sops.waiting import patience
from tests.dag_run import FinishedRun, run_dag
from tests.outage_network import network_with_outages
from tests.plain_task_instance import PlainTaskInstance
from tests.sops.builders import activity, node, pipeline_tree, task_status
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]

NodeOf = tuple[int, str]
WAYS: list[Any] = [
    pytest.param({"mode": "poke", "deferrable": False}, id="poke"),
    pytest.param({"mode": "reschedule", "deferrable": False}, id="reschedule"),
    pytest.param({"deferrable": True}, id="deferrable"),
]


@pytest.fixture
def started(hook: SopsHook, templates: dict[str, int]) -> Callable[..., int]:
    """Start a task from a template by the template's name."""

    def start(template: str, **arguments: Any) -> int:
        sops_task_id = hook.create_task(templates[template], "sensed", **arguments).task_id
        hook.start_task(sops_task_id)
        return sops_task_id

    return start


def sense(dag_id: str, **arguments: Any) -> FinishedRun:
    with DAG(dag_id=f"sense_{dag_id}", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        SopsTaskSensor(task_id="wait", **{"poke_interval": 0.2, "timeout": 60, **arguments})
    return run_dag(dag)


def task_sensor(**arguments: Any) -> SopsTaskSensor:
    return SopsTaskSensor(task_id="wait", sops_task_id=7, **arguments)


def node_sensor(**arguments: Any) -> SopsNodeSensor:
    return SopsNodeSensor(task_id="wait", sops_task_id=7, node_id="a", **arguments)


@pytest.mark.parametrize("way", WAYS)
def test_returns_the_outputs(started: Callable[..., int], way: dict[str, Any]) -> None:
    sops_task_id = started("linear", constants={"${who}": "Bob", "${seconds}": 1})
    run = sense("outputs", sops_task_id=sops_task_id, **way)
    assert run.state_of("wait") == "success"
    assert run.xcom("wait")["who"] == "Bob"
    assert run.xcom("wait", "sops_task_id") == sops_task_id
    assert run.xcom("wait", "sops_task_state") == "FINISHED"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_a_failed_task_fails_or_skips(
    started: Callable[..., int], way: dict[str, Any], soft_fail: bool, state: str
) -> None:
    run = sense("failure", sops_task_id=started("fail"), soft_fail=soft_fail, **way)
    assert run.state_of("wait") == state


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_an_unknown_task_fails_or_skips(sops_default: Any, way: dict[str, Any], soft_fail: bool, state: str) -> None:
    assert sense("unknown", sops_task_id=987654, soft_fail=soft_fail, **way).state_of("wait") == state


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
def test_a_timeout_fails_or_skips_and_revokes_nothing(
    started: Callable[..., int], hook: SopsHook, way: dict[str, Any], soft_fail: bool, state: str
) -> None:
    sops_task_id = started("pause")
    run = sense("timeout", sops_task_id=sops_task_id, timeout=1, soft_fail=soft_fail, **way)
    assert run.state_of("wait") == state
    assert hook.get_task_status(sops_task_id, fresh=True).state == TaskState.RUNNING


def test_a_poke_reads_the_task_once_and_the_next_one_of_the_same_sensor_not_at_all() -> None:
    sops = mock.create_autospec(SopsHook, instance=True)
    sops.get_task_detail.return_value = TaskDetail.read({"id": 7, "pipeline_tree": {}})
    sops.get_task_status.return_value = TaskStatus.read({"id": "7", "state": "RUNNING", "children": {}})

    def sensor() -> SopsTaskSensor:
        made = SopsTaskSensor(task_id="wait", sops_task_id=7, mode="reschedule")
        made.hook = sops
        return made

    for _ in range(3):
        assert not sensor().poke(PlainTaskInstance().context)
    assert (sops.get_task_detail.call_count, sops.get_task_status.call_count) == (3, 3)
    lasting = sensor()
    for _ in range(3):
        assert not lasting.poke(PlainTaskInstance().context)
    assert (sops.get_task_detail.call_count, sops.get_task_status.call_count) == (4, 6)


class TestPace:
    """Without a ``poke_interval`` the pause follows the age of what is waited for."""

    @pytest.fixture
    def sops(self) -> mock.Mock:
        made: mock.Mock = mock.create_autospec(SopsHook, instance=True)
        made.configure_mock(sops_conn_id="sops_default", bk_biz_id=None, scope=None)
        tree = pipeline_tree("s > a > e", nodes={"a": activity("a")})
        made.get_task_detail.return_value = TaskDetail.read({"id": 7, "pipeline_tree": tree})
        return made

    @staticmethod
    def pauses(sops: mock.Mock, ages: Sequence[int], sensor: Any, *, again: bool = False) -> list[float]:
        """Return the pause after each poke.

        :param again: whether each poke is that of a new process.
        """
        found: list[float] = []
        made = sensor()
        for age in ages:
            running = node("RUNNING", "a", elapsed_time=age)
            status = task_status("RUNNING", {"a": running}, elapsed_time=age)
            sops.get_task_status.return_value = TaskStatus.read(status)
            made = sensor() if again else made
            made.hook = sops
            assert not made.poke(PlainTaskInstance().context)
            found.append(made.poke_interval)
        return found

    @pytest.mark.parametrize("sensor", [task_sensor, node_sensor])
    def test_of_pokes(self, sops: mock.Mock, sensor: Any) -> None:
        assert self.pauses(sops, [0, 30, 60, 500], sensor) == [1.5, 3.0, 6.0, 10.0]
        fresh = [call.kwargs["fresh"] for call in sops.get_task_status.call_args_list]
        assert fresh == [False, True, True, True]

    @pytest.mark.parametrize("sensor", [task_sensor, node_sensor])
    def test_of_looks_that_each_take_a_process_is_never_very_short(self, sops: mock.Mock, sensor: Any) -> None:
        found = self.pauses(sops, [0, 30, 60, 500], functools.partial(sensor, mode="reschedule"), again=True)
        assert found == [5.0, 5.0, 6.0, 10.0]
        # SOPS's cache would hide the end from a process that knows nothing of earlier looks.
        assert all(call.kwargs["fresh"] for call in sops.get_task_status.call_args_list)

    @pytest.mark.parametrize("arguments", [{"poke_interval": 7}, {"poke_interval": 7, "mode": "reschedule"}])
    def test_is_fixed_where_it_is_given(self, sops: mock.Mock, arguments: dict[str, Any]) -> None:
        assert self.pauses(sops, [0, 500], functools.partial(task_sensor, **arguments)) == [7.0, 7.0]
        assert not any(call.kwargs["fresh"] for call in sops.get_task_status.call_args_list)

    def test_is_airflows_with_an_exponential_backoff(self, sops: mock.Mock) -> None:
        assert self.pauses(sops, [0, 500], functools.partial(task_sensor, exponential_backoff=True)) == [10.0, 10.0]

    def test_is_that_of_the_configuration(self, sops: mock.Mock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__SOPS__POLL_INTERVAL_SECONDS", "45")
        assert self.pauses(sops, [0, 500], task_sensor) == [45.0, 45.0]

    @pytest.mark.parametrize("sensor", [task_sensor, node_sensor])
    def test_of_a_trigger(self, sensor: Any) -> None:
        given, without = sensor(poke_interval=7)._policy(None), sensor(mode="reschedule", deferrable=True)._policy(None)
        assert (given.paced, given.poll_interval_seconds) == (False, 7.0)
        assert (without.paced, without.poll_interval_seconds, without.always_fresh) == (True, 10.0, False)


@pytest.mark.parametrize("way", WAYS)
def test_a_revoked_task_fails(started: Callable[..., int], hook: SopsHook, way: dict[str, Any]) -> None:
    sops_task_id = started("pause")
    wait_for_state(hook, sops_task_id, TaskState.RUNNING)
    hook.operate_task(sops_task_id, "revoke")
    assert sense("revoked", sops_task_id=sops_task_id, **way).state_of("wait") == "failed"


@pytest.fixture
def started_node(hook: SopsHook, templates: dict[str, int]) -> Callable[..., NodeOf]:
    """Start a task, and return its id and that of its node of a name: in the task, or in the template."""

    def start(template: str, name: str, *, in_template: bool = False) -> NodeOf:
        sops_task_id = hook.create_task(templates[template], "sensed").task_id
        hook.start_task(sops_task_id)
        tree = PipelineTree(hook.get_task_detail(sops_task_id).pipeline_tree)
        node = next(node for node in tree.nodes.values() if node.name == name)
        return sops_task_id, node.key[-1] if in_template else node.id

    return start


def sense_node(dag_id: str, node: NodeOf, **arguments: Any) -> FinishedRun:
    with DAG(dag_id=f"sense_node_{dag_id}", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        SopsNodeSensor(
            task_id="wait",
            sops_task_id=node[0],
            node_id=node[1],
            **{"poke_interval": 0.2, "timeout": 60, **arguments},
        )
    return run_dag(dag)


@pytest.mark.parametrize("way", WAYS)
def test_returns_the_outputs_of_a_node(started_node: Callable[..., NodeOf], way: dict[str, Any]) -> None:
    run = sense_node("outputs", started_node("exclusive", "deploy to test", in_template=True), **way)
    assert run.state_of("wait") == "success"
    assert run.xcom("wait")["_result"] is True
    assert run.xcom("wait", "sops_task_url")


def test_a_node_inside_a_subprocess_is_found_by_its_id_in_the_task(started_node: Callable[..., NodeOf]) -> None:
    assert sense_node("inner", started_node("nested", "middle says"), deferrable=True).state_of("wait") == "success"


@pytest.mark.parametrize("way", WAYS)
def test_a_node_that_the_flow_passes_by_skips(started_node: Callable[..., NodeOf], way: dict[str, Any]) -> None:
    assert sense_node("passed", started_node("exclusive", "deploy to production"), **way).state_of("wait") == "skipped"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "soft_fail", "state"), [("fails", False, "failed"), ("fails", True, "skipped"), ("after", False, "failed")]
)
def test_a_failure_of_the_node_or_before_it_fails_or_skips(
    started_node: Callable[..., NodeOf], way: dict[str, Any], name: str, soft_fail: bool, state: str
) -> None:
    assert sense_node("failure", started_node("fail", name), soft_fail=soft_fail, **way).state_of("wait") == state


@pytest.mark.parametrize("way", WAYS)
def test_an_unknown_node_skips_softly(started_node: Callable[..., NodeOf], way: dict[str, Any]) -> None:
    sops_task_id, _ = started_node("quick", "quick")
    assert sense_node("unknown", (sops_task_id, "nobody"), soft_fail=True, **way).state_of("wait") == "skipped"


@pytest.mark.parametrize("way", WAYS)
def test_a_timeout_at_a_node_fails(started_node: Callable[..., NodeOf], way: dict[str, Any]) -> None:
    assert sense_node("timeout", started_node("pause", "ask a person"), timeout=1, **way).state_of("wait") == "failed"


class TestOutage:
    """An outage before and after the wait costs its own time, in every way of waiting."""

    @pytest.fixture(autouse=True)
    def hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for place, name, value in (
            (patience, "WORKER_SECONDS", 0.1),
            (patience, "_FIRST_PAUSE_SECONDS", 0.02),
            (patience, "_LONGEST_PAUSES_SECONDS", (0.05, 0.05)),
            (sops_interruption, "_PAUSE_SECONDS", 0.05),
            (sops_interruption, "_REST_PART", 0.0),
            (shared_connection, "_LONGEST_PAUSE_SECONDS", 0.05),
            (retrying, "_growing_pause", tenacity.wait_none()),
        ):
            monkeypatch.setattr(place, name, value)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("nth", [1, 2], ids=["before", "after"])
    def test_of_a_task(
        self, started: Callable[..., int], monkeypatch: pytest.MonkeyPatch, way: dict[str, Any], nth: int
    ) -> None:
        sops_task_id = started("linear", constants={"${who}": "Bob", "${seconds}": 1})
        network = network_with_outages(monkeypatch)
        network.api, network.nth, network.failures = "get_task_detail", nth, 9
        run = sense(f"outage_{nth}_{way.get('mode')}", sops_task_id=sops_task_id, **way)
        assert run.state_of("wait") == "success"
        assert run.xcom("wait")["who"] == "Bob"
        assert not network._left

    @pytest.mark.parametrize("way", WAYS)
    def test_of_a_node(
        self, started: Callable[..., int], hook: SopsHook, monkeypatch: pytest.MonkeyPatch, way: dict[str, Any]
    ) -> None:
        sops_task_id = started("linear", constants={"${who}": "Bob", "${seconds}": 1})
        tree = PipelineTree(hook.get_task_detail(sops_task_id).pipeline_tree)
        node = next(node for node in tree.nodes.values() if getattr(node, "plugin", ""))
        network = network_with_outages(monkeypatch)
        network.api, network.failures = "get_task_detail", 9
        with DAG(
            dag_id=f"sense_node_outage_{way.get('mode')}", schedule=None, start_date=pendulum.datetime(2026, 1, 1)
        ) as dag:
            SopsNodeSensor(
                task_id="wait", sops_task_id=sops_task_id, node_id=node.id, poke_interval=0.2, timeout=60, **way
            )
        assert run_dag(dag).state_of("wait") == "success"
        assert not network._left

    def test_that_is_too_long_fails_the_sensor(
        self, started: Callable[..., int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        network = network_with_outages(monkeypatch)
        network.api, network.failures = "get_task_detail", 10**6
        run = sense("outage_too_long", sops_task_id=started("quick"), max_outage_seconds=0.5, deferrable=False)
        assert run.state_of("wait") == "failed"

"""The EnOS sensors: alike in poke, in reschedule and deferred."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.sensors.enos import EnosFlowInstanceSensor, EnosTaskInstanceSensor
from tests.dag_run import FinishedRun, run_dag
from tests.enos_server import EnosServer, Fault, Play, TaskPlay
from tests.enos_server.plays import CANCEL, FAIL, INIT, RUNNING, SKIP, SUCCESS, SUSPEND

pytest_plugins = ("tests.enos_server.fixtures",)
pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]

WAYS: list[Any] = [
    pytest.param({"mode": "poke", "deferrable": False}, id="poke"),
    pytest.param({"mode": "reschedule", "deferrable": False}, id="reschedule"),
    pytest.param({"deferrable": True}, id="deferrable"),
]
SENSORS: list[Any] = [
    pytest.param((EnosFlowInstanceSensor, "enos_flow_instance_id", "8-19700101000000"), id="flow"),
    pytest.param((EnosTaskInstanceSensor, "enos_task_instance_id", "800-19700101000000"), id="task"),
]
Sensor = tuple[type[EnosFlowInstanceSensor] | type[EnosTaskInstanceSensor], str, str]


def sense(sensor: Sensor, instance_id: str | None = None, **arguments: Any) -> FinishedRun:
    operator, name, default_id = sensor
    with DAG(dag_id="sense_enos", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        operator(
            task_id="wait",
            **{
                name: default_id if instance_id is None else instance_id,
                "poke_interval": 0.1,
                "timeout": 30,
                "settle_seconds": 0.1,
                **arguments,
            },
        )
    return run_dag(dag)


@pytest.fixture
def play(enos_default: EnosServer) -> Any:
    """Let the one instance of flow 8 and its one task play out."""

    def begin(*statuses: int, **task: Any) -> EnosServer:
        flow = enos_default.add_flow(8, Play(statuses, {"load": TaskPlay(statuses, **task)}))
        enos_default.service.add_instance(flow, 0)
        return enos_default

    return begin


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("way", WAYS)
class TestBoth:
    def test_return_the_instance(self, play: Any, way: dict[str, Any], sensor: Sensor) -> None:
        play(INIT, RUNNING, SUCCESS)
        finished = sense(sensor, **way)
        assert finished.state_of("wait") == "success"
        assert finished.xcom("wait")["instanceId"] == sensor[2]
        assert finished.xcom("wait", "enos_status") == "SUCCESS"

    @pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
    def test_a_failure_fails_or_skips(
        self, play: Any, way: dict[str, Any], sensor: Sensor, soft_fail: bool, state: str
    ) -> None:
        play(RUNNING, FAIL)
        assert sense(sensor, soft_fail=soft_fail, **way).state_of("wait") == state

    @pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
    def test_an_unknown_instance_fails_or_skips(
        self, play: Any, way: dict[str, Any], sensor: Sensor, soft_fail: bool, state: str
    ) -> None:
        play(RUNNING)
        assert sense(sensor, "7-1", soft_fail=soft_fail, **way).state_of("wait") == state

    @pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
    def test_a_timeout_fails_or_skips_and_stops_nothing(
        self, play: Any, way: dict[str, Any], sensor: Sensor, soft_fail: bool, state: str
    ) -> None:
        server = play(SUSPEND)
        assert sense(sensor, timeout=0.5, soft_fail=soft_fail, **way).state_of("wait") == state
        assert server.instances[0].status == SUSPEND
        assert server.sent("cancel") == []

    @pytest.mark.parametrize(
        ("status", "counts", "state"),
        [
            (SKIP, ("SUCCESS",), "failed"),
            (SKIP, ("SUCCESS", "SKIP"), "success"),
            (CANCEL, ("SUCCESS",), "failed"),
            (FAIL, ("SUCCESS", "FAIL"), "success"),
        ],
    )
    def test_what_counts_as_success_is_a_parameter(
        self, play: Any, way: dict[str, Any], sensor: Sensor, status: int, counts: tuple[str, ...], state: str
    ) -> None:
        play(RUNNING, status)
        assert sense(sensor, success_statuses=counts, **way).state_of("wait") == state

    def test_automatic_reruns_are_waited_for(self, play: Any, way: dict[str, Any], sensor: Sensor) -> None:
        play(RUNNING, FAIL, FAIL, FAIL, RUNNING, SUCCESS, recall_limit=2, recalls=(0, 0, 0, 1))
        assert sense(sensor, **way).state_of("wait") == "success"

    def test_an_unusable_answer_is_tolerated(self, play: Any, way: dict[str, Any], sensor: Sensor) -> None:
        server = play(RUNNING, SUCCESS)
        server.spoil("get", *[Fault.BAD_GATEWAY_BEFORE] * 9)
        assert sense(sensor, **way).state_of("wait") == "success"


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("instance_id", ["", "{{ none }}"])
def test_a_missing_id_is_named_at_once(enos_default: EnosServer, sensor: Sensor, instance_id: str) -> None:
    assert sense(sensor, instance_id).state_of("wait") == "failed"
    assert enos_default.requests == []

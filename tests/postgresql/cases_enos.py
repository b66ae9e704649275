"""Runs of DAGs whose EnOS instances have odd names and parameters; ``test_postgresql.py`` runs this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.operators.enos import EnosTriggerFlowOperator
from airflow_provider_sops.sensors.enos import EnosFlowInstanceSensor, EnosTaskInstanceSensor
from airflow_provider_sops.service.text import quoted
from tests.dag_run import run_dag
from tests.enos_server import Play, TaskPlay
from tests.enos_server.plays import FAIL, RUNNING, SUCCESS

if TYPE_CHECKING:
    from tests.enos_server import EnosServer

pytest_plugins = ("tests.enos_server.fixtures",)
pytestmark = pytest.mark.usefixtures("airflow_db", "enos_default")

DEFERRABLE = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
ODD, KEPT = "odd \0 \ud800", r"odd ␀ \ud800"


def make_dag(dag_id: str) -> DAG:
    return DAG(dag_id=dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"))


@DEFERRABLE
def test_the_operator_returns_the_instance(enos_server: EnosServer, deferrable: bool) -> None:
    enos_server.add_flow(
        8,
        Play(
            (RUNNING, SUCCESS),
            {ODD: TaskPlay((SUCCESS,))},
        ),
        name=ODD,
    )
    with make_dag(f"enos_{deferrable}") as dag:
        EnosTriggerFlowOperator(task_id="run", flow_id=8, deferrable=deferrable, poll_interval_seconds=0.1)
    instance = run_dag(dag).xcom("run")
    assert instance["flowName"] == KEPT
    assert instance["graph"]["tasks"][0]["taskName"] == KEPT


@DEFERRABLE
@pytest.mark.parametrize(
    ("sensor", "instance"),
    [
        (EnosFlowInstanceSensor, {"enos_flow_instance_id": "8-19700101000000"}),
        (EnosTaskInstanceSensor, {"enos_task_instance_id": "800-19700101000000"}),
    ],
)
def test_a_sensor_fails_with_the_name(
    enos_server: EnosServer, sensor: Any, instance: dict[str, str], deferrable: bool
) -> None:
    flow = enos_server.add_flow(8, Play((RUNNING, FAIL), {ODD: TaskPlay((RUNNING, FAIL), log=ODD)}), name=ODD)
    enos_server.service.add_instance(flow, 0)
    errors: list[str] = []
    with make_dag(f"{sensor.__name__}_{deferrable}") as dag:
        sensor(
            task_id="wait",
            **instance,
            deferrable=deferrable,
            poke_interval=0.1,
            settle_seconds=0.1,
            on_failure_callback=lambda context: errors.append(str(context["exception"])),
        )
    assert run_dag(dag).state_of("wait") == "failed"
    assert len(errors) == 1
    assert quoted(KEPT) in errors[0]

"""The batch chain: what flows from step to step, and what happens when a step fails."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.models import TaskState
from tests.dag_run import FinishedRun, run_dag
from tests.enos_server.plays import FAIL, SUCCESS, Play, TaskPlay
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import DAG

    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.enos_server import EnosServer

pytest_plugins = ("tests.enos_server.fixtures",)
pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db", "sops_default")]

FILE = Path(__file__).resolve().parents[2] / "example_dags" / "sops_batch_chain.py"
SUCCEEDS = Play((SUCCESS,), {"extract": TaskPlay((SUCCESS,))})
FAILS = Play((FAIL,), {"extract": TaskPlay((FAIL,))})
TEMPLATE_THAT_FAILS = 12


@pytest.fixture
def chain() -> DAG:
    """The chain, which looks often and does not leave the process."""
    dag: Any = runpy.run_path(str(FILE))["report"].dag
    for task in dag.tasks:
        for name, value in {"poll_interval_seconds": 0.2, "deferrable": False}.items():
            if getattr(task, "is_mapped", False):
                task.partial_kwargs[name] = value
            elif hasattr(task, name):
                setattr(task, name, value)
    chain: DAG = dag
    return chain


def notifications_about(run: FinishedRun, hook: SopsHook) -> list[str]:
    """Return the receivers' texts of the notification tasks of a run."""
    texts = []
    for item in hook.get_task_list(keyword=" failed #", limit=200):
        text = hook.get_task_detail(item.id).constants["${text}"]["value"]
        if run.dag_run.run_id in text:
            wait_for_state(hook, item.id, TaskState.FINISHED)
            texts.append(text)
    return texts


def test_outputs_of_a_flow_are_the_constants_of_the_next_ones(
    chain: DAG, enos_default: EnosServer, hook: SopsHook
) -> None:
    enos_default.add_flow(1, SUCCEEDS)
    run = run_dag(chain, run_conf={"hosts": ["web", "db"]})
    assert run.state == "success"
    released = run.xcom("release")["report"]
    assert run.dag_run.run_id in released
    assert run.xcom("finish") == [f"done: {host}: {released}" for host in ("web", "db")]
    (instance,) = enos_default.instances
    assert instance.parameters == {"version": run.dag_run.run_id}
    assert run.state_of("repair") == "skipped"
    assert notifications_about(run, hook) == []


def test_a_failed_flow_is_repaired_and_told_and_starts_nothing_else(
    chain: DAG, enos_default: EnosServer, hook: SopsHook
) -> None:
    enos_default.add_flow(1, SUCCEEDS)
    run = run_dag(chain, run_conf={"hosts": ["web"], "host_template": TEMPLATE_THAT_FAILS})
    assert run.state == "failed"
    assert {name: run.state_of(name) for name in ("release", "repair", "report", "finish")} == {
        "release": "success",
        "repair": "success",
        "report": "upstream_failed",
        "finish": "upstream_failed",
    }
    (text,) = notifications_about(run, hook)
    assert text.startswith("on_hosts in ")


def test_a_failed_enos_flow_is_repaired_and_told_too(chain: DAG, enos_default: EnosServer, hook: SopsHook) -> None:
    enos_default.add_flow(1, FAILS)
    run = run_dag(chain, run_conf={"hosts": ["web"]})
    assert (run.state, run.state_of("repair")) == ("failed", "success")
    (text,) = notifications_about(run, hook)
    assert text.startswith("report in ")

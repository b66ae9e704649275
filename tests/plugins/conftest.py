"""The tab's application as Airflow's API server mounts it, and people with the roles of Airflow's own auth manager."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.dag_run import run_dag
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskState

# Airflow 2 has no such tab; that it does not mind is in test_sops_tab.py.
collect_ignore = (
    []
    if AIRFLOW_V_3_0_PLUS
    else [
        "test_acting.py",
        "test_application.py",
        "test_generated_flows.py",
        "test_run_tasks.py",
        "test_shared_requests.py",
    ]
)

_numbers = itertools.count(1)
ROLES = ("anonymous", "viewer", "user", "op", "admin")
As = Callable[[str], "TestClient"]


@dataclass(frozen=True)
class StartedTask:
    """A SOPS task that a DAG run has started.

    :param place: the task instance, as a request names it.
    """

    dag_id: str
    place: dict[str, Any]
    sops_task_id: int

    def path(self, name: str) -> str:
        """Return the address of a route about the run."""
        return f"/dags/{self.dag_id}/{name}"

    def order(self, action: str, **more: Any) -> dict[str, Any]:
        """Return the body of a request that acts."""
        return {**self.place, "action": action, **more}


@pytest.fixture
def as_role(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> As:
    """A client for each role, all at one application, so that they share its answers."""
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    from airflow_provider_sops.plugins.application import build_application

    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test, long enough for its algorithm " * 2)
    manager: Any = create_auth_manager()
    manager.init()
    application = build_application()

    def client(role: str) -> TestClient:
        made = TestClient(application, base_url="http://airflow.example")
        if role != "anonymous":
            user = SimpleAuthManagerUser(username=f"{role}-person", role=role)
            made.cookies.set("_token", manager.generate_jwt(user))
        return made

    return client


@pytest.fixture
def started(hook: SopsHook, templates: dict[str, int], airflow_db: None) -> Callable[..., StartedTask]:
    """Run a DAG whose one task starts a SOPS task, and return that once it is in a state."""

    def start(template: str, *, until: TaskState | None = None, **arguments: Any) -> StartedTask:
        dag_id = f"tab_{template}_{next(_numbers)}"
        with DAG(dag_id=dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
            SopsRunTaskOperator(
                task_id="run", template_id=templates[template], wait_for_completion=False, retries=0, **arguments
            )
        run = run_dag(dag)
        sops_task_id = run.xcom("run", "sops_task_id")
        if until is not None:
            wait_for_state(hook, sops_task_id, until)
        place = {"run_id": run.dag_run.run_id, "task_id": "run", "map_index": -1}
        return StartedTask(dag_id, place, sops_task_id)

    return start

"""What Airflow tells a worker of a task instance's earlier tries."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, BaseOperator
from airflow.utils.session import create_session

from airflow_provider_sops.task_instance.state import had_succeeded
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.dag_run import run_dag

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]


class Ends(BaseOperator):
    """A task that ends as it is told to."""

    def __init__(self, *, end: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.end = end

    def execute(self, context: Any) -> None:
        if self.end == "skipped":
            raise AirflowSkipException
        if self.end == "failed":
            raise RuntimeError(self.end)


def cleared(dag: DAG, run_id: str) -> Any:
    """Return the task instance of a run once somebody has cleared it."""
    from airflow.models.taskinstance import TaskInstance, clear_task_instances

    with create_session() as session:
        ti = session.query(TaskInstance).filter_by(dag_id=dag.dag_id, run_id=run_id, task_id="task").one()
        clear_task_instances([ti], session, dag_run_state=False)
        session.flush()
        session.refresh(ti)
        session.expunge_all()
        return ti


@pytest.mark.parametrize(("end", "succeeded"), [("success", True), ("failed", False), ("skipped", False)])
def test_the_try_before_a_clear_is_known_where_the_worker_has_the_database(end: str, succeeded: bool) -> None:
    with DAG(f"ends_{end}", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        Ends(task_id="task", end=end)
    run = run_dag(dag)
    assert run.state_of("task") == end
    ti = cleared(dag, run.dag_run.run_id)
    known = None if AIRFLOW_V_3_0_PLUS else succeeded
    assert had_succeeded(ti, since_max_tries=0) is known
    # A SOPS task of a generation after that try has nothing to do with it.
    assert had_succeeded(ti, since_max_tries=9) is (None if AIRFLOW_V_3_0_PLUS else False)

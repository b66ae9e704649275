"""What this package relies on in Airflow's own handling of Required Actions, asked of Airflow's own functions."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from unittest import mock

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_sops.task_instance.required_action import Answer
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from tests.dag_run import run_dag

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="an answer ends a deferral from Airflow 3.3 on"),
]
TRIGGER = {"sops_task_id": 25, "asked": {"path": ["n2"], "plugin": "bk_approve", "state": "open"}}


@pytest.fixture
def session(airflow_db: None) -> Iterator[Any]:
    from airflow.utils.session import create_session

    with create_session() as session:
        yield session


@pytest.fixture
def ti(session: Any) -> Any:
    """A task instance that has deferred itself, as Airflow has it in its database."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk.serde import serialize

    with DAG(f"asks_{uuid.uuid4().hex}", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:

        @task
        def run() -> None:
            pass

        run()
    dag_run = run_dag(dag).dag_run
    ti = session.query(TaskInstance).filter_by(dag_id=dag.dag_id, run_id=dag_run.run_id).one()
    ti.state, ti.next_method, ti.next_kwargs = "deferred", "execute_complete", serialize({"trigger": TRIGGER})
    session.commit()
    return ti


def ask(session: Any, ti: Any, subject: str) -> Any:
    """Ask as a worker does; return what is shown."""
    from airflow.api_fastapi.execution_api.datamodels.hitl import HITLDetailRequest
    from airflow.api_fastapi.execution_api.routes.hitl import upsert_hitl_detail

    request = HITLDetailRequest(ti_id=ti.id, options=["Approve", "Reject"], subject=subject, body="", params={})
    shown = upsert_hitl_detail(ti.id, request, session)
    session.commit()
    return shown


def answer(session: Any, ti: Any) -> None:
    """Answer as a person does."""
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail

    user = mock.Mock(get_id=lambda: "7", get_name=lambda: "ann")
    payload = UpdateHITLDetailPayload(chosen_options=["Approve"], params_input={})
    update_hitl_detail(ti.dag_id, ti.run_id, ti.task_id, payload, user, session, ti.map_index)
    session.commit()


def test_what_was_asked_first_stays_and_airflow_says_so(session: Any, ti: Any) -> None:
    assert ask(session, ti, "Publish 1.4.1?").subject == "Publish 1.4.1?"
    answer(session, ti)

    assert ask(session, ti, "Publish 1.4.2?").subject == "Publish 1.4.1?"


def test_an_answer_resumes_the_task_with_the_arguments_of_its_trigger(session: Any, ti: Any) -> None:
    from airflow.sdk.serde import deserialize

    ask(session, ti, "Publish?")
    answer(session, ti)
    session.refresh(ti)
    resumed: Any = deserialize(ti.next_kwargs)

    assert (ti.state, ti.next_method) == ("scheduled", "execute_complete")
    assert resumed["trigger"] == TRIGGER
    assert Answer.from_event(resumed["event"]) == Answer("Approve", "ann")

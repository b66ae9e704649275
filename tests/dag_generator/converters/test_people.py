"""``pause_node`` and ``bk_approve`` in Airflow's required actions."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pendulum
import pytest
from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskAwaitingInput

from airflow_provider_sops.dag_generator.converters.people import (
    APPROVE_OUTPUTS,
    PAUSE_OUTPUTS,
    PauseOperator,
    approve,
    pause,
)
from airflow_provider_sops.dag_generator.converters.registry import NodeConverter
from tests.dag_generator.converters.nodes import TASK_ARGS, Conversion
from tests.sops.builders import constant

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXT: Any = {"task_instance": SimpleNamespace(id="ti-1")}
WHO = {"${who}": constant("${who}", "{{ who }}")}
APPROVAL = {"bk_verifier": "ann,bob", "bk_approve_title": "Release ${who}?", "bk_approve_message": "All is green."}


@pytest.fixture
def asked() -> Iterator[mock.Mock]:
    """What is written to Airflow's required actions."""
    with mock.patch("airflow.providers.standard.operators.hitl.upsert_hitl_detail", autospec=True) as upsert:
        yield upsert


def converted(build: Any, inputs: Any, **task_args: Any) -> Any:
    given = {"inputs": inputs, "constants": WHO, "name": "Go on? {{ x }}"}
    return Conversion(given, task_args={**TASK_ARGS, **task_args}).by(NodeConverter(build))


def ask(operator: Any, asked: mock.Mock) -> dict[str, Any]:
    operator.render_template_fields(CONTEXT)
    with pytest.raises(TaskAwaitingInput):
        operator.execute(CONTEXT)
    return dict(asked.call_args.kwargs)


def answer(operator: Any, option: str, **params: Any) -> Any:
    event = {"chosen_options": [option], "params_input": params, "responded_by_user": {"id": "1", "name": "ann"}}
    return operator.execute_complete(CONTEXT, {**event, "responded_at": pendulum.datetime(2026, 1, 1, tz="UTC")})


@pytest.mark.parametrize(
    ("inputs", "body"), [({"description": "ask ${who}"}, "ask {{ who }}"), ({"description": None}, ""), ({}, None)]
)
def test_a_pause_shows_the_node_and_its_description(asked: mock.Mock, inputs: Any, body: Any) -> None:
    found = ask(converted(pause, inputs), asked)
    assert (found["subject"], found["body"], found["options"]) == ("Go on? {{ x }}", body, ["OK"])
    assert found["params"]["callback_data"]["schema"]["type"] == "object"


@pytest.mark.parametrize(
    ("params", "data"), [({"callback_data": {"go": 1}}, {"go": 1}), ({"callback_data": {}}, {}), ({}, {})]
)
def test_what_is_given_with_the_answer_is_the_pauses_output(params: Any, data: Any) -> None:
    returned = answer(converted(pause, {}), "OK", **params)
    assert NodeConverter(pause, PAUSE_OUTPUTS).outputs_of(returned)["callback_data"] == data


def test_nobody_goes_on_when_the_time_is_over(asked: mock.Mock) -> None:
    operator = converted(pause, {}, execution_timeout=timedelta(minutes=5))
    assert ask(operator, asked)["defaults"] is None
    assert operator.response_timeout == timedelta(minutes=5)
    assert operator.execution_timeout is None
    with pytest.raises(HITLTimeoutError):
        operator.execute_complete(CONTEXT, {"error": "over", "error_type": "timeout"})


def test_what_airflows_operators_for_people_take_can_be_given() -> None:
    users = [{"id": "ann", "name": "Ann"}]
    operator = converted(approve, APPROVAL, assigned_users=users, response_timeout=timedelta(minutes=1))
    assert (operator.assigned_users, operator.response_timeout) == (users, timedelta(minutes=1))


def test_an_approval_asks_what_sops_would_ask(asked: mock.Mock) -> None:
    found = ask(converted(approve, APPROVAL), asked)
    assert found["subject"] == "Release {{ who }}?"
    assert found["body"] == "All is green.\n\nbk_verifier: ann,bob"
    assert found["options"] == ["Approve", "Reject"]
    assert found["defaults"] is None


def test_an_approval_without_texts_has_the_name_of_the_node(asked: mock.Mock) -> None:
    found = ask(converted(approve, {"bk_approve_title": ""}), asked)
    assert (found["subject"], found["body"]) == ("Go on? {{ x }}", "")


def test_an_approval_is_an_output() -> None:
    returned = answer(converted(approve, APPROVAL), "Approve")
    assert NodeConverter(approve, APPROVE_OUTPUTS).outputs_of(returned)["approve_result"] == "通过"


def test_a_rejection_fails_the_task() -> None:
    with pytest.raises(HITLRejectException):
        answer(converted(approve, APPROVAL), "Reject")


@pytest.mark.parametrize(("blocks", "stays"), [(True, False), (False, True), ("${who}", True), ("false", True)])
def test_a_flow_that_goes_on_after_a_rejection_asks_in_sops(blocks: Any, stays: bool) -> None:
    assert (converted(approve, {**APPROVAL, "rejected_block": blocks}) is None) is stays


def test_params_of_default_args_are_not_asked_for() -> None:
    with DAG("own", schedule=None, default_args={"params": {"mine": 1}}):
        operator = PauseOperator(task_id="pause", subject="go on?", body="")
    assert list(operator.params) == ["callback_data"]

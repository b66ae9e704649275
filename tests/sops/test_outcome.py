from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_sops.sops.errors import (
    SopsConnectionError,
    SopsError,
    SopsNotFoundError,
    SopsTaskExpiredError,
    SopsTaskFailedError,
    SopsTaskRevokedError,
)
from airflow_provider_sops.sops.next_steps import NextSteps
from airflow_provider_sops.sops.node_result import NodeOutcome, NodeResult
from airflow_provider_sops.sops.outcome import node_error, outcome_error
from airflow_provider_sops.sops.wait_result import FailedNode, Outcome, WaitResult

STEPS = NextSteps("repair it", "start it", "forget it", "allow more", "join it", "claim it")
URL = "http://sops.example.com/taskflow/execute/1/?instance_id=25"


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome.FAILED, SopsTaskFailedError),
        (Outcome.PERSON_NEEDED, SopsTaskFailedError),
        (Outcome.REVOKED, SopsTaskRevokedError),
        (Outcome.EXPIRED, SopsTaskExpiredError),
        (Outcome.UNKNOWN_TASK, SopsNotFoundError),
        (Outcome.UNREACHABLE, SopsConnectionError),
        (Outcome.NOT_STARTED, SopsError),
        (Outcome.TIMED_OUT, SopsError),
    ],
)
def test_each_end_but_a_good_one_is_an_error_of_its_own_kind_that_names_the_task(
    outcome: Outcome, error: type[SopsError]
) -> None:
    made = outcome_error(WaitResult(outcome), 25, URL, STEPS)

    assert type(made) is error
    assert "SOPS task 25" in str(made)
    assert made.advice


@pytest.mark.parametrize("outcome", set(Outcome) - {Outcome.FINISHED, Outcome.UNKNOWN_TASK})
def test_the_page_in_sops_is_named_where_there_is_something_to_see(outcome: Outcome) -> None:
    assert URL in str(outcome_error(WaitResult(outcome), 25, URL, STEPS))
    assert "None" not in str(outcome_error(WaitResult(outcome), 25, "", STEPS))


def test_a_failure_names_the_nodes_and_their_errors() -> None:
    nodes = (FailedNode("a", '"copy"', "disk full"), FailedNode("g", "ExclusiveGateway g"))

    made = outcome_error(WaitResult(Outcome.FAILED, "FAILED", failed_nodes=nodes), 25, URL, STEPS)

    assert isinstance(made, SopsTaskFailedError)
    assert made.reason == 'SOPS task 25 failed: node "copy": disk full; node ExclusiveGateway g'
    assert (made.failed_nodes, made.sops_task_id, made.task_url) == (('"copy"', "ExclusiveGateway g"), 25, URL)


def test_a_failure_without_a_failed_node_says_so() -> None:
    made = outcome_error(WaitResult(Outcome.FAILED, "FAILED"), 25, URL, STEPS)

    assert made.reason == "SOPS task 25 failed: SOPS does not say which node"


def test_the_reason_is_passed_on() -> None:
    assert "no route to host" in str(
        outcome_error(WaitResult(Outcome.UNREACHABLE, reason="no route to host"), 25, URL, STEPS)
    )
    assert "3540400" in str(outcome_error(WaitResult(Outcome.UNKNOWN_TASK, reason="code 3540400"), 25, URL, STEPS))


@pytest.mark.parametrize(("state", "told"), [("RUNNING", "was RUNNING after"), ("", "was without an answer after")])
def test_a_task_that_ran_out_of_time_is_told_with_its_last_state(state: str, told: str) -> None:
    assert told in str(outcome_error(WaitResult(Outcome.TIMED_OUT, state), 25, URL, STEPS))


def test_a_task_that_ran_out_of_time_is_told_with_the_node_and_the_limit() -> None:
    steps = replace(STEPS, limit="the time allowed for it, 15 s (timeout_seconds)")

    made = outcome_error(WaitResult(Outcome.TIMED_OUT, "RUNNING", 'at "copy"'), 25, URL, steps)

    assert made.headline == 'SOPS task 25 was RUNNING at "copy" after the time allowed for it, 15 s (timeout_seconds)'


@pytest.mark.parametrize(
    ("outcome", "step"),
    [
        (Outcome.FAILED, "repair it"),
        (Outcome.REVOKED, "start it"),
        (Outcome.EXPIRED, "forget it"),
        (Outcome.TIMED_OUT, "allow more"),
        (Outcome.UNREACHABLE, "join it"),
        (Outcome.NOT_STARTED, "claim it"),
    ],
)
def test_each_end_is_told_with_what_to_do_about_it(outcome: Outcome, step: str) -> None:
    assert str(outcome_error(WaitResult(outcome), 25, URL, STEPS)).endswith(step)


def test_where_a_person_is_needed_the_wait_goes_on() -> None:
    made = outcome_error(WaitResult(Outcome.PERSON_NEEDED), 25, URL, STEPS)

    assert str(made).endswith("Retry or skip the node there; this task waits for that and goes on with the flow.")


def test_a_task_that_does_not_start_may_have_a_tree_that_sops_cannot_start() -> None:
    assert "a constant that has is_meta but no meta" in str(
        outcome_error(WaitResult(Outcome.NOT_STARTED), 25, URL, STEPS)
    )


@pytest.mark.parametrize("outcome", [NodeOutcome.FAILED, NodeOutcome.TASK_OVER, NodeOutcome.TIMED_OUT])
def test_a_node_is_called_by_its_name_where_that_is_known(outcome: NodeOutcome) -> None:
    named = node_error(NodeResult(outcome), 25, "n1", URL, STEPS, label='"copy"')

    assert named.reason.startswith('node "copy" of SOPS task 25')
    assert node_error(NodeResult(outcome), 25, "n1", URL, STEPS).reason.startswith("node n1 of SOPS task 25")

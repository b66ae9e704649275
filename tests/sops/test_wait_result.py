from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.wait_result import FailedNode, Outcome, WaitPolicy, WaitResult
from tests.sops.builders import ANY_JSON, answer_with

POLICY = WaitPolicy(
    on_failed="wait",
    poll_interval_seconds=5,
    deadline=1800000000.5,
    start_deadline=None,
    max_outage_seconds=60,
    announce_failures=True,
    announced=("a:FAILED:1:0:v1",),
    overcome=("b:FAILED:1:0:v1",),
    always_fresh=True,
)
RESULT = WaitResult(
    Outcome.FAILED,
    "FAILED",
    "because",
    failed_nodes=(FailedNode("a", '"复制 \\"x\\""', "disk\nfull 🚀"), FailedNode("b", '"b"')),
    failure_marks=("a:FAILED:1:0:v1", "b:FAILED:1:0:v1"),
)


def through_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


class TestPolicy:
    @pytest.mark.parametrize("policy", [POLICY, WaitPolicy()])
    def test_it_survives_the_way_through_the_database_to_the_triggerer(self, policy: WaitPolicy) -> None:
        assert WaitPolicy.from_json(through_json(policy.to_json())) == policy

    def test_nothing_given_means_the_defaults(self) -> None:
        assert WaitPolicy.from_json({}) == WaitPolicy()

    def test_one_of_another_version_of_the_package_is_read_as_far_as_it_is_known(self) -> None:
        data = {**POLICY.to_json(), "of_tomorrow": 1}
        del data["always_fresh"]

        assert WaitPolicy.from_json(data) == replace(POLICY, always_fresh=False)

    def test_after_an_announcement_the_announced_failures_are_remembered(self) -> None:
        assert WaitPolicy(on_failed="wait").after_announcing(RESULT) == WaitPolicy(
            on_failed="wait", announced=RESULT.failure_marks
        )


class TestResult:
    @pytest.mark.parametrize("result", [RESULT, *(WaitResult(outcome) for outcome in Outcome)])
    def test_it_survives_the_way_from_the_trigger_to_the_operator(self, result: WaitResult) -> None:
        assert WaitResult.from_event(through_json(result.to_event())) == result

    @pytest.mark.parametrize("event", [None, {}, "finished", {"outcome": ""}, {"status": "success"}])
    def test_an_event_of_another_trigger_is_refused(self, event: Any) -> None:
        with pytest.raises(SopsInvalidParameterError, match="says nothing about a SOPS task"):
            WaitResult.from_event(event)

    @given(answer_with("state", "reason", "failed_nodes", "failure_marks") | ANY_JSON)
    def test_an_event_with_an_outcome_is_read_whatever_else_it_holds(self, event: Any) -> None:
        data = {**(event if isinstance(event, dict) else {"failed_nodes": event}), "outcome": "failed"}

        assert WaitResult.from_event(data).outcome == Outcome.FAILED

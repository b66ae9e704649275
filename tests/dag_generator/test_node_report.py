"""What a mirror tells of its node."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.dag_generator.node_report import NodeReport, node_xcom, report, told
from airflow_provider_sops.sops.models import NodeData
from airflow_provider_sops.sops.node_waiting import NodeOutcome, NodeResult


def data(inputs: Any, outputs: Any) -> NodeData:
    return NodeData(inputs=inputs, outputs=outputs, ex_data="", raw={})


def texts(found: NodeReport) -> list[str]:
    return [line.text for line in found.lines]


def test_inputs_outputs_and_log_are_told_and_outputs_keep_their_types() -> None:
    found = report(data({"host": "web-1"}, {"code": 200, "ok": True, "body": {"n": [1, None]}}), "line 1\nline 2\n")
    assert found.outputs == {"code": 200, "ok": True, "body": {"n": [1, None]}}
    assert texts(found) == [
        "SOPS: input \"host\" = 'web-1'",
        'SOPS: output "code" = 200',
        'SOPS: output "ok" = True',
        "SOPS: output \"body\" = {'n': [1, None]}",
        "SOPS: | line 1",
        "SOPS: | line 2",
    ]


def test_a_password_is_hidden_wherever_it_occurs() -> None:
    found = report(
        data({"token": "hunter2", "command": "login -p hunter2"}, {"echo": ["x hunter2 y"], "n": {"deep": "hunter2"}}),
        "logging in with hunter2",
        ["token"],
    )
    assert found.outputs == {"echo": ["x *** y"], "n": {"deep": "***"}}
    assert "hunter2" not in "".join(texts(found))
    assert "SOPS: input \"token\" = '***'" in texts(found)


def test_a_password_inside_a_structure_is_hidden_too() -> None:
    found = report(data({"form": {"users": [{"password": "hunter2"}]}}, {"said": "hunter2"}), "", ["form"])
    assert "hunter2" not in f"{texts(found)}{found.outputs}"


@pytest.mark.parametrize("secret", ["", "ab", None, 7])
def test_what_is_too_short_to_be_a_secret_hides_nothing_but_itself(secret: Any) -> None:
    found = report(data({"token": secret}, {"text": "abc 7"}), "", ["token"])
    assert found.outputs == {"text": "abc 7"}
    assert texts(found)[0] == "SOPS: input \"token\" = '***'"


def test_text_of_sops_cannot_pass_for_a_line_of_airflow() -> None:
    found = report(data({"a\nb": "x\ny"}, {}), "1\x1b[31mred")
    assert all("\n" not in text.replace("\n    ", "") and "\x1b" not in text for text in texts(found))


def test_times_retries_and_rounds_are_told() -> None:
    result = NodeResult(NodeOutcome.FINISHED, "FINISHED", loop=3, retry=1, start_time="t1", finish_time="t2")
    assert [line.text for line in told(result)] == ["SOPS: began t1, ended t2, took 0 s.", "SOPS: 1 retries, 3 rounds."]


@pytest.mark.parametrize("outcome", [NodeOutcome.SKIPPED, NodeOutcome.ERROR_IGNORED])
def test_a_failure_that_the_flow_passed_over_is_told(outcome: NodeOutcome) -> None:
    (line,) = told(NodeResult(outcome))
    assert "It failed" in line.text


def test_the_xcom_says_which_node_of_which_task() -> None:
    pushed = node_xcom(NodeResult(NodeOutcome.FINISHED, "FINISHED"), 7, "n1")
    assert (pushed["outcome"], pushed["state"], pushed["sops_task_id"], pushed["node_id"]) == (
        "finished",
        "FINISHED",
        7,
        "n1",
    )

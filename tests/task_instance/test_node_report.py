"""What a mirror tells of its node."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.models import NodeData, TaskDetail
from airflow_provider_sops.sops.node_result import NodeOutcome, NodeResult
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.task_instance.node_report import NodeReport, node_xcom, report, status_lines
from tests.sops.builders import activity, password, pipeline_tree


def data(inputs: Any, outputs: Any) -> NodeData:
    return NodeData(inputs=inputs, outputs=outputs, ex_data="", raw={})


def told_of(found: NodeData, log_text: str = "", **inputs: Any) -> NodeReport:
    """Report on the only node of a task whose password is hunter2.

    :param inputs: what its inputs are rendered from.
    """
    node = activity("a")
    node["component"]["data"] = {name: {"value": value} for name, value in inputs.items()}
    constants = {"${pw}": password("${pw}", "hunter2")} if inputs else {}
    tree = pipeline_tree("s > a > e", nodes={"a": node}, constants=constants)
    return report("a", found, log_text, TaskSecrets([TaskDetail.read({"pipeline_tree": tree})]))


def texts(found: NodeReport) -> list[str]:
    return [line.text for line in found.lines]


def test_inputs_outputs_and_log_are_told_and_outputs_keep_their_types() -> None:
    found = told_of(data({"host": "web-1"}, {"code": 200, "ok": True, "body": {"n": [1, None]}}), "line 1\nline 2\n")
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
    found = told_of(
        data({"token": "hunter2", "command": "login -p hunter2"}, {"echo": ["x hunter2 y"], "n": {"deep": "hunter2"}}),
        "logging in with hunter2",
        token="${pw}",
        command="login -p ${pw}",
    )
    assert found.outputs == {"echo": ["x *** y"], "n": {"deep": "***"}}
    assert "hunter2" not in "".join(texts(found))
    assert "SOPS: input \"token\" = '***'" in texts(found)


def test_a_password_inside_a_structure_is_hidden_too() -> None:
    given = {"users": [{"password": "${pw}"}]}
    found = told_of(data({"form": {"users": [{"password": "hunter2"}]}}, {"said": "hunter2"}), form=given)
    assert "hunter2" not in f"{texts(found)}{found.outputs}"


@pytest.mark.parametrize("secret", ["", "ab", None, 7])
def test_what_is_too_short_to_be_a_secret_hides_nothing_but_itself(secret: Any) -> None:
    found = told_of(data({"token": secret}, {"text": "abc 7"}), token="${pw}")
    assert found.outputs == {"text": "abc 7"}
    assert texts(found)[0] == "SOPS: input \"token\" = '***'"


def test_text_of_sops_cannot_pass_for_a_line_of_airflow() -> None:
    found = told_of(data({"a\nb": "x\ny"}, {}), "1\x1b[31mred")
    assert all("\n" not in text.replace("\n    ", "") and "\x1b" not in text for text in texts(found))


def test_what_the_engine_wrote_is_left_out() -> None:
    found = told_of(
        data({}, {}), "root_pipeline[n1] node(n2) actvity hydrated context: {'pw': 'x'}\nsaid by the plugin"
    )
    assert texts(found) == ["SOPS: | said by the plugin"]


def test_times_retries_and_rounds_are_told() -> None:
    began, ended = "2026-11-29 15:03:01 +0800", "2026-11-29 15:03:06 +0800"
    result = NodeResult(
        NodeOutcome.FINISHED,
        "FINISHED",
        loop=3,
        retry=1,
        start_time=began,
        finish_time=ended,
        elapsed_seconds=5,
    )
    assert [line.text for line in status_lines(result)] == [
        (
            "SOPS: began 2026-11-29 07:03:01 UTC, ended 2026-11-29 07:03:06 UTC, took 5 s"
            " (began 2026-11-29 15:03:01 +0800 in SOPS's time zone)."
        ),
        "SOPS: retried once, round 3 of its loop.",
    ]


def test_a_time_that_cannot_be_read_is_told_as_it_is() -> None:
    result = NodeResult(NodeOutcome.FAILED, "FAILED", start_time="soon")
    assert [line.text for line in status_lines(result)] == ["SOPS: began soon, has not ended."]


def test_what_the_engine_adds_to_inputs_and_outputs_is_not_told() -> None:
    found = told_of(data({"_loop": 1, "_inner_loop": 1}, {"_result": True, "_loop": 1, "_inner_loop": 1, "code": 200}))
    assert texts(found) == ['SOPS: output "code" = 200']
    assert found.outputs == {"_result": True, "_loop": 1, "_inner_loop": 1, "code": 200}


@pytest.mark.parametrize("outcome", [NodeOutcome.SKIPPED, NodeOutcome.ERROR_IGNORED])
def test_a_failure_that_the_flow_passed_over_is_told(outcome: NodeOutcome) -> None:
    (line,) = status_lines(NodeResult(outcome))
    assert "It failed" in line.text


def test_the_xcom_says_which_node_of_which_task() -> None:
    pushed = node_xcom(NodeResult(NodeOutcome.FINISHED, "FINISHED"), 7, "n1")
    assert (pushed["outcome"], pushed["state"], pushed["sops_task_id"], pushed["node_id"]) == (
        "finished",
        "FINISHED",
        7,
        "n1",
    )

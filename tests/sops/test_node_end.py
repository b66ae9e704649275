"""How a node has ended, by its row in the task's status."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.sops.models import NodeStatus, TaskStatus
from airflow_provider_sops.sops.node_end import detail_arguments, end_in, node_result, without_engine_lines
from airflow_provider_sops.sops.node_result import NodeOutcome


def status(state: str = "FINISHED", task_state: str = "FINISHED", **row: Any) -> TaskStatus:
    node = {"id": "a", "state": state, **row}
    return TaskStatus.read({"state": task_state, "children": {"a": node}, "ex_data": {"a": "exit code 1"}})


def row_of(found: TaskStatus) -> NodeStatus:
    row = found.at(("a",))
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (status(), NodeOutcome.FINISHED),
        (status(skip=True), NodeOutcome.SKIPPED),
        (status(error_ignorable=True), NodeOutcome.ERROR_IGNORED),
        (status("FAILED", "FAILED"), NodeOutcome.FAILED),
        (status("FAILED", "REVOKED", skip=True), NodeOutcome.FAILED),
        (status("RUNNING", "REVOKED"), NodeOutcome.TASK_OVER),
    ],
)
def test_the_row_tells_the_end(found: TaskStatus, outcome: NodeOutcome) -> None:
    result = end_in(found, row_of(found))
    assert (result.outcome, result.task_state) == (outcome, found.state.value)
    assert result.error == ("exit code 1" if outcome == NodeOutcome.FAILED else "")


def test_a_result_has_all_that_the_row_says() -> None:
    found = status(version="v3", loop=2, retry=1, start_time="2026-11-20 18:34:08 +0800", elapsed_time=9)
    result = node_result(NodeOutcome.TIMED_OUT, row_of(found), "RUNNING", reason="the time is up")
    assert (result.state, result.task_state, result.version) == ("FINISHED", "RUNNING", "v3")
    assert (result.loop, result.retry, result.elapsed_seconds) == (2, 1, 9)
    assert (result.start_time, result.reason) == ("2026-11-20 18:34:08 +0800", "the time is up")


def test_a_node_that_was_never_seen_has_no_state() -> None:
    result = node_result(NodeOutcome.NEVER_RUNS, None, "FINISHED")
    assert (result.state, result.task_state) == ("", "FINISHED")


@pytest.mark.parametrize(
    ("path", "plugin", "arguments"),
    [
        (("a",), "", {"node_id": "a", "component_code": None, "subprocess_stack": None}),
        (("s", "t", "a"), "bk_job", {"node_id": "a", "component_code": "bk_job", "subprocess_stack": ["s", "t"]}),
    ],
)
def test_a_node_is_asked_for_with_the_subprocesses_around_it(path: Any, plugin: str, arguments: Any) -> None:
    assert detail_arguments(path, plugin) == arguments


ENGINE = """\
root pipeline[n1] before execute ServiceActivity(n2) state: None
root_pipeline[n1] node(n2) activity execute data: <Data: {'inputs': {}}>, root inputs: {}
root_pipeline[n1] node(n2) activity context values: [<ContextValue: {'key': '${pw}', 'value': 'x', 'code': 'password'}>]
root_pipeline[n1] node(n2) actvity hydrated context: {'pw': 'x'}
pipeline resolve template[${pw.x}] error['str' object has no attribute 'x']
constant content(${pw.x}) is invalid, data({'pw': 'x'}), error: no attribute
[pipeline-trace](root_pipeline: n1) execute node n3
top_pipeline(n1) pre_render_keys results are: {'${pw}': 'x'}
[exclusive_gateway] evaluation parse error: x""".splitlines()
PLUGIN = ["asks admin to approve", "", "the pipeline[n1] of ours", "a constant content", "[INFO] ready"]


@pytest.mark.parametrize("stamp", ["", "[2026-03-02 09:00:00,123][INFO] "])
@pytest.mark.parametrize("line", ENGINE)
def test_a_line_of_the_engine_is_left_out(line: str, stamp: str) -> None:
    assert without_engine_lines(f"before\n{stamp}{line}\nafter" if not stamp else f"{stamp}{line}") == (
        "" if stamp else "before\nafter"
    )


def test_all_that_the_plugin_wrote_is_kept() -> None:
    log = "\n".join([*ENGINE, *PLUGIN, *ENGINE[-3:]])
    assert without_engine_lines(log).splitlines() == PLUGIN


def test_lines_without_a_stamp_belong_to_the_entry_before_them() -> None:
    log = (
        "[2026-03-02 09:00:00,123][INFO] root_pipeline[n1] node(n2) context values: first\nsecond x\n"
        "[2026-03-02 09:00:01,000][INFO] script says\nsecond line of the script\n"
        "[2026-03-02 09:00:02,000][ERROR] root_pipeline[n1] node(n2) context hydrate error\nTraceback\n  x\nError: x"
    )
    assert without_engine_lines(log) == "[2026-03-02 09:00:01,000][INFO] script says\nsecond line of the script"


def test_a_traceback_goes_with_the_engines_line_before_it() -> None:
    traceback = 'Traceback (most recent call last):\n  File "a.py", line 1, in x\n    y(x)\nValueError: x\n'
    chained = "\nDuring handling of the above exception, another exception occurred:\n\n"
    log = f"root_pipeline[n1] node(n2) context hydrate error\n{traceback}{chained}{traceback}plugin\n{traceback}"
    assert without_engine_lines(log) == f"plugin\n{traceback}".rstrip("\n")

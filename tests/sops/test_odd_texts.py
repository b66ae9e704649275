"""A server whose texts are made to fool whoever reads the log: in every place where a text of its own may end up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.cli.show import outline
from airflow_provider_sops.service.http import HttpResponse
from airflow_provider_sops.sops.answer import read_response
from airflow_provider_sops.sops.endpoints import endpoint
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import CreatedTask, NodeData, TaskDetail, TaskStatus, read_tasks_status
from airflow_provider_sops.sops.next_steps import SENSOR_STEPS
from airflow_provider_sops.sops.node_end import end_in
from airflow_provider_sops.sops.outcome import node_error, outcome_error
from airflow_provider_sops.sops.pipeline_tree.content import differences
from airflow_provider_sops.sops.pipeline_tree.snapshot import read_snapshot
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.task_instance.node_report import node_xcom, report, status_lines
from tests.service.odd_texts import LONG_TEXTS, ODD_TEXTS, is_harmless
from tests.sops.builders import activity, constant, failed_task, node, pipeline_tree, task_status
from tests.sops.simulated_wait import SimulatedWait

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXTS = (*ODD_TEXTS, *LONG_TEXTS)

pytestmark = pytest.mark.parametrize("odd", _TEXTS, ids=range(len(_TEXTS)))


def check(texts: Iterator[str] | list[str]) -> None:
    for text in texts:
        assert is_harmless(text), text[:300]
        assert all(line.startswith("  ") for line in text.split("\n")[1:]), text[:300]


def test_the_lines_and_the_error_of_a_wait(odd: str) -> None:
    tree = pipeline_tree("s > a > b > e", nodes={"b": {**activity("b", odd), "name": odd, "type": odd}})
    wait = SimulatedWait(WaitPolicy(on_failed="fail"), tree, task_url="http://sops/")
    wait.answer(task_status("RUNNING", {"a": node("RUNNING", odd), odd: node("RUNNING", "")}))
    wait.answer(task_status(odd or "RUNNING", {"a": node(odd, odd, start_time=odd, finish_time=odd)}))
    failed = failed_task(error=odd, others={odd: node("FAILED", "", version=odd), "b": node("FAILED", "")})
    for _ in range(4):
        if wait.result is None:
            wait.answer(failed)
    assert wait.result is not None
    error = outcome_error(wait.result, 25, "http://sops/", SENSOR_STEPS)
    check([*wait.lines, *wait.warnings, str(error)])


def test_the_state_in_an_error_and_in_xcom(odd: str) -> None:
    status = TaskStatus.read({"state": odd, "children": {}, "name": odd})
    check([status.state, str(outcome_error(WaitResult(Outcome.TIMED_OUT, status.state), 25, "", SENSOR_STEPS))])


def test_what_a_node_tells(odd: str) -> None:
    row = node("FAILED", odd, version=odd, start_time=odd, finish_time=odd)
    status = TaskStatus.read({**failed_task(error=odd), "children": {"a": row}})
    result = end_in(status, status.nodes["a"])
    found = report("a", NodeData({odd: odd}, {odd: [odd]}, odd, {}), odd, TaskSecrets(()))
    lines = [line.text for line in (*status_lines(result), *found.lines)]
    pushed = node_xcom(result, 25, "a")
    check(
        [*lines, str(node_error(result, 25, "a", "http://sops/", SENSOR_STEPS)), pushed["start_time"], pushed["error"]]
    )


def test_addresses_are_of_the_web_or_none(odd: str) -> None:
    address = f"http://sops/{odd}"
    read = [
        CreatedTask.read({"task_id": 1, "task_url": address}).task_url,
        TaskDetail.read({"id": 1, "task_url": f"javascript:{odd}"}).task_url,
        *(
            status.url
            for status in read_tasks_status([{"id": 1, "status": {"state": "RUNNING"}, "url": address}]).values()
        ),
    ]
    assert read == ["", "", ""]


@pytest.mark.parametrize("status", [200, 302, 500, 502])
def test_errors_of_calls(odd: str, status: int) -> None:
    answer = {
        "result": False,
        "code": odd,
        "message": {"field": [odd]},
        "trace_id": odd,
        "request_id": odd,
        "data": odd,
    }
    header = odd.encode(errors="replace").decode("latin-1").replace("\n", " ")
    headers = {"Content-Type": header, "Location": f"/{header}", "X-Bkapi-Error-Message": header}
    for body in (json.dumps(answer).encode(), f"<p>{odd}</p>".encode(errors="replace"), b""):
        with pytest.raises(SopsError) as caught:
            read_response(endpoint("get_task_status"), HttpResponse(status, headers, body))
        check([str(caught.value), str(caught.value.code or ""), caught.value.trace_id or ""])


def test_what_airflow_sops_shows_of_a_tree(odd: str) -> None:
    tree = pipeline_tree(
        "s > a > g > e",
        nodes={"a": {**activity(odd, odd), "type": "ServiceActivity"}, "g": odd},
        constants={odd: constant(odd, odd, name=odd, source_info={odd: [odd]}, source_type="component_outputs")},
        outputs=[odd],
    )
    content = {"format": "airflow-sops snapshot", "content_hash": odd, "pipeline_tree": tree}
    template = {"id": 8, "name": odd, "source": odd, "project_name": odd, "edit_time": odd, "bk_biz_id": odd}
    snapshot = read_snapshot({**content, "template": template})
    shown = outline(snapshot)
    assert is_harmless(shown, longest=60_000)
    assert "forged line" not in [line.strip() for line in shown.splitlines()]
    other = read_snapshot(pipeline_tree("s > a > e"))
    check([str(SopsError("; ".join(differences(snapshot.tree, other.tree))))])

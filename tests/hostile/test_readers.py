"""Every reader takes everything: what it raises is named, and its time grows no faster than the answer."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_sops.enos import calls as enos_calls
from airflow_provider_sops.enos.answer import read_response as read_enos_response
from airflow_provider_sops.enos.endpoints import endpoint as enos_endpoint
from airflow_provider_sops.enos.errors import EnosError
from airflow_provider_sops.enos.instance_wait import InstanceWait
from airflow_provider_sops.enos.models import FlowInstance, TaskInstance
from airflow_provider_sops.enos.verdict import Snapshot, snapshot_of_flow, snapshot_of_task
from airflow_provider_sops.enos.wait_result import WaitPolicy as EnosWaitPolicy
from airflow_provider_sops.service.calls import UnusableDataError
from airflow_provider_sops.service.http import HttpResponse
from airflow_provider_sops.service.json_text import read_json
from airflow_provider_sops.service.reading import read_id, read_int, read_text, read_time
from airflow_provider_sops.service.storable import storable
from airflow_provider_sops.service.text import quoted, shortened, shown_words
from airflow_provider_sops.sops.answer import read_response
from airflow_provider_sops.sops.calls import creation, nodes, tasks, templates
from airflow_provider_sops.sops.constants import variable_name
from airflow_provider_sops.sops.endpoints import endpoint
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskDetail, TaskStatus
from airflow_provider_sops.sops.node_end import without_engine_lines
from airflow_provider_sops.sops.pipeline_tree import PipelineTree, TreeIndex
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.waiting.model import Look

if TYPE_CHECKING:
    from collections.abc import Callable

bounded = settings(
    max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

_TEXTS = st.sampled_from(
    [
        "",
        " ",
        "x",
        "FINISHED",
        "FAILED",
        "RUNNING",
        "7",
        "-7",
        "1" * 30,
        "\0",
        "\ud800",
        "${a}",
        "<class 'x'>",
        "{}",
        "[[",
    ]
)
_LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | _TEXTS | st.text(max_size=4)
)  # fmt: skip
_KEYS = st.sampled_from(["id", "state", "children", "a", "", "\0", "__type", "__var", "activities", "type"])
ODD = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=8
)
_FIELDS = (
    "id", "name", "state", "status", "children", "loop", "retry", "skip", "version", "elapsed_time", "start_time",
    "finish_time", "ex_data", "auto_retry_status", "failed_node_info", "task_id", "task_url", "pipeline_tree",
    "outputs", "inputs", "constants", "template_id", "histories", "instanceId", "flowId", "graph", "parameters",
    "statusDesc", "stsDesc", "runMode", "recallNum", "recallLimit", "flowInsts", "count", "flowInstanceId", "log",
)  # fmt: skip
_TREE_FIELDS = (
    "activities", "gateways", "flows", "start_event", "end_event", "constants", "outputs", "line", "location",
)  # fmt: skip
OBJECTS = st.fixed_dictionaries({}, optional=dict.fromkeys(_FIELDS, ODD))
ROWS = st.dictionaries(_KEYS, OBJECTS, max_size=3)
STATUSES = st.fixed_dictionaries(
    {"state": st.sampled_from(["RUNNING", "FAILED", "FINISHED", "SUSPENDED", "REVOKED", "x"])},
    optional={**dict.fromkeys(_FIELDS[4:18], ODD), "children": ROWS},
)

SOPS_CALLS = (
    tasks.get_task_status(7),
    tasks.get_task_detail(7),
    tasks.get_task_list(),
    creation.create_task(9, "flow"),
    tasks.start_task(7),
    next(tasks.get_tasks_status([7])),
    nodes.get_task_node_detail(7, "n"),
    nodes.get_task_node_data(7, "n"),
    nodes.get_task_node_log(7, "n"),
    templates.get_template_info(9),
    templates.get_template_list(),
    templates.get_template_schemes(9),
)
ENOS_CALLS = (
    enos_calls.get_flow_instance("7-1"),
    enos_calls.get_task_instance("7-1"),
    enos_calls.get_task_instance_log("7-1"),
    enos_calls.trigger_flow(7, 0),
    next(enos_calls.find_flow_instances(0, from_trigger_time=0, to_trigger_time=1)),
)


def of_sops(data: Any) -> Any:
    return read_response(endpoint("get_task_status"), _response({"result": True, "data": data}))


def of_enos(data: Any) -> Any:
    return read_enos_response(enos_endpoint("get_flow_instance"), _response({"code": 0, "data": data}))


def _response(content: Any) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps(content).encode("utf-8", "surrogatepass"))


class TestAnything:
    @bounded
    @given(OBJECTS | ODD | st.lists(OBJECTS, max_size=2))
    def test_a_call_gives_a_result_or_a_named_error(self, data: Any) -> None:
        for call in SOPS_CALLS:
            with contextlib.suppress(SopsError, UnusableDataError):
                call.read(of_sops(data))
        for call in ENOS_CALLS:
            with contextlib.suppress(EnosError, UnusableDataError):
                call.read(of_enos(data))

    @bounded
    @given(st.binary(max_size=60) | ODD.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
    def test_a_body_is_an_answer_or_a_named_error(self, body: bytes) -> None:
        for status in (200, 302, 429, 500):
            response = HttpResponse(status, {"Retry-After": body.decode("latin-1")}, body)
            with contextlib.suppress(SopsError):
                read_response(endpoint("get_task_status"), response)
            with contextlib.suppress(EnosError):
                read_enos_response(enos_endpoint("get_flow_instance"), response)

    @bounded
    @given(st.lists(STATUSES, min_size=1, max_size=3), OBJECTS)
    def test_a_wait_takes_in_every_status(self, statuses: list[Any], detail: Any) -> None:
        known = TaskDetail.read(storable(detail))
        secrets = TaskSecrets([known]).work_out()
        wait = TaskWait(WaitPolicy(), 0.0, secrets.named(TreeIndex(known.pipeline_tree)))
        for number, status in enumerate(statuses):
            look = Look(0.0, with_details=number % 2 == 0)
            update = wait.see(secrets.status(TaskStatus.read(storable(status))), look, number * 20.0)
            json.dumps([line.text for line in update.lines])
            if update.result is not None:
                json.dumps(update.result.to_event(), allow_nan=False).encode()
                break

    @bounded
    @given(st.fixed_dictionaries({}, optional=dict.fromkeys(_TREE_FIELDS, ODD | ROWS)))
    def test_a_tree_is_read_or_refused(self, tree: Any) -> None:
        TreeIndex(storable(tree))
        with contextlib.suppress(SopsError):
            read = PipelineTree(storable(tree))
            read.map_to_task(read)

    @bounded
    @given(st.lists(OBJECTS, min_size=1, max_size=3))
    def test_so_does_one_for_an_instance(self, answers: list[Any]) -> None:
        readings: tuple[Callable[[Any], Snapshot], ...] = (
            lambda data: snapshot_of_flow(FlowInstance.read(data)),
            lambda data: snapshot_of_task(TaskInstance.read(data)),
        )
        for read in readings:
            wait = InstanceWait(EnosWaitPolicy(), 0.0)
            for number, data in enumerate(answers):
                update = wait.see(read(storable(data)), Look(0.0), number * 20.0)
                if update.result is not None:
                    json.dumps(update.result.to_event(), allow_nan=False).encode()
                    break


#: What makes a careless pattern try again and again.
UNITS = {
    "blanks": " ",
    "tabs": "\t",
    "line ends": "\n",
    "digits": "9",
    "zeros": "0",
    "brackets": "<",
    "tags": "<a",
    "variables": "${",
    "closings": "}",
    "escapes": "\\u0000",
    "backslashes": "\\",
    "quotes": '"',
    "slashes": "/",
    "question marks": "/a?",
    "stamps": "[2026-11-20 10:00:00",
    "NUL": "\0",
    "surrogates": "\ud800",
    "emoji": "😀",
    "carriage returns": "\r",
    "words": "root pipeline[",
    "numbers": "1e5,",
    "offsets": " +08:00",
    "lists": "[1,",
    "objects": '{"a":',
}
#: How each text reader is called; most are given what stands in one field of an answer.
TEXT_READERS: dict[str, Callable[[str], Any]] = {
    "read_time": read_time,
    "read_int": read_int,
    "read_id": read_id,
    "read_text": read_text,
    "read_json": lambda text: _or_nothing(read_json, text),
    "read_json of bytes": lambda text: _or_nothing(read_json, text.encode("utf-8", "surrogatepass")),
    "shown_words": shown_words,
    "shortened": shortened,
    "quoted": quoted,
    "without_engine_lines": without_engine_lines,
    "variable_name": variable_name,
    "the key in a name": lambda text: TaskKey.in_name(f"flow #{'a' * 13}-{text}"),
    "a foreign page": lambda text: _or_nothing(
        lambda body: read_response(endpoint("get_task_status"), HttpResponse(502, {"Retry-After": text}, body)),
        text.encode("utf-8", "surrogatepass"),
    ),
    "an instance": lambda text: FlowInstance.read({"graph": text, "parameters": text, "status": text}).to_json(),
}


@pytest.mark.parametrize(
    ("unit", "reader"),
    [pytest.param(unit, reader, id=f"long {unit} | {reader}") for unit in UNITS for reader in TEXT_READERS],
)
def test_long_texts_are_read_in_linear_time(unit: str, reader: str) -> None:
    read, piece = TEXT_READERS[reader], UNITS[unit]
    text = piece * (400_000 // len(piece))
    began = time.process_time()

    read(text)
    read(f"x{text}x")

    assert time.process_time() - began < 1.0


def many_rows(number: int) -> dict[str, Any]:
    return {f"n{each}": {"id": f"n{each}", "state": "FAILED", "name": "a"} for each in range(number)}


@pytest.mark.parametrize("number", [20_000])
def test_many_nodes_are_judged_in_linear_time(number: int) -> None:
    status = TaskStatus.read({"state": "FAILED", "children": many_rows(number)})
    graph = {"tasks": [{"taskName": "a", "taskInstId": str(each), "status": "FAIL"} for each in range(number)]}
    instance = FlowInstance.read({"instanceId": "7-1", "status": -1, "graph": graph})
    began = time.process_time()

    wait = TaskWait(WaitPolicy(), 0.0, TreeIndex({}))
    for now in (0.0, 5.0, 10.0):
        wait.see(status, Look(0.0, with_details=True), now)
    InstanceWait(EnosWaitPolicy(), 0.0).see(snapshot_of_flow(instance), Look(0.0), 0.0)

    assert time.process_time() - began < 6.0


def test_an_answer_of_countless_values_is_refused_before_it_is_parsed() -> None:
    body = b'{"result":true,"data":[' + b"[]," * 2_000_000 + b"0]}"
    began = time.process_time()

    with pytest.raises(SopsError, match="broken JSON or not an object"):
        read_response(endpoint("get_task_status"), HttpResponse(200, {}, body))

    assert time.process_time() - began < 1.0


def _or_nothing(read: Callable[[Any], Any], value: Any) -> None:
    with contextlib.suppress(ValueError, SopsError):
        read(value)

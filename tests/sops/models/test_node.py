from __future__ import annotations

from typing import Any

from hypothesis import given

from airflow_provider_sops.sops.models import NodeData, NodeDetail
from tests.sops.builders import answer_with, node

OUTPUTS = [
    {"key": "code", "value": 500, "name": "状态码", "preset": True},
    {"key": "_result", "value": False, "name": "执行结果", "preset": True},
]


def test_outputs_of_a_list_are_found_by_key() -> None:
    assert NodeData.read({"outputs": OUTPUTS}).outputs == {"code": 500, "_result": False}


def test_outputs_of_an_object_are_taken_as_they_are() -> None:
    assert NodeData.read({"outputs": {"code": 200}}).outputs == {"code": 200}


def test_a_failed_node_has_its_error_text_and_another_one_none() -> None:
    assert NodeData.read({"ex_data": "请求失败"}).ex_data == "请求失败"
    assert NodeData.read({"ex_data": None}).ex_data == ""


def test_the_text_form_shows_neither_inputs_nor_outputs_which_may_be_secret() -> None:
    data = {"inputs": {"password": "hunter2"}, "outputs": {"token": "hunter2"}, "histories": [{"inputs": "hunter2"}]}

    assert "hunter2" not in repr(NodeData.read(data))
    assert "hunter2" not in repr(NodeDetail.read(data))


def test_a_detail_has_the_nodes_course_and_its_earlier_tries() -> None:
    detail = NodeDetail.read(
        {
            **node("FAILED", "call", retry=1, loop=2),
            "id": "n1",
            "inputs": {"bk_timing": "2"},
            "outputs": OUTPUTS,
            "ex_data": "请求失败",
            "histories": [{"ex_data": "first"}, "?"],
        }
    )

    assert (detail.id, detail.name, detail.state) == ("n1", "call", "FAILED")
    assert (detail.loop, detail.retry, detail.skip) == (2, 1, False)
    assert (detail.data.inputs, detail.data.outputs["code"], detail.data.ex_data) == (
        {"bk_timing": "2"},
        500,
        "请求失败",
    )
    assert detail.histories == ({"ex_data": "first"}, {})
    assert (str(detail.start_time), str(detail.finish_time)) == (
        "2026-03-02 09:00:00+08:00",
        "2026-03-02 09:00:07+08:00",
    )


def test_a_node_that_was_not_reached_is_ready_and_has_no_times() -> None:
    detail = NodeDetail.read({"id": "n1", "state": "READY", "start_time": "", "finish_time": ""})

    assert (detail.state, detail.start_time, detail.finish_time, detail.loop) == ("READY", None, None, 1)


@given(answer_with("id", "name", "state", "inputs", "outputs", "ex_data", "histories", "loop", "retry", "start_time"))
def test_no_answer_stops_the_reading_of_a_node(data: Any) -> None:
    detail = NodeDetail.read(data)

    assert all(isinstance(key, str) for key in detail.data.outputs)
    assert detail.start_time is None or detail.start_time.utcoffset() is not None

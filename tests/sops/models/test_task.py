from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.models import CreatedTask, TaskDetail, TaskListItem
from tests.sops.builders import answer_with, constant, password, pipeline_tree

DETAIL = {
    "id": 12,
    "name": "deploy",
    "task_url": "http://sops/12",
    "template_id": 3,
    "start_time": "2026-03-02 09:00:00 +0800",
    "finish_time": "2026-03-02 09:00:07 +0800",
    "outputs": [
        {"key": "${code}", "value": 200, "name": "code"},
        {"key": "${hosts}", "value": ["10.0.0.1"], "name": "hosts"},
        {"key": "${token}", "value": "hunter2", "name": "token"},
    ],
    "constants": {"${code}": constant("${code}"), "${token}": password("${token}")},
    "pipeline_tree": pipeline_tree("start > a > end"),
}


class TestCreatedTask:
    def test_it_has_the_new_id_the_address_and_the_tree(self) -> None:
        tree = pipeline_tree("start > a > end")

        created = CreatedTask.read({"task_id": 41, "task_url": "http://sops/41", "pipeline_tree": tree})

        assert (created.task_id, created.task_url, created.pipeline_tree) == (41, "http://sops/41", tree)

    def test_an_old_servers_text_id_is_a_number(self) -> None:
        assert CreatedTask.read({"task_id": "41"}).task_id == 41

    @pytest.mark.parametrize("data", [None, {}, [], {"task_id": None}])
    def test_an_answer_that_names_no_task_has_no_valid_id(self, data: Any) -> None:
        assert CreatedTask.read(data).task_id == -1


class TestTaskDetail:
    def test_outputs_are_by_name_and_keep_their_json_types(self) -> None:
        assert TaskDetail.read(DETAIL).outputs == {"code": 200, "hosts": ["10.0.0.1"], "token": "hunter2"}

    def test_a_password_is_not_among_the_outputs_to_show(self) -> None:
        detail = TaskDetail.read(DETAIL)

        assert detail.password_names == {"token"}
        assert detail.shown_outputs == {"code": 200, "hosts": ["10.0.0.1"]}

    def test_its_text_form_shows_no_values(self) -> None:
        assert "hunter2" not in repr(TaskDetail.read(DETAIL))

    def test_times_are_zone_aware(self) -> None:
        detail = TaskDetail.read(DETAIL)

        assert (str(detail.start_time), str(detail.finish_time)) == (
            "2026-03-02 09:00:00+08:00",
            "2026-03-02 09:00:07+08:00",
        )

    @pytest.mark.parametrize("unset", ["", None])
    def test_a_task_that_runs_has_no_finish_time_and_no_outputs(self, unset: str | None) -> None:
        detail = TaskDetail.read({**DETAIL, "finish_time": unset, "outputs": []})

        assert (detail.finish_time, detail.outputs) == (None, {})

    def test_a_server_of_2019_has_other_names_for_some_fields_and_times_in_utc(self) -> None:
        detail = TaskDetail.read(
            {
                "id": 10,
                "business_id": 2,
                "instance_name": "job_20190117121300",
                "template_id": "266",
                "start_time": "2019-01-17 04:13:08",
                "end_time": "2019-01-17 04:13:15",
                "outputs": [{"key": "${EXIT}", "value": "0", "name": "EXIT"}],
                "ex_data": "",
            }
        )

        assert (detail.name, detail.template_id, detail.outputs) == ("job_20190117121300", 266, {"EXIT": "0"})
        assert (str(detail.start_time), str(detail.finish_time)) == (
            "2019-01-17 04:13:08+00:00",
            "2019-01-17 04:13:15+00:00",
        )

    def test_an_output_without_a_key_costs_only_that_output(self) -> None:
        detail = TaskDetail.read({"outputs": [{"value": 1}, None, {"key": "${a}"}]})

        assert detail.outputs == {"a": None}


class TestTaskListItem:
    def test_ids_are_numbers_although_the_list_gives_texts(self) -> None:
        item = TaskListItem.read(
            {
                "id": 33,
                "name": "deploy #abc",
                "template_id": "16",
                "is_started": True,
                "is_finished": False,
                "create_method": "api",
                "start_time": "2026-11-20T10:34:13.084Z",
                "finish_time": None,
            }
        )

        assert (item.id, item.template_id, item.create_method) == (33, 16, "api")
        assert (item.is_started, item.is_finished) == (True, False)
        assert item.start_time is not None
        assert item.finish_time is None


@given(answer_with("task_id", "task_url", "pipeline_tree"))
def test_no_answer_stops_the_reading_of_a_created_task(data: Any) -> None:
    assert CreatedTask.read(data).task_id >= -1


@given(answer_with("id", "name", "instance_name", "template_id", "outputs", "constants", "start_time", "end_time"))
def test_no_answer_stops_the_reading_of_a_detail(data: Any) -> None:
    detail = TaskDetail.read(data)

    assert set(detail.shown_outputs) <= set(detail.outputs)
    assert detail.start_time is None or detail.start_time.utcoffset() is not None
    assert detail.finish_time is None or detail.finish_time.utcoffset() is not None


@given(answer_with("id", "name", "is_started", "is_finished", "template_id", "create_method", "finish_time"))
def test_no_answer_stops_the_reading_of_a_list(data: Any) -> None:
    item = TaskListItem.read(data)

    assert item.id >= -1
    assert item.finish_time is None or item.finish_time.utcoffset() is not None

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.sops.models import NodeStatus, TaskState, TaskStatus, read_tasks_status
from tests.sops.builders import ANY_JSON, answer_with, created_status, node, status_of_2019, task_status

FIELDS = (
    *("id", "name", "state", "children", "loop", "retry", "skip", "error_ignored", "error_ignorable", "version"),
    *("elapsed_time", "start_time", "finish_time", "ex_data", "auto_retry_status", "failed_node_info"),
    *("status", "url"),
)


def nodes_of(**children: Any) -> dict[str, NodeStatus]:
    return dict(TaskStatus.read(task_status("RUNNING", children)).nodes)


class TestTaskState:
    @pytest.mark.parametrize("word", ["FINISHED", "REVOKED", "EXPIRED"])
    def test_these_states_never_change_again(self, word: str) -> None:
        assert TaskState(word).is_terminal

    @pytest.mark.parametrize(
        "word", ["CREATED", "READY", "RUNNING", "SUSPENDED", "NODE_SUSPENDED", "FAILED", "BLOCKED", ""]
    )
    def test_all_others_do_failed_among_them(self, word: str) -> None:
        assert not TaskState(word).is_terminal

    @pytest.mark.parametrize("word", ["BLOCKED", "ROLLING_BACK", "", "finished", "带\n新行"])
    def test_an_unknown_word_is_kept_as_it_came(self, word: str) -> None:
        state = TaskState(word)

        assert state == word
        assert str(state) == f"{state}" == state.value == state.name == word
        assert {state: 1} == {TaskState(word): 1} == {word: 1}
        assert pickle.loads(pickle.dumps(state)) == copy.deepcopy(state) == word
        assert word not in TaskState.__members__


class TestStatusOfToday:
    def test_a_task_that_has_not_begun_has_neither_id_nor_children(self) -> None:
        status = TaskStatus.read(created_status())

        assert status.state == TaskState.CREATED
        assert (status.nodes, status.nodes_known) == ({}, False)
        assert (status.start_time, status.finish_time) == (None, None)

    def test_an_empty_children_says_that_no_node_was_reached_yet(self) -> None:
        assert TaskStatus.read(task_status("RUNNING")).nodes_known

    def test_an_expired_task_has_nothing_but_state_and_name(self) -> None:
        status = TaskStatus.read({"state": "EXPIRED", "name": "deploy"})

        assert (status.state, status.name, status.nodes_known) == (TaskState.EXPIRED, "deploy", False)

    def test_times_are_zone_aware_and_an_unset_finish_is_none(self) -> None:
        status = TaskStatus.read(task_status("RUNNING"))

        assert status.start_time is not None
        assert status.start_time.isoformat() == "2026-03-02T09:00:00+08:00"
        assert status.finish_time is None

    def test_a_node_has_what_the_server_says_of_it(self) -> None:
        read = nodes_of(a=node("FINISHED", "拷贝文件", loop=3, retry=2, skip=True, version="v9", elapsed_time=41))["a"]

        assert (read.id, read.name, read.state) == ("a", "拷贝文件", "FINISHED")
        assert (read.loop, read.retry, read.skip, read.version, read.elapsed_seconds) == (3, 2, True, "v9", 41)
        assert (str(read.start_time), str(read.finish_time)) == (
            "2026-03-02 09:00:00+08:00",
            "2026-03-02 09:00:07+08:00",
        )

    def test_a_node_to_be_retried_is_ready_and_has_no_times(self) -> None:
        read = nodes_of(a=node("READY", retry=1))["a"]

        assert (read.state, read.retry, read.start_time, read.finish_time) == ("READY", 1, None, None)

    @pytest.mark.parametrize("key", ["error_ignored", "error_ignorable"])
    def test_an_ignored_error_is_said_by_either_of_two_fields(self, key: str) -> None:
        assert nodes_of(a={**node(), key: True})["a"].error_ignored
        assert not nodes_of(a=node())["a"].error_ignored

    def test_a_subprocess_holds_its_nodes(self) -> None:
        status = TaskStatus.read(
            task_status("RUNNING", {"s": node("RUNNING", "outer", {"t": node("RUNNING", "inner", {"a": node()})})})
        )

        assert [(path, found.id) for path, found in status.walk()] == [
            ((), "s"),
            (("s",), "t"),
            (("s", "t"), "a"),
        ]

    def test_error_texts_are_found_by_node(self) -> None:
        status = TaskStatus.read(
            task_status("FAILED", {"a": node("FAILED"), "b": node("FAILED")}, ex_data={"a": "disk full", "c": None})
        )

        assert [status.error_of(found) for found in status.failed_nodes] == ["disk full", ""]

    @pytest.mark.parametrize(
        ("said", "pending"),
        [
            ({"auto_retry_status": {"exist_auto_retry_nodes": True, "auto_retry_nodes": ["a"]}}, True),
            ({"auto_retry_status": {"exist_auto_retry_nodes": False, "auto_retry_nodes": []}}, False),
            ({"failed_node_info": {"a": {"node_id": "a", "auto_retry_times": 1, "max_auto_retry_times": 2}}}, True),
            ({"failed_node_info": {"b": {}, "a": {"auto_retry_times": 0, "max_auto_retry_times": 1}}}, True),
            ({"failed_node_info": {"a": {"node_id": "a", "auto_retry_times": 2, "max_auto_retry_times": 2}}}, False),
            ({"failed_node_info": {"a": {}}}, False),
            ({"failed_node_info": {}}, False),
            ({"auto_retry_status": None, "failed_node_info": None}, None),
            ({}, None),
        ],
    )
    def test_a_pending_automatic_retry_is_told_from_silence(self, said: Any, pending: bool | None) -> None:
        assert TaskStatus.read(task_status("FAILED", **said)).auto_retry_pending is pending

    def test_what_the_newer_field_says_counts_before_the_older_one(self) -> None:
        said: Any = {
            "auto_retry_status": {"exist_auto_retry_nodes": False},
            "failed_node_info": {"a": {"auto_retry_times": 0, "max_auto_retry_times": 2}},
        }
        assert TaskStatus.read(task_status("FAILED", **said)).auto_retry_pending is False


class TestFailedNodes:
    def test_a_failed_subprocess_counts_through_the_node_that_failed_inside(self) -> None:
        status = TaskStatus.read(
            task_status(
                "FAILED",
                {"s": node("FAILED", "sub", {"t": node("FAILED", "deep", {"a": node("FAILED", "boom"), "b": node()})})},
            )
        )

        assert [found.name for found in status.failed_nodes] == ["boom"]

    def test_a_subprocess_that_fails_by_itself_counts(self) -> None:
        status = TaskStatus.read(task_status("FAILED", {"s": node("FAILED", "sub", {"a": node()})}))

        assert [found.name for found in status.failed_nodes] == ["sub"]

    def test_a_gateway_without_a_matching_branch_counts_although_it_has_no_name(self) -> None:
        status = TaskStatus.read(task_status("FAILED", {"g": node("FAILED")}, ex_data={"g": "no branch"}))

        assert [(found.id, status.error_of(found)) for found in status.failed_nodes] == [("g", "no branch")]


class TestOldServers:
    def test_the_text_of_a_python_class_is_no_name(self) -> None:
        status = TaskStatus.read(status_of_2019("FAILED", {"a": ("FAILED", ""), "b": ("FINISHED", "定时")}))

        assert status.name == ""
        assert [found.name for found in status.nodes.values()] == ["", "定时"]

    def test_what_they_lack_has_its_ordinary_value(self) -> None:
        status = TaskStatus.read(status_of_2019("FAILED", {"a": ("FAILED", "")}))

        assert (status.state, status.finish_time, status.auto_retry_pending) == ("FAILED", None, None)
        assert not status.nodes["a"].error_ignored

    def test_a_duration_comes_from_the_times_where_it_is_not_given(self) -> None:
        status = TaskStatus.read(status_of_2019("RUNNING", {"a": ("FINISHED", ""), "b": ("RUNNING", "")}))

        assert [found.elapsed_seconds for found in status.nodes.values()] == [12, 0]


class TestBatch:
    def test_the_name_is_the_items_since_the_one_in_its_status_can_be_anothers(self) -> None:
        statuses = read_tasks_status(
            [{"id": 59, "name": "third", "status": created_status(name="second"), "url": "http://sops/59"}]
        )

        assert statuses[59].name == "third"
        assert (statuses[59].url, statuses[59].state) == ("http://sops/59", "CREATED")

    def test_tasks_are_found_by_id_whatever_their_order_and_the_ids_type(self) -> None:
        statuses = read_tasks_status(
            [{"id": 9, "status": task_status("RUNNING")}, {"id": "8", "status": task_status("FINISHED")}]
        )

        assert {key: status.state.value for key, status in statuses.items()} == {9: "RUNNING", 8: "FINISHED"}

    def test_nodes_are_known_only_where_they_were_asked_for(self) -> None:
        bare = task_status("RUNNING")
        del bare["children"]

        statuses = read_tasks_status([{"id": 1, "status": bare}, {"id": 2, "status": task_status("RUNNING")}])

        assert [statuses[1].nodes_known, statuses[2].nodes_known] == [False, True]

    def test_an_item_without_a_usable_id_is_left_out(self) -> None:
        assert read_tasks_status([{"id": None, "status": {}}, "?", {"status": task_status("RUNNING")}]) == {}


@given(answer_with(*FIELDS))
def test_no_answer_stops_the_reading_of_a_status(data: Any) -> None:
    status = TaskStatus.read(data)

    assert isinstance(status.state, TaskState)
    assert status.start_time is None or status.start_time.utcoffset() is not None
    assert all(found.start_time is None or found.start_time.utcoffset() for _, found in status.walk())
    assert all(status.error_of(found) is not None for found in status.failed_nodes)


@given(st.dictionaries(st.text(max_size=5), answer_with(*FIELDS), max_size=3))
def test_no_node_stops_the_reading_of_a_status(children: Any) -> None:
    status = TaskStatus.read({"state": "RUNNING", "children": children})

    assert set(status.nodes) == set(children)


@given(answer_with(*FIELDS) | st.lists(answer_with(*FIELDS), max_size=3) | ANY_JSON)
def test_no_answer_stops_the_reading_of_a_batch(data: Any) -> None:
    assert all(task_id >= 0 for task_id in read_tasks_status(data))

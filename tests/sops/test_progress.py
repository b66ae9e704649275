from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.progress import Progress
from tests.sops.builders import activity, answer_with, node, pipeline_tree, status_of_2019, subprocess, task_status

HOSTILE_TEXTS = [
    'say "hi"',
    "first\nsecond",
    "back\\slash",
    "\r\n[2026-01-01] ERROR - forged",
    "{{ ds }} ${x} %s %(a)d {0}",
    "\x1b[31mred\x00",
    "line\u2028separator\x85next",
    "🚀 发布",
    "half \ud800 a pair",
]


class Watched:
    """A ``Progress`` that is fed with children and gives its lines."""

    def __init__(self, tree: Any = None) -> None:
        self.progress = Progress(None if tree is None else TreeIndex(tree))

    def lines(self, children: Any, state: str = "RUNNING", *, with_failed: bool = True, **fields: Any) -> list[str]:
        status = TaskStatus.read(task_status(state, children, **fields))
        return [str(change) for change in self.progress.update(status, with_failed=with_failed)]


class TestWhatALineSays:
    @pytest.mark.parametrize(
        ("found", "line"),
        [
            (node("RUNNING", "copy"), 'node "copy" RUNNING'),
            (node("FINISHED", "copy", elapsed_time=41), 'node "copy" FINISHED, after 41 s'),
            (node("RUNNING", "copy", loop=3), 'node "copy" RUNNING, round 3'),
            (node("RUNNING", "copy", retry=2), 'node "copy" RUNNING, retry 2'),
            (node("FAILED", "copy", elapsed_time=1), 'node "copy" FAILED, after 1 s'),
            (node("FINISHED", "copy", skip=True), 'node "copy" FINISHED, after 7 s, skipped in SOPS after a failure'),
            (
                node("FINISHED", "copy", error_ignored=True),
                'node "copy" FINISHED, after 7 s, failed, the error is ignored as the flow says',
            ),
            (node("SUSPENDED", "copy"), 'node "copy" SUSPENDED'),
            (node("BLOCKED", "copy"), 'node "copy" BLOCKED'),
        ],
    )
    def test_it_tells_name_state_duration_round_and_retry(self, found: Any, line: str) -> None:
        assert Watched().lines({"a": found}) == [line]

    def test_a_failed_node_comes_with_its_error(self) -> None:
        lines = Watched().lines({"a": node("FAILED", "copy")}, "FAILED", ex_data={"a": "disk full\non host 1"})

        assert lines == ['node "copy" FAILED, after 7 s: disk full\n    on host 1']

    def test_another_nodes_error_is_not_its_own(self) -> None:
        assert Watched().lines({"a": node("FINISHED", "copy")}, ex_data={"a": "old"}) == [
            'node "copy" FINISHED, after 7 s'
        ]

    @pytest.mark.parametrize("plugin", ["pause_node", "bk_approve"])
    def test_a_node_that_waits_for_a_person_is_named_as_such(self, plugin: str) -> None:
        tree = pipeline_tree("start > a > end", nodes={"a": activity("审批", plugin)})
        watched = Watched(tree)

        assert watched.lines({"a": node("RUNNING", "审批")}) == ['node "审批" waits for a person (RUNNING in SOPS)']
        assert watched.lines({"a": node("FINISHED", "审批")}) == ['node "审批" FINISHED, after 7 s']

    @pytest.mark.parametrize("text", HOSTILE_TEXTS)
    def test_a_name_of_any_characters_stays_on_one_line(self, text: str) -> None:
        (line,) = Watched().lines({"a": node("RUNNING", text)})

        assert len(line.splitlines()) == 1
        assert line.isprintable()

    @pytest.mark.parametrize("text", HOSTILE_TEXTS)
    def test_no_line_of_an_error_can_pass_for_a_line_of_the_log(self, text: str) -> None:
        (line,) = Watched().lines({"a": node("FAILED", "copy")}, "FAILED", ex_data={"a": text})

        assert all(further.startswith("    ") for further in line.split("\n")[1:])
        assert line.replace("\n", "").isprintable()


class TestWhichNodesAreShown:
    def test_neither_gateways_nor_events_are_shown(self) -> None:
        assert Watched().lines({"start": node(), "p": node("RUNNING"), "a": node("RUNNING", "copy")}) == [
            'node "copy" RUNNING'
        ]

    def test_a_gateway_with_a_name_in_the_tree_is_not_shown_either(self) -> None:
        tree = pipeline_tree("start > g > end", nodes={"g": "ExclusiveGateway"})
        tree["gateways"]["g"]["name"] = "which one"

        assert Watched(tree).lines({"g": node("FINISHED")}) == []

    def test_a_gateway_that_failed_is_shown_by_its_kind(self) -> None:
        tree = pipeline_tree("start > g > end", nodes={"g": "ExclusiveGateway"})
        children = {"g": node("FAILED")}

        assert Watched(tree).lines(children, "FAILED", ex_data={"g": "no branch"}) == [
            "node ExclusiveGateway g FAILED, after 7 s: no branch"
        ]
        assert Watched().lines(children) == ["node node g FAILED, after 7 s"]

    def test_subprocesses_and_the_nodes_in_them_are_shown(self) -> None:
        tree = pipeline_tree("start > s > end", nodes={"s": subprocess("sub", pipeline_tree("s2 > b > e2"))})

        lines = Watched(tree).lines({"s": node("RUNNING", "sub", {"s2": node(), "b": node("RUNNING", "inner")})})

        assert lines == ['node "sub" RUNNING', 'node "inner" RUNNING']

    def test_the_tree_names_what_an_old_server_does_not(self) -> None:
        tree = TreeIndex(pipeline_tree("start > a > end", nodes={"a": activity("定时")}))
        status = TaskStatus.read(status_of_2019("RUNNING", {"start": ("FINISHED", ""), "a": ("FINISHED", "")}))

        assert [str(change) for change in Progress(tree).update(status)] == ['node "定时" FINISHED, after 12 s']

    def test_nodes_come_in_the_order_in_which_they_began(self) -> None:
        early, late = "2026-03-02 09:00:00 +0800", "2026-03-02 09:00:03 +0800"
        children = {"b": node("RUNNING", "second", start_time=late), "a": node("FINISHED", "first", start_time=early)}

        assert Watched().lines(children) == ['node "first" FINISHED, after 7 s', 'node "second" RUNNING']


class TestEachChangeOnce:
    def test_an_unchanged_answer_says_nothing(self) -> None:
        watched = Watched()
        watched.lines({"a": node("RUNNING", "copy")})

        assert watched.lines({"a": node("RUNNING", "copy", elapsed_time=20)}) == []

    def test_an_answer_that_goes_back_in_time_says_nothing_and_repeats_nothing_later(self) -> None:
        watched = Watched()
        now = {"a": node("FINISHED", "copy"), "b": node("RUNNING", "restart")}
        before = {"a": node("RUNNING", "copy")}
        watched.lines(now)

        assert [watched.lines(children) for children in (before, now, before, now)] == [[], [], [], []]

    def test_a_retry_and_its_end_are_new_although_the_states_are_not(self) -> None:
        watched = Watched()
        tries = [node("FAILED", "copy", retry=retry) for retry in (0, 1)]

        assert [watched.lines({"a": each}) for each in (*tries, tries[0], tries[1])] == [
            ['node "copy" FAILED, after 7 s'],
            ['node "copy" FAILED, retry 1, after 7 s'],
            [],
            [],
        ]

    def test_a_round_begins_retries_anew(self) -> None:
        watched = Watched()
        watched.lines({"a": node("FINISHED", "copy", retry=2)})

        assert watched.lines({"a": node("RUNNING", "copy", loop=2)}) == ['node "copy" RUNNING, round 2']

    def test_a_skip_turns_a_failed_node_into_a_finished_one(self) -> None:
        watched = Watched()
        watched.lines({"a": node("FAILED", "copy")})

        assert watched.lines({"a": node("FINISHED", "copy", skip=True)}) == [
            'node "copy" FINISHED, after 7 s, skipped in SOPS after a failure'
        ]

    def test_a_paused_node_that_goes_on_is_told(self) -> None:
        watched = Watched()
        states = ("SUSPENDED", "RUNNING", "FINISHED")

        assert [len(watched.lines({"a": node(state, "copy")})) for state in states] == [1, 1, 1]

    def test_answers_that_differ_on_the_end_of_a_node_are_told_once_each(self) -> None:
        watched = Watched()
        states = ("FINISHED", "REVOKED", "FINISHED", "REVOKED")

        assert [len(watched.lines({"a": node(state, "copy")})) for state in states] == [1, 1, 0, 0]

    def test_newly_failed_nodes_can_be_left_for_an_answer_that_has_their_errors(self) -> None:
        watched = Watched()
        children = {"a": node("FAILED", "copy"), "b": node("RUNNING", "other")}

        assert watched.lines(children, "FAILED", with_failed=False) == ['node "other" RUNNING']
        assert watched.lines(children, "FAILED", ex_data={"a": "disk full"}) == [
            'node "copy" FAILED, after 7 s: disk full'
        ]

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["READY", "RUNNING", "FAILED", "FINISHED", "REVOKED"]),
                st.integers(1, 2),
                st.integers(0, 2),
                st.booleans(),
            ),
            max_size=12,
        )
    )
    def test_whatever_comes_no_state_of_one_try_of_one_round_is_told_twice(self, answers: list[Any]) -> None:
        watched = Watched()

        lines = [
            line
            for state, loop, retry, skip in answers
            for line in watched.lines({"a": node(state, "copy", loop=loop, retry=retry, skip=skip)})
        ]

        told = [line.split(", after")[0] for line in lines]
        assert len(told) == len(set(told))


@given(answer_with("state", "children", "ex_data"))
def test_no_answer_stops_the_progress(data: Any) -> None:
    progress = Progress()

    assert all(str(change) for change in progress.update(TaskStatus.read(data)))
    assert progress.update(TaskStatus.read(data)) == ()

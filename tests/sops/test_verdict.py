from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.errors import SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState, TaskStatus
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.verdict import Verdict, end_despite_refusal, judge, leaves, nodes_at_work
from tests.sops.builders import (
    activity,
    answer_with,
    created_status,
    node,
    pipeline_tree,
    status_of_2019,
    subprocess,
    task_status,
)

PARALLEL = {"p": "ParallelGateway", "v": "ConvergeGateway"}
#: Two branches, of which the first one fails: start > p, p > a > v, p > b > c > v, v > end.
TWO_BRANCHES = TreeIndex(pipeline_tree("start > p > a > v > end", "start > p > b > c > v > end", nodes=PARALLEL))
BEFORE = {"start": node(), "p": node(), "a": node("FAILED", "a")}


def verdict(state: str, children: Any = None, tree: TreeIndex | None = None, **fields: Any) -> Verdict:
    """Judge what a server of today answers: one that says whether it will retry by itself."""
    retries = {"auto_retry_status": {"exist_auto_retry_nodes": False, "auto_retry_nodes": []}}
    return judge(TaskStatus.read(task_status(state, children, **{**retries, **fields})), tree)


class TestOtherStatesThanFailed:
    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("CREATED", Verdict.NOT_STARTED),
            ("RUNNING", Verdict.RUNNING),
            ("SUSPENDED", Verdict.WAITING_FOR_PERSON),
            ("NODE_SUSPENDED", Verdict.WAITING_FOR_PERSON),
            ("FINISHED", Verdict.FINISHED),
            ("REVOKED", Verdict.REVOKED),
            ("EXPIRED", Verdict.EXPIRED),
        ],
    )
    def test_the_roots_word_decides(self, state: str, expected: Verdict) -> None:
        assert verdict(state) == expected

    @pytest.mark.parametrize("state", ["BLOCKED", "ROLLING_BACK", "READY", "finished", "什么"])
    def test_an_unknown_word_is_a_task_that_runs(self, state: str) -> None:
        assert verdict(state, {"a": node(state)}) == Verdict.RUNNING

    @pytest.mark.parametrize("state", ["FINISHED", "REVOKED", "EXPIRED"])
    def test_only_three_verdicts_are_final_and_no_node_speaks_against_them(self, state: str) -> None:
        assert verdict(state, {"a": node("RUNNING"), "b": node("FAILED")}).is_final

    @pytest.mark.parametrize("state", ["CREATED", "RUNNING", "SUSPENDED", "NODE_SUSPENDED", "FAILED", "BLOCKED"])
    def test_nothing_else_is_final(self, state: str) -> None:
        assert not verdict(state, {"a": node("FAILED")}).is_final

    @pytest.mark.parametrize("plugin", ["pause_node", "bk_approve"])
    def test_a_task_of_which_only_nodes_that_wait_for_people_run_waits_for_a_person(self, plugin: str) -> None:
        tree = TreeIndex(pipeline_tree("start > a > end", nodes={"a": activity("ask", plugin)}))
        children = {"start": node(), "a": node("RUNNING", "ask")}

        assert verdict("RUNNING", children, tree) == Verdict.WAITING_FOR_PERSON
        assert verdict("RUNNING", children) == Verdict.RUNNING

    def test_it_runs_as_long_as_another_branch_does(self) -> None:
        tree = TreeIndex(
            pipeline_tree("s > p > a > v > e", "s > p > b > v > e", nodes={"a": activity("", "pause_node")})
        )

        children = {"s": node(), "p": node(), "a": node("RUNNING"), "b": node("RUNNING")}

        assert verdict("RUNNING", children, tree) == Verdict.RUNNING
        assert verdict("RUNNING", {**children, "b": node()}, tree) == Verdict.WAITING_FOR_PERSON

    def test_a_pause_within_a_subprocess_waits_for_a_person_too(self) -> None:
        inner = pipeline_tree("s2 > b > e2", nodes={"b": activity("ask", "pause_node")})
        tree = TreeIndex(pipeline_tree("start > a > end", nodes={"a": subprocess("sub", inner)}))
        children = {"start": node(), "a": node("RUNNING", "sub", {"s2": node(), "b": node("RUNNING", "ask")})}

        assert verdict("RUNNING", children, tree) == Verdict.WAITING_FOR_PERSON


class TestFailed:
    def test_it_is_settled_when_nothing_runs(self) -> None:
        assert verdict("FAILED", {"start": node(), "a": node("FAILED")}) == Verdict.FAILED

    def test_it_is_not_while_the_server_will_retry_by_itself(self) -> None:
        pending = {"exist_auto_retry_nodes": True, "auto_retry_nodes": ["a"]}

        assert verdict("FAILED", {"a": node("FAILED")}, auto_retry_status=pending) == Verdict.FAILING

    def test_it_is_once_the_automatic_retries_are_used_up(self) -> None:
        assert verdict("FAILED", {"a": node("FAILED", retry=2)}) == Verdict.FAILED

    def test_the_silence_of_an_older_server_is_weighed_with_the_tree_and_the_failures_age(self) -> None:
        retried = {"enable": True, "times": 2, "interval": 25}
        tree = TreeIndex(pipeline_tree("start > a > end", nodes={"a": activity("a", auto_retry=retried)}))
        status = TaskStatus.read(task_status("FAILED", {"a": node("FAILED")}))

        assert judge(status, tree) == judge(status) == Verdict.FAILING
        assert judge(status, tree, failure_ages={"a": 60}) == Verdict.FAILED

    def test_nobody_knows_when_the_request_did_not_ask_for_automatic_retries(self) -> None:
        status = TaskStatus.read(task_status("FAILED", {"a": node("FAILED")}))

        assert judge(status, asked_for_auto_retry=False) == Verdict.FAILING

    def test_nobody_knows_when_the_answer_has_no_nodes_as_in_a_batch(self) -> None:
        status = task_status("FAILED")
        del status["children"]

        assert judge(TaskStatus.read(status)) == Verdict.FAILING

    @pytest.mark.parametrize("state", ["RUNNING", "READY", "BLOCKED", "CREATED"])
    def test_it_is_not_while_another_branch_runs_with_or_without_a_tree(self, state: str) -> None:
        children = {**BEFORE, "b": node(state, "b")}

        assert verdict("FAILED", children) == Verdict.FAILING
        assert verdict("FAILED", children, TWO_BRANCHES) == Verdict.FAILING

    @pytest.mark.parametrize("state", ["SUSPENDED", "FAILED", "REVOKED"])
    def test_a_branch_that_is_held_until_somebody_acts_does_not_run(self, state: str) -> None:
        assert verdict("FAILED", {**BEFORE, "b": node(state, "b")}, TWO_BRANCHES) == Verdict.FAILED

    def test_a_branch_that_waits_for_a_person_does_not_run(self) -> None:
        tree = TreeIndex(
            pipeline_tree("s > p > a > v > e", "s > p > b > v > e", nodes={**PARALLEL, "b": activity("", "pause_node")})
        )

        assert verdict("FAILED", {**BEFORE, "b": node("RUNNING")}, tree) == Verdict.FAILED

    def test_a_tree_of_2019_tells_that_its_server_knows_no_automatic_retries(self) -> None:
        status = TaskStatus.read(status_of_2019("FAILED", {"a": ("FAILED", "")}))

        assert judge(status, TreeIndex(pipeline_tree("start > a > end"))) == Verdict.FAILED


class TestBetweenTwoNodesOfABranch:
    """The node that ran has ended, the next one has no row yet: only the tree tells that from the branch's end."""

    def test_the_next_node_of_a_chain_is_due(self) -> None:
        children = {**BEFORE, "b": node()}

        assert verdict("FAILED", children, TWO_BRANCHES) == Verdict.FAILING
        assert verdict("FAILED", children) == Verdict.FAILED

    def test_the_branches_of_a_parallel_gateway_are_due_one_by_one(self) -> None:
        assert verdict("FAILED", BEFORE, TWO_BRANCHES) == Verdict.FAILING

    def test_a_branch_has_ended_where_its_join_waits_for_the_failed_one(self) -> None:
        assert verdict("FAILED", {**BEFORE, "b": node(), "c": node()}, TWO_BRANCHES) == Verdict.FAILED

    def test_nothing_is_due_behind_a_failed_node(self) -> None:
        tree = TreeIndex(pipeline_tree("start > a > b > end"))

        assert verdict("FAILED", {"start": node(), "a": node("FAILED")}, tree) == Verdict.FAILED

    @pytest.mark.parametrize(
        ("reached", "expected"),
        [
            ({"e": node()}, Verdict.FAILING),
            ({"e": node(), "b": node("RUNNING")}, Verdict.FAILING),
            ({"e": node(), "b": node()}, Verdict.FAILING),
            ({"e": node(), "b": node(), "w": node()}, Verdict.FAILING),
            ({"e": node(), "b": node(), "w": node(), "d": node()}, Verdict.FAILED),
        ],
    )
    @pytest.mark.parametrize("meeting", ["ConvergeGateway", "ServiceActivity"])
    def test_the_branch_that_an_exclusive_gateway_did_not_choose_is_not_waited_for(
        self, reached: Any, expected: Verdict, meeting: str
    ) -> None:
        gateways = {**PARALLEL, "e": "ExclusiveGateway"} | ({"w": meeting} if meeting == "ConvergeGateway" else {})
        ways = ("start > p > a > v > end", "start > p > e > b > w > d > v > end", "start > p > e > c > w > d > v > end")
        tree = TreeIndex(pipeline_tree(*ways, nodes=gateways))

        assert verdict("FAILED", {**BEFORE, **reached}, tree) == expected

    def test_a_join_inside_another_branch_is_due_once_its_own_branches_have_ended(self) -> None:
        ways = ("s > p > a > v > e", "s > p > q > b > w > v > e", "s > p > q > c > w > v > e")
        tree = TreeIndex(pipeline_tree(*ways, nodes={**PARALLEL, "q": "ParallelGateway", "w": "ConvergeGateway"}))
        children = {"s": node(), "p": node(), "a": node("FAILED"), "q": node(), "b": node()}

        assert verdict("FAILED", {**children, "c": node("RUNNING")}, tree) == Verdict.FAILING
        assert verdict("FAILED", {**children, "c": node("FAILED")}, tree) == Verdict.FAILED
        assert verdict("FAILED", {**children, "c": node()}, tree) == Verdict.FAILING

    def test_a_parallel_gateways_empty_branch_ends_at_its_join(self) -> None:
        tree = TreeIndex(pipeline_tree("start > p > a > v > end", "start > p > v > end", nodes=PARALLEL))

        assert verdict("FAILED", BEFORE, tree) == Verdict.FAILED

    def test_only_some_branches_of_a_conditional_gateway_may_ever_run(self) -> None:
        gateways = {"p": "ConditionalParallelGateway", "v": "ConvergeGateway"}
        ways = ("start > p > a > v > end", "start > p > b > v > end", "start > p > c > v > end")
        tree = TreeIndex(pipeline_tree(*ways, nodes=gateways))

        assert verdict("FAILED", {**BEFORE, "b": node()}, tree) == Verdict.FAILED

    def test_a_loop_in_another_branch_leads_to_an_end_of_the_search(self) -> None:
        ways = ("start > p > a > v > end", "start > p > b > e > b > e > v > end")
        tree = TreeIndex(pipeline_tree(*ways, nodes={**PARALLEL, "e": "ExclusiveGateway"}))

        assert verdict("FAILED", {**BEFORE, "b": node(loop=2)}, tree) == Verdict.FAILING
        assert verdict("FAILED", {**BEFORE, "b": node(loop=2), "e": node(loop=2)}, tree) == Verdict.FAILED

    def test_a_loop_around_the_branches_changes_nothing(self) -> None:
        ways = ("start > p > a > v > e > p > a > v > e > end", "start > p > b > c > v > e > end")
        tree = TreeIndex(pipeline_tree(*ways, nodes={**PARALLEL, "e": "ExclusiveGateway"}))

        assert verdict("FAILED", {**BEFORE, "b": node()}, tree) == Verdict.FAILING
        assert verdict("FAILED", {**BEFORE, "b": node(), "c": node()}, tree) == Verdict.FAILED

    def test_a_join_behind_an_open_loop_is_not_searched_for_ever(self) -> None:
        ways = ("start > p > a > v > end", "start > p > b > e > b > e > d > v > end", "start > p > c > v > end")
        tree = TreeIndex(pipeline_tree(*ways, nodes={**PARALLEL, "e": "ExclusiveGateway"}))
        all_but_the_join = {"start": node(), "p": node(), **{key: node() for key in "abecd"}}

        assert verdict("FAILED", all_but_the_join, tree) == Verdict.FAILING

    def test_a_join_waits_for_a_loop_that_fails_in_a_later_round(self) -> None:
        ways = ("start > p > a > e > a > e > d > v > end", "start > p > b > v > end")
        tree = TreeIndex(pipeline_tree(*ways, nodes={**PARALLEL, "e": "ExclusiveGateway"}))
        second_round = {"start": node(), "p": node(), "a": node("FAILED", loop=2), "e": node(), "b": node()}

        assert verdict("FAILED", second_round, tree) == Verdict.FAILED

    def test_a_thousand_nodes_that_are_still_to_come_are_no_trouble(self) -> None:
        chain = " > ".join(f"c{number}" for number in range(1500))
        ways = ("start > p > a > v > end", f"start > p > {chain} > v > end")
        tree = TreeIndex(pipeline_tree(*ways, nodes=PARALLEL))

        assert verdict("FAILED", {**BEFORE, "c0": node("FAILED")}, tree) == Verdict.FAILED


class TestSubprocesses:
    INNER = pipeline_tree("s2 > b > c > e2")
    TREE = TreeIndex(
        pipeline_tree(
            "start > p > a > v > end",
            "start > p > s > v > end",
            nodes={**PARALLEL, "s": subprocess("sub", INNER)},
        )
    )

    def failed_beside(self, sub: Any) -> Verdict:
        return verdict("FAILED", {**BEFORE, "s": sub}, self.TREE)

    def test_a_node_that_runs_inside_goes_on(self) -> None:
        assert self.failed_beside(node("RUNNING", "sub", {"s2": node(), "b": node("RUNNING")})) == Verdict.FAILING

    def test_so_does_a_subprocess_that_has_just_begun(self) -> None:
        assert self.failed_beside(node("RUNNING", "sub")) == Verdict.FAILING

    def test_so_does_one_between_two_nodes_and_one_about_to_end(self) -> None:
        finished = {"s2": node(), "b": node()}

        assert self.failed_beside(node("RUNNING", "sub", finished)) == Verdict.FAILING
        assert self.failed_beside(node("RUNNING", "sub", {**finished, "c": node()})) == Verdict.FAILING
        assert self.failed_beside(node("RUNNING", "sub", {**finished, "c": node(), "e2": node()})) == Verdict.FAILING

    def test_one_whose_only_node_failed_does_not(self) -> None:
        children = {"s2": node(), "b": node("FAILED")}

        assert self.failed_beside(node("FAILED", "sub", children)) == Verdict.FAILED
        assert self.failed_beside(node("RUNNING", "sub", children)) == Verdict.FAILED

    def test_one_with_a_paused_node_does_not(self) -> None:
        paused = node("NODE_SUSPENDED", "sub", {"s2": node(), "b": node("SUSPENDED")})

        assert self.failed_beside(paused) == Verdict.FAILED

    def test_a_paused_one_goes_on_only_until_its_running_node_has_ended(self) -> None:
        running = node("SUSPENDED", "sub", {"s2": node(), "b": node("RUNNING")})
        ended = node("SUSPENDED", "sub", {"s2": node(), "b": node()})

        assert self.failed_beside(running) == Verdict.FAILING
        assert self.failed_beside(ended) == Verdict.FAILED

    def test_a_pause_holds_the_subprocesses_inside_as_well(self) -> None:
        inner = node("RUNNING", "deep", {"s3": node(), "d": node()})

        assert self.failed_beside(node("SUSPENDED", "sub", {"s2": node(), "b": inner})) == Verdict.FAILED

    def test_a_finished_one_is_followed_by_what_comes_behind_it(self) -> None:
        tree = TreeIndex(
            pipeline_tree(
                "start > p > a > v > end",
                "start > p > s > d > v > end",
                nodes={**PARALLEL, "s": subprocess("sub", self.INNER)},
            )
        )
        done = node("FINISHED", "sub", {"s2": node(), "b": node(), "c": node(), "e2": node()})

        assert verdict("FAILED", {**BEFORE, "s": done}, tree) == Verdict.FAILING
        assert verdict("FAILED", {**BEFORE, "s": done, "d": node()}, tree) == Verdict.FAILED


class TestNodesAtWork:
    def at_work(self, children: Any, tree: TreeIndex | None = None) -> list[str]:
        return [found.id for found in nodes_at_work(TaskStatus.read(task_status("REVOKED", children)), tree)]

    def test_the_node_that_runs_on_after_a_revoke_is_at_work(self) -> None:
        assert self.at_work({"start": node(), "a": node("RUNNING"), "b": node("FAILED"), "c": node("SUSPENDED")}) == [
            "a"
        ]

    def test_within_a_subprocess_it_is_the_inner_node(self) -> None:
        assert self.at_work({"s": node("RUNNING", "sub", {"b": node("RUNNING"), "c": node()})}) == ["b"]

    def test_a_node_that_waits_for_a_person_stays_running_for_ever_and_is_not(self) -> None:
        tree = TreeIndex(pipeline_tree("start > a > end", nodes={"a": activity("ask", "pause_node")}))

        assert self.at_work({"start": node(), "a": node("RUNNING", "ask")}, tree) == []

    def test_a_node_that_was_to_be_retried_never_runs_and_is_not(self) -> None:
        assert self.at_work({"start": node(), "a": node("READY", "boom", retry=1)}) == []


def test_leaves_are_the_nodes_that_hold_no_others() -> None:
    status = TaskStatus.read(task_status("RUNNING", {"a": node(), "s": node("RUNNING", "sub", {"b": node()})}))

    assert [found.id for found in leaves(status)] == ["a", "b"]


@given(answer_with("state", "children", "auto_retry_status", "failed_node_info", "start_time", "elapsed_time"))
def test_every_answer_has_a_verdict(data: Any) -> None:
    status = TaskStatus.read(data)

    assert isinstance(judge(status, TWO_BRANCHES), Verdict)
    assert all(found in leaves(status) for found in nodes_at_work(status))


REFUSAL = SopsInvalidOperationError("the state does not allow it", http_status=200)


@pytest.mark.parametrize("state", [TaskState.FINISHED, TaskState.REVOKED, TaskState.EXPIRED])
def test_a_task_that_is_over_needs_no_revoke(state: TaskState) -> None:
    assert end_despite_refusal(REFUSAL, TaskStatus.read(task_status(state))) == state


@pytest.mark.parametrize("data", [created_status(), task_status("RUNNING"), task_status("FAILED")])
def test_the_refusal_counts_as_long_as_the_task_may_run(data: object) -> None:
    with pytest.raises(SopsInvalidOperationError, match="does not allow"):
        end_despite_refusal(REFUSAL, TaskStatus.read(data))

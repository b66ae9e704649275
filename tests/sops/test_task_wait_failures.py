"""When ``TaskWait`` takes a FAILED task for one that has failed, and when not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsConnectionError,
    SopsError,
    SopsGatewayError,
    SopsInvalidParameterError,
    SopsRateLimitError,
)
from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_failure import CONFIRMATION_SECONDS
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.wait_result import FailedNode, Outcome, WaitPolicy, WaitResult
from tests.sops.builders import (
    activity,
    failed_task,
    node,
    pipeline_tree,
    running_task,
    subprocess,
    task_status,
    without_details,
)
from tests.sops.simulated_wait import SimulatedWait

if TYPE_CHECKING:
    from airflow_provider_sops.waiting.model import Look

REFUSED = SopsError("iam authentication exception", code=3599999, http_status=200)
TWO_BRANCHES = pipeline_tree(
    "start > p > a > v > end",
    "start > p > b > c > v > end",
    nodes={"p": "ParallelGateway", "v": "ConvergeGateway", "a": activity("boom"), "c": activity("later")},
)


def marks_of(status: Any) -> tuple[str, ...]:
    return TaskStatus.read(status).failure_marks


class TestSettledFailure:
    def test_it_takes_a_look_for_details_at_once_and_one_to_confirm(self) -> None:
        wait = SimulatedWait()

        results = wait.answers([running_task(), without_details(failed_task()), failed_task(), failed_task()])

        assert [(look.delay_seconds, look.with_details, look.fresh) for look in wait.looks] == [
            (0, False, False),
            (10, False, False),
            (0, True, True),
            (CONFIRMATION_SECONDS, True, True),
        ]
        assert results[:3] == [None] * 3
        assert results[3] == WaitResult(
            Outcome.FAILED, "FAILED", "", (FailedNode("a", '"boom"', "disk full"),), marks_of(failed_task())
        )

    def test_the_error_is_in_the_one_line_about_the_failed_node(self) -> None:
        wait = SimulatedWait()

        wait.answers([running_task(), without_details(failed_task()), failed_task(), failed_task()])

        assert wait.lines == ['node "boom" RUNNING', 'node "boom" FAILED, after 7 s: disk full']
        assert wait.warnings == wait.lines[1:]

    @pytest.mark.parametrize("text", ['said "no"\nand stopped', "🚀\r\n{{ x }} %s", "a\x1b[2Kb\u2028c"])
    def test_a_text_of_any_characters_stays_one_entry(self, text: str) -> None:
        wait = SimulatedWait()

        wait.answers([without_details(failed_task()), failed_task(error=text), failed_task(error=text)])

        assert len(wait.lines) == 1
        assert all(line.startswith("    ") for line in wait.lines[0].split("\n")[1:])
        assert wait.lines[0].replace("\n", "").isprintable()
        assert wait.result is not None
        assert wait.result.failed_nodes[0].error.replace("\n", "").isprintable()

    def test_the_failed_node_within_a_subprocess_is_named(self) -> None:
        tree = pipeline_tree("start > s > end", nodes={"s": subprocess("sub", pipeline_tree("s2 > a > e2"))})
        sub = node("FAILED", "sub", {"s2": node(), "a": node("FAILED", "boom")})
        status = task_status("FAILED", {"start": node(), "s": sub}, ex_data={"a": "disk full"})

        result = SimulatedWait(tree=tree).run(lambda *_: status)

        assert [(each.id, each.error) for each in result.failed_nodes] == [("a", "disk full")]

    def test_a_gateway_that_failed_is_named_by_its_kind(self) -> None:
        tree = pipeline_tree("start > g > end", nodes={"g": "ExclusiveGateway"})
        status = task_status("FAILED", {"start": node(), "g": node("FAILED")}, ex_data={"g": "no branch matches"})

        result = SimulatedWait(tree=tree).run(lambda *_: status)

        assert result.failed_nodes == (FailedNode("g", "ExclusiveGateway g", "no branch matches"),)


class TestFailureThatIsNotTheEnd:
    def test_automatic_retries_are_waited_for_and_told_once(self) -> None:
        wait = SimulatedWait()

        def server(seconds: float, look: Look) -> Any:
            answer = failed_task(retry=int(seconds // 30), pending=seconds < 60)
            return answer if look.with_details else without_details(answer)

        assert wait.run(server).outcome == Outcome.FAILED
        assert wait.seconds == 60 + CONFIRMATION_SECONDS
        assert wait.lines == [
            'node "boom" FAILED, after 7 s: disk full',
            "SOPS will retry a failed node by itself; waiting",
            'node "boom" FAILED, retry 1, after 7 s: disk full',
            'node "boom" FAILED, retry 2, after 7 s: disk full',
        ]

    def test_an_automatic_retry_that_succeeds_makes_the_task_finish(self) -> None:
        wait = SimulatedWait()

        wait.answers(
            [
                without_details(failed_task()),
                failed_task(pending=True),
                running_task(retry=1),
                running_task("FINISHED", retry=1),
            ]
        )
        result = wait.answer(task_status("FINISHED", {"a": node("FINISHED", "boom", retry=1)})).result

        assert result is not None
        assert result.outcome == Outcome.FINISHED
        assert wait.lines[2:] == ['node "boom" RUNNING, retry 1', 'node "boom" FINISHED, retry 1, after 7 s']

    @pytest.mark.parametrize("tree", [None, TWO_BRANCHES])
    def test_a_branch_that_still_runs_is_waited_for(self, tree: Any) -> None:
        wait = SimulatedWait(tree=tree)
        before = {"p": node()}
        runs = failed_task(others={**before, "b": node("RUNNING", "slow")})
        ended = failed_task(others={**before, "b": node("FINISHED", "slow"), "c": node("FINISHED", "later")})

        result = wait.run(lambda seconds, _look: runs if seconds < 100 else ended)

        assert result.outcome == Outcome.FAILED
        assert wait.seconds == 100 + CONFIRMATION_SECONDS

    def test_with_a_tree_the_moment_between_two_nodes_of_a_branch_is_no_end_however_long(self) -> None:
        between = failed_task(others={"p": node(), "b": node("FINISHED", "slow")})
        ended = failed_task(others={"p": node(), "b": node("FINISHED", "slow"), "c": node("FINISHED", "later")})

        knowing = SimulatedWait(tree=TWO_BRANCHES)
        knowing.run(lambda seconds, _look: between if seconds < 60 else ended)

        assert knowing.seconds == 60 + CONFIRMATION_SECONDS

    def test_without_a_tree_the_confirming_look_bridges_it(self) -> None:
        wait = SimulatedWait()
        between = failed_task(others={"b": node("FINISHED", "slow")})
        goes_on = failed_task(others={"b": node("FINISHED", "slow"), "c": node("RUNNING", "later")})

        results = wait.answers([failed_task(others={"b": node("RUNNING", "slow")}), between, goes_on, goes_on])

        assert results == [None] * 4
        assert wait.looks[2].delay_seconds == CONFIRMATION_SECONDS

    def test_a_node_that_is_forced_to_fail_and_skipped_at_once_fails_nothing(self) -> None:
        wait = SimulatedWait()

        results = wait.answers([without_details(failed_task()), failed_task(), running_task("FINISHED")])

        assert results == [None] * 3

    def test_a_repair_between_the_two_looks_begins_the_confirmation_anew(self) -> None:
        wait = SimulatedWait()

        results = wait.answers([failed_task(), failed_task(), failed_task(retry=1), failed_task(retry=1)])

        assert [result is not None for result in results] == [False, False, False, True]

    def test_so_does_an_answer_that_goes_back_in_time_to_the_failure(self) -> None:
        wait = SimulatedWait()
        retried = running_task(retry=1)

        results = wait.answers([failed_task(), failed_task(), retried, failed_task(), failed_task(), retried])

        assert results == [None] * 6

    def test_a_paused_task_waits_for_whoever_paused_it_although_a_node_has_failed(self) -> None:
        wait = SimulatedWait()
        paused = task_status("SUSPENDED", {"a": node("FAILED", "boom")})

        assert wait.answers([paused] * 5) == [None] * 5


class TestRefusedDetails:
    def test_they_are_asked_for_twice_an_interval_apart_and_then_done_without(self) -> None:
        wait = SimulatedWait(tree=pipeline_tree("start > a > end"))

        def server(_seconds: float, look: Look) -> Any:
            if look.with_details:
                raise REFUSED
            return without_details(failed_task())

        result = wait.run(server, at_most=10)

        assert result.outcome == Outcome.FAILED
        assert [look.delay_seconds for look in wait.looks] == [0, 0, 10, 10, CONFIRMATION_SECONDS]
        assert [look.with_details for look in wait.looks] == [False, True, True, False, False]
        assert wait.lines == ['node "boom" FAILED, after 7 s']

    def test_an_expired_task_refuses_them_and_is_found_out(self) -> None:
        wait = SimulatedWait(WaitPolicy(on_failed="wait"))

        def server(seconds: float, look: Look) -> Any:
            if seconds < 100:
                return failed_task()
            if look.with_details:
                raise SopsError("'id'", code=3599999, http_status=200)
            return task_status("EXPIRED")

        assert wait.run(server, at_most=30).outcome == Outcome.EXPIRED

    @pytest.mark.parametrize(
        "error",
        [
            SopsGatewayError("ESB could not ask SOPS", code=1306201, http_status=200),
            SopsGatewayError("a login page", http_status=200),
            SopsRateLimitError("too many calls", code=1306429, http_status=200),
            SopsAuthError("no permission", code=1306403, http_status=200),
            SopsConnectionError("no route to host"),
            SopsError("unhandled", code="50000", http_status=500),
        ],
    )
    def test_an_outage_is_no_refusal_so_a_pending_retry_is_not_overlooked_after_it(self, error: SopsError) -> None:
        wait = SimulatedWait()
        wait.answers([without_details(failed_task()), failed_task(pending=True)])
        for _ in range(4):
            wait.fail(error)

        assert wait.wait.next_look(wait.now).with_details
        assert wait.answers([failed_task(pending=True)] * 3) == [None] * 3
        assert sum("SOPS gives no usable answer" in line for line in wait.lines) == 1

    def test_any_other_answer_of_sops_itself_is(self) -> None:
        wait = SimulatedWait()
        wait.answer(without_details(failed_task()))
        for _ in range(2):
            wait.fail(SopsInvalidParameterError("unknown parameter", code=3540000, http_status=200))

        assert not wait.wait.next_look(wait.now).with_details


class TestDetailsOnceAFailureHasSettled:
    """Details cost a request for each task; what is known need not be asked again and again."""

    @staticmethod
    def looks_after(seconds: float, server: Any, policy: WaitPolicy) -> list[tuple[bool, bool]]:
        wait = SimulatedWait(policy)
        wait.run(server)
        times = [sum(look.delay_seconds for look in wait.looks[: n + 1]) for n in range(len(wait.looks))]
        return [(look.with_details, look.fresh) for look, at in zip(wait.looks, times, strict=True) if at > seconds]

    def test_people_are_waited_for_with_ordinary_fresh_looks(self) -> None:
        def server(seconds: float, look: Look) -> Any:
            if seconds > 100:
                return task_status("FINISHED", {"a": node("FINISHED", "boom")})
            return failed_task() if look.with_details else without_details(failed_task())

        looks = self.looks_after(CONFIRMATION_SECONDS, server, WaitPolicy(on_failed="wait"))

        assert set(looks) == {(False, True)}

    def test_a_node_that_changes_brings_details_again(self) -> None:
        wait = SimulatedWait(WaitPolicy(on_failed="wait"))
        later = failed_task(retry=1)

        wait.answers([without_details(failed_task()), failed_task(), failed_task(), without_details(failed_task())])
        wait.answers([without_details(later), later, later])

        assert [look.with_details for look in wait.looks] == [False, True, True, False, False, True, True]
        assert sum("waiting for a person to retry or skip" in line for line in wait.lines) == 2

    def test_a_branch_that_still_runs_is_watched_without_details(self) -> None:
        wait = SimulatedWait()
        runs = failed_task(others={"b": node("RUNNING", "slow")})
        over = failed_task(others={"b": node("FINISHED", "slow")})

        wait.answers([without_details(runs), runs, without_details(runs), without_details(over), over, over])

        assert [look.with_details for look in wait.looks] == [False, True, False, False, True, True]
        assert wait.result is not None
        assert wait.result.outcome == Outcome.FAILED

    def test_as_long_as_sops_is_going_to_retry_each_look_asks_for_details(self) -> None:
        wait = SimulatedWait()

        wait.answers([without_details(failed_task()), *[failed_task(pending=True)] * 3])

        assert [look.with_details for look in wait.looks] == [False, True, True, True]


class TestTheTreeIsReadWhenItMatters:
    def wait(self, tree: TreeIndex | None) -> TaskWait:
        return TaskWait(WaitPolicy(), 0.0, tree, tree_is_whole=False)

    def wanted(self, wait: TaskWait, *answers: Any) -> list[bool]:
        """Return for each answer whether the tree is wanted before it is taken in."""
        wanted = []
        for answer in answers:
            status, look = TaskStatus.read(answer), wait.next_look(0.0)
            wanted.append(wait.wants_tree(status, look))
            wait.see(status, look, 0.0)
        return wanted

    def test_at_once_if_nothing_is_known(self) -> None:
        assert self.wanted(self.wait(None), running_task()) == [True]

    def test_not_as_long_as_named_nodes_run(self) -> None:
        assert self.wanted(self.wait(TreeIndex({})), running_task(), running_task()) == [False, False]

    def test_for_a_name_that_the_status_lacks(self) -> None:
        nameless = task_status("RUNNING", {"a": node("RUNNING", "")})
        assert self.wanted(self.wait(TreeIndex({})), running_task(), nameless) == [False, True]

    def test_for_a_failure_with_the_look_at_its_details(self) -> None:
        assert self.wanted(self.wait(TreeIndex({})), without_details(failed_task()), failed_task()) == [False, True]

    def test_no_more_once_it_is_known(self) -> None:
        wait = self.wait(TreeIndex({}))
        wait.learn_tree(TreeIndex(TWO_BRANCHES))
        assert self.wanted(wait, without_details(failed_task()), failed_task()) == [False, False]

"""How ``TaskWait`` waits for the repair of a failed task, by people or by a retry from Airflow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.task_failure import CONFIRMATION_SECONDS, OLDEST_ANSWER_SECONDS
from airflow_provider_sops.sops.wait_result import FailedNode, Outcome, WaitPolicy, WaitResult
from tests.sops.builders import (
    failed_task,
    node,
    running_task,
    task_status,
)
from tests.sops.simulated_wait import BEGIN, SimulatedWait

WAIT = WaitPolicy(on_failed="wait")
ANNOUNCE = WaitPolicy(on_failed="wait", announce_failures=True)


def marks_of(status: Any) -> tuple[str, ...]:
    return TaskStatus.read(status).failure_marks


class TestWaitingForARepair:
    def test_a_failure_is_told_once_and_waited_out(self) -> None:
        wait = SimulatedWait(WAIT)

        results = wait.answers([failed_task()] * 8)

        assert results == [None] * 8
        assert wait.lines == [
            'node "boom" FAILED, after 7 s: disk full',
            'waiting for a person to retry or skip in SOPS: "boom"',
        ]
        assert [look.delay_seconds for look in wait.looks] == [0, 0, CONFIRMATION_SECONDS, 10, 10, 10, 10, 10]

    def test_a_skip_in_sops_ends_it_well(self) -> None:
        wait = SimulatedWait(WAIT)

        wait.answers([failed_task()] * 4)
        wait.answer(task_status("FINISHED", {"a": node("FINISHED", "boom", skip=True)}))

        assert wait.result is not None
        assert wait.result.outcome == Outcome.FINISHED
        assert wait.lines[-1] == 'node "boom" FINISHED, after 7 s, skipped in SOPS after a failure'

    def test_a_retry_that_fails_again_is_another_failure(self) -> None:
        wait = SimulatedWait(WAIT)

        wait.answers([*[failed_task()] * 4, running_task(retry=1), *[failed_task(retry=1)] * 4])

        assert wait.warnings == [
            'node "boom" FAILED, after 7 s: disk full',
            'waiting for a person to retry or skip in SOPS: "boom"',
            'node "boom" FAILED, retry 1, after 7 s: disk full',
            'waiting for a person to retry or skip in SOPS: "boom"',
        ]


class TestARestBeforeAFailureCounts:
    def test_it_is_told_how_long_the_wait_goes_on_and_at_which_node(self) -> None:
        wait = SimulatedWait(WaitPolicy(failure_rest_seconds=60))

        wait.run(lambda *_: failed_task())

        assert wait.warnings == [
            'node "boom" FAILED, after 7 s: disk full',
            (
                'the flow has failed at "boom"; this task waits up to 60 s for a retry, '
                "by the node's own task or in SOPS, and then fails"
            ),
        ]

    def test_each_failure_is_told_once(self) -> None:
        wait = SimulatedWait(WaitPolicy(failure_rest_seconds=60))

        wait.answers([*[failed_task()] * 4, running_task(retry=1), *[failed_task(retry=1)] * 4])

        assert sum("waits up to 60 s" in line for line in wait.warnings) == 2

    def test_without_a_rest_nothing_is_told_of_it(self) -> None:
        wait = SimulatedWait()

        wait.run(lambda *_: failed_task())

        assert not [line for line in wait.warnings if "waits up to" in line]


class TestAnnouncements:
    def announce(self, policy: WaitPolicy, server: Any) -> tuple[WaitResult, WaitPolicy]:
        """Wait as the operator does: from one announcement to the next with a new wait."""
        result = SimulatedWait(policy).run(server)
        return result, policy.after_announcing(result)

    def test_a_failure_is_announced_with_its_nodes(self) -> None:
        result, _ = self.announce(ANNOUNCE, lambda *_: failed_task())

        assert replace(result, told="") == WaitResult(
            Outcome.PERSON_NEEDED, "FAILED", "", (FailedNode("a", '"boom"', "disk full"),), marks_of(failed_task())
        )

    def test_what_was_told_before_it_is_not_told_again_after_it_across_json(self) -> None:
        result, policy = self.announce(ANNOUNCE, lambda *_: failed_task())
        assert policy.told == WaitResult.from_event(result.to_event()).told
        wait = SimulatedWait(WaitPolicy.from_json(policy.to_json()))
        wait.answers([failed_task(), failed_task(), failed_task(retry=1), failed_task(retry=1)])

        assert wait.lines == ['node "boom" FAILED, retry 1, after 7 s: disk full']
        assert wait.looks[0].fresh

    def test_a_policy_out_of_an_older_version_tells_all_again(self) -> None:
        _, policy = self.announce(ANNOUNCE, lambda *_: failed_task())
        older = {name: value for name, value in policy.to_json().items() if name != "told"}
        wait = SimulatedWait(WaitPolicy.from_json(older))
        wait.answers([failed_task()] * 4)

        assert wait.lines == ['node "boom" FAILED, after 7 s: disk full']

    def test_it_is_announced_once_also_across_waits(self) -> None:
        _, policy = self.announce(ANNOUNCE, lambda *_: failed_task())
        wait = SimulatedWait(WaitPolicy.from_json(policy.to_json()))

        assert wait.answers([failed_task()] * 6) == [None] * 6

    def test_the_failure_of_a_retry_is_announced_again_and_neither_a_third_time(self) -> None:
        _, policy = self.announce(ANNOUNCE, lambda *_: failed_task())
        second, policy = self.announce(
            policy, lambda seconds, _look: failed_task(retry=1) if seconds > 20 else failed_task()
        )
        wait = SimulatedWait(policy)

        assert second.outcome == Outcome.PERSON_NEEDED
        assert (
            wait.answers(
                [failed_task(retry=1), failed_task(retry=1), failed_task(), failed_task(), failed_task(retry=1)]
            )
            == [None] * 5
        )

    def test_another_node_that_fails_later_is_announced_together_with_the_first(self) -> None:
        both = failed_task(others={"b": node("FAILED", "crash")})

        _, policy = self.announce(ANNOUNCE, lambda *_: failed_task())
        second, policy = self.announce(policy, lambda *_: both)

        assert [each.label for each in second.failed_nodes] == ['"boom"', '"crash"']
        assert SimulatedWait(policy).answers([both] * 4) == [None] * 4

    def test_nothing_is_announced_while_a_retry_is_pending(self) -> None:
        assert SimulatedWait(ANNOUNCE).answers([failed_task(pending=True)] * 6) == [None] * 6


class TestOvercomeFailures:
    """After Airflow has retried the failed nodes, an answer from before that must not fail the wait."""

    POLICY = WaitPolicy(overcome=marks_of(failed_task()), always_fresh=True)

    def test_an_old_answer_is_passed_over(self) -> None:
        wait = SimulatedWait(self.POLICY)

        result = wait.run(lambda seconds, _look: failed_task() if seconds <= 10 else running_then_finished(seconds))

        assert result.outcome == Outcome.FINISHED

    def test_the_retrys_own_failure_counts_at_once(self) -> None:
        wait = SimulatedWait(self.POLICY)

        assert wait.run(lambda *_: failed_task(retry=1)).outcome == Outcome.FAILED
        assert wait.seconds == CONFIRMATION_SECONDS

    def test_a_node_that_nobody_could_retry_fails_the_wait_once_no_answer_can_be_old(self) -> None:
        wait = SimulatedWait(WaitPolicy(overcome=marks_of(failed_task(others={"b": node("FAILED", "crash")}))))

        result = wait.run(lambda *_: failed_task(), at_most=20)

        assert result.outcome == Outcome.FAILED
        assert OLDEST_ANSWER_SECONDS < wait.seconds <= OLDEST_ANSWER_SECONDS + 10 + CONFIRMATION_SECONDS


def running_then_finished(seconds: float) -> Any:
    return running_task(retry=1) if seconds < 60 else task_status("FINISHED", {"a": node("FINISHED", "boom", retry=1)})


class TestMarks:
    def test_they_change_with_every_try_and_every_round(self) -> None:
        statuses = [failed_task(), failed_task(retry=1), task_status("FAILED", {"a": node("FAILED", loop=2)})]

        assert len({marks_of(status) for status in statuses}) == 3

    def test_they_do_not_change_with_time_nor_with_what_else_happens(self) -> None:
        later = failed_task(others={"b": node("RUNNING", "slow")})
        later["children"]["a"]["elapsed_time"] = 99

        assert marks_of(later) == marks_of(failed_task())

    def test_a_task_without_failed_nodes_has_none(self) -> None:
        assert marks_of(running_task()) == ()


def test_a_wait_for_people_still_ends_at_its_deadline_after_an_announcement() -> None:
    result = SimulatedWait(WaitPolicy(on_failed="wait", deadline=BEGIN + 40)).run(lambda *_: failed_task())

    assert (result.outcome, result.state) == (Outcome.TIMED_OUT, "FAILED")

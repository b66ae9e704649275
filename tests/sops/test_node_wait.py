"""Waiting for one node: its end, its failure, its turn that never comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.errors import SopsConnectionError, SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.node_result import NodeInTask, NodeOutcome, NodeResult
from airflow_provider_sops.sops.node_wait import NodeWait
from airflow_provider_sops.sops.person_request import PersonRequest, WaitingNode
from airflow_provider_sops.sops.task_failure import CONFIRMATION_SECONDS
from airflow_provider_sops.sops.wait_result import WaitPolicy
from tests.sops.builders import created_status, failed_task, node, running_task, task_status, without_details

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sops.waiting.model import Look

BEGIN = 1_000_000.0
BOOM = NodeInTask(path=("a",))


@dataclass
class Wait:
    """Feeds a ``NodeWait`` with answers until it has a result."""

    node: NodeInTask = BOOM
    policy: WaitPolicy = field(default_factory=WaitPolicy)
    now: float = BEGIN
    looks: list[Look] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    result: NodeResult | None = None

    def __post_init__(self) -> None:
        self.wait = NodeWait(self.node, self.policy, self.now)

    def answers(self, answers: Iterable[Any]) -> NodeResult | None:
        """Answer look after look; an error is raised in place of an answer."""
        for answer in answers:
            assert self.result is None
            look = self.wait.next_look(self.now)
            self.looks.append(look)
            self.now += look.delay_seconds
            if isinstance(answer, SopsError):
                update = self.wait.miss(answer, look, self.now)
            else:
                answer = answer if look.with_details else without_details(answer)
                update = self.wait.see(TaskStatus.read(answer), look, self.now)
            self.lines += [line.text for line in update.lines]
            self.result = update.result
        return self.result

    @property
    def outcome(self) -> NodeOutcome | None:
        return self.result.outcome if self.result else None


class TestOrdinaryCourse:
    def test_it_looks_at_once_and_then_every_interval_until_the_node_has_finished(self) -> None:
        wait = Wait()
        result = wait.answers([created_status(), running_task(), running_task(), running_task("FINISHED")])
        assert result is not None
        assert (result.outcome, result.state, result.task_state) == (NodeOutcome.FINISHED, "FINISHED", "RUNNING")
        assert (result.elapsed_seconds, result.start_time) == (7, "2026-03-02 09:00:00 +0800")
        assert [look.delay_seconds for look in wait.looks] == [0, 10, 10, 10]
        assert not any(look.with_details or look.fresh for look in wait.looks)

    def test_by_default_the_pause_follows_the_age_of_the_node_and_a_part_of_the_flows(self) -> None:
        wait = Wait(policy=WaitPolicy(paced=True))
        old_node = task_status("RUNNING", {"a": node("RUNNING", "copy", elapsed_time=50)}, elapsed_time=60)
        new_node = task_status("RUNNING", {"a": node("RUNNING", "copy", elapsed_time=1)}, elapsed_time=160)
        not_reached = task_status("RUNNING", {}, elapsed_time=2)
        wait.answers([not_reached, old_node, new_node, not_reached])
        assert [look.delay_seconds for look in wait.looks] == [0, 1.5, 5, 4]
        assert [look.fresh for look in wait.looks] == [False, True, True, True]
        assert [look.longest_delay_seconds for look in wait.looks] == [None, 10, 10, 10]

    def test_each_change_of_the_node_is_told_and_no_other_nodes(self) -> None:
        wait = Wait()
        both = {"a": node("RUNNING", "boom"), "b": node("RUNNING", "other")}
        wait.answers([task_status("RUNNING", both), task_status("RUNNING", both), running_task("FINISHED")])
        assert wait.lines == ['node "boom" RUNNING', 'node "boom" FINISHED, after 7 s']

    def test_a_node_in_a_subprocess_is_found_by_its_path(self) -> None:
        inner = {"s": node("RUNNING", "sub", {"a": node("FINISHED", "boom")})}
        wait = Wait(NodeInTask(path=("s", "a")))
        wait.answers([task_status("RUNNING", {"s": node("RUNNING", "sub")}), task_status("RUNNING", inner)])
        assert wait.outcome == NodeOutcome.FINISHED

    @pytest.mark.parametrize(
        ("fields", "outcome"),
        [({"skip": True}, NodeOutcome.SKIPPED), ({"error_ignored": True}, NodeOutcome.ERROR_IGNORED)],
    )
    def test_a_failure_that_the_flow_passed_over_is_named_so(self, fields: Any, outcome: NodeOutcome) -> None:
        wait = Wait()
        wait.answers([task_status("RUNNING", {"a": node("FINISHED", "boom", **fields)})])
        assert wait.outcome == outcome

    def test_a_node_that_waits_for_a_person_is_told_as_such(self) -> None:
        wait = Wait(NodeInTask(path=("a",), waits_for_person=True))
        wait.answers([running_task()])
        assert wait.lines == ['node "boom" waits for a person (RUNNING in SOPS)']

    def test_it_is_told_with_what_it_asks_and_where_to_answer(self) -> None:
        wait = Wait(NodeInTask(path=("a",), waits_for_person=True, plugin="bk_approve"))
        wait.wait.task_url = "http://sops/25"

        assert wait.wait.newly_waiting(TaskStatus.read(running_task())) == [WaitingNode(("a",), "bk_approve")]
        wait.wait.learn_request("a", PersonRequest(title="Publish?", verifiers="ann"))
        wait.answers([running_task()])

        assert wait.lines == [
            'node "boom" waits for a person (RUNNING in SOPS)\nwho: ann\ntitle: Publish?\nhttp://sops/25'
        ]

    def test_a_failure_that_is_left_to_people_says_so_with_the_address(self) -> None:
        wait = Wait(policy=WaitPolicy(on_failed="wait"))
        wait.wait.task_url = "http://sops/25"

        wait.answers([failed_task()] * 3)

        assert wait.lines == [
            (
                'node "boom" FAILED, after 7 s: disk full\n'
                "this task waits until somebody retries or skips the node in SOPS\nhttp://sops/25"
            )
        ]


class TestNodesThatNeverRun:
    def test_the_arrival_of_a_proof_tells(self) -> None:
        wait = Wait(NodeInTask(path=("a",), never_after=(("s", "x"), ("b",))))
        waits = task_status("RUNNING", {"g": node()})
        wait.answers([waits, task_status("RUNNING", {"g": node(), "b": node("RUNNING", "other")})])
        assert wait.outcome == NodeOutcome.NEVER_RUNS

    def test_it_tells_nothing_of_a_node_that_has_arrived(self) -> None:
        wait = Wait(NodeInTask(path=("a",), never_after=(("b",),)))
        wait.answers([task_status("RUNNING", {"a": node("RUNNING", "boom"), "b": node("RUNNING", "other")})])
        assert wait.result is None

    def test_a_finished_task_has_passed_it_by(self) -> None:
        wait = Wait()
        wait.answers([task_status("FINISHED", {"b": node()})])
        assert wait.outcome == NodeOutcome.NEVER_RUNS

    @pytest.mark.parametrize("state", ["REVOKED", "EXPIRED"])
    @pytest.mark.parametrize("nodes", [{}, {"a": node("RUNNING", "boom")}])
    def test_a_task_that_was_ended_has_not_come_to_it(self, state: str, nodes: Any) -> None:
        wait = Wait()
        wait.answers([task_status(state, nodes)])
        assert wait.outcome == NodeOutcome.TASK_OVER
        assert wait.result is not None
        assert state in wait.result.reason or (state == "REVOKED" and nodes)


class TestLoops:
    def test_finished_is_the_end_only_once_the_loop_is_left(self) -> None:
        wait = Wait(NodeInTask(path=("a",), last_round_after=(("after",),)))
        second = node("FINISHED", "boom", loop=2, version="v1")
        wait.answers(
            [
                running_task("FINISHED"),
                task_status("RUNNING", {"a": second}),
                task_status("RUNNING", {"a": second, "after": node("RUNNING", "after")}),
            ]
        )
        assert wait.outcome == NodeOutcome.FINISHED
        assert wait.result is not None
        assert wait.result.loop == 2
        assert 'node "boom" FINISHED, round 2, after 7 s' in wait.lines

    def test_the_end_of_the_task_is_the_end_of_the_loop(self) -> None:
        wait = Wait(NodeInTask(path=("a",), last_round_after=()))
        wait.answers([running_task("FINISHED"), task_status("FINISHED", {"a": node("FINISHED", "boom")})])
        assert wait.outcome == NodeOutcome.FINISHED


class TestFailures:
    def test_it_takes_details_at_once_and_a_confirmation(self) -> None:
        wait = Wait()
        result = wait.answers([running_task(), failed_task(), failed_task(), failed_task()])
        assert result is not None
        assert (result.outcome, result.error) == (NodeOutcome.FAILED, "disk full")
        assert [(look.delay_seconds, look.with_details, look.fresh) for look in wait.looks[1:]] == [
            (10, False, False),
            (0, True, True),
            (CONFIRMATION_SECONDS, True, True),
        ]
        assert wait.lines == ['node "boom" RUNNING', 'node "boom" FAILED, after 7 s: disk full']

    def test_an_automatic_retry_is_waited_for(self) -> None:
        wait = Wait()
        wait.answers([failed_task(), *[failed_task(pending=True)] * 4, running_task(retry=1)])
        wait.answers([running_task("FINISHED", retry=1)])
        assert wait.outcome == NodeOutcome.FINISHED

    def test_a_node_that_sops_forces_to_fail_and_then_skips_has_not_failed(self) -> None:
        wait = Wait()
        skipped = task_status("RUNNING", {"a": node("FINISHED", "boom", skip=True)})
        wait.answers([failed_task(), failed_task(), skipped])
        assert wait.outcome == NodeOutcome.SKIPPED

    def test_people_may_repair_it(self) -> None:
        wait = Wait(policy=WaitPolicy(on_failed="wait"))
        wait.answers([*[failed_task()] * 5, running_task(retry=1), running_task("FINISHED", retry=1)])
        assert wait.outcome == NodeOutcome.FINISHED
        assert [look.with_details for look in wait.looks] == [False, True, *[False] * 5]

    def test_an_old_answer_after_a_retry_is_not_believed(self) -> None:
        marks = TaskStatus.read(failed_task()).failure_marks
        wait = Wait(policy=WaitPolicy(overcome=marks, always_fresh=True))
        wait.answers([failed_task(), running_task(retry=1), running_task("FINISHED", retry=1)])
        assert wait.outcome == NodeOutcome.FINISHED

    def test_another_branch_may_fail_without_an_end_for_this_one(self) -> None:
        wait = Wait(NodeInTask(path=("b",)))
        fails = failed_task(others={"b": node("RUNNING", "slow")})
        wait.answers([*[fails] * 6, failed_task(others={"b": node("FINISHED", "slow")})])
        assert wait.outcome == NodeOutcome.FINISHED

    def test_a_node_that_was_not_reached_ends_once_the_task_has_settled_in_a_failure(self) -> None:
        wait = Wait(NodeInTask(path=("later",)))
        wait.answers([failed_task()] * 3)
        assert wait.outcome == NodeOutcome.TASK_OVER
        assert wait.result is not None
        assert wait.result.reason == 'the SOPS task has failed at "boom"'

    def test_it_leaves_time_for_retries_from_elsewhere(self) -> None:
        wait = Wait(NodeInTask(path=("later",)), WaitPolicy(failure_rest_seconds=60))
        wait.answers([failed_task()] * 8)
        assert wait.result is None
        wait.answers([failed_task()])
        assert wait.outcome == NodeOutcome.TASK_OVER

    def test_it_waits_on_where_people_are_waited_for(self) -> None:
        wait = Wait(NodeInTask(path=("later",)), WaitPolicy(on_failed="wait"))
        wait.answers([failed_task()] * 8)
        assert wait.result is None


class TestTrouble:
    def test_an_outage_is_told_once_and_borne(self) -> None:
        wait = Wait()
        down = SopsConnectionError("no route to host")
        wait.answers([running_task(), down, down, running_task("FINISHED")])
        assert wait.outcome == NodeOutcome.FINISHED
        assert sum("no route to host" in line for line in wait.lines) == 1

    def test_it_ends_the_wait_when_it_lasts_too_long(self) -> None:
        wait = Wait(policy=WaitPolicy(max_outage_seconds=30))
        wait.answers([running_task(), *[SopsConnectionError("no route to host")] * 3])
        assert wait.outcome == NodeOutcome.UNREACHABLE

    def test_the_deadline_is_kept(self) -> None:
        wait = Wait(policy=WaitPolicy(deadline=BEGIN + 14))
        wait.answers([running_task()] * 3)
        assert (wait.outcome, wait.now) == (NodeOutcome.TIMED_OUT, BEGIN + 14)


def test_node_and_result_survive_json() -> None:
    inner = NodeInTask(("s", "a"), (("b",),), (("c",), ("s", "d")), waits_for_person=True)
    assert NodeInTask.from_json(inner.to_json()) == inner
    result = NodeResult(NodeOutcome.FAILED, "FAILED", "FAILED", "v1", 2, 1, "t1", "t2", 7, "disk full", "so")
    assert NodeResult.from_event(result.to_event()) == result


@pytest.mark.parametrize("event", [None, "success", {}, {"outcome": ""}])
def test_foreign_events_are_refused(event: Any) -> None:
    with pytest.raises(SopsInvalidParameterError, match="says nothing about a node"):
        NodeResult.from_event(event)


def test_a_wait_for_no_node_is_refused() -> None:
    with pytest.raises(SopsInvalidParameterError, match="names no node"):
        NodeInTask.from_json({"path": []})

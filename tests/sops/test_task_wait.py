from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.sops.errors import SopsConnectionError, SopsError, SopsNotFoundError
from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.person_request import PersonRequest, WaitingNode
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.waiting.model import LAST_ANSWER_SECONDS, DeadlineReachedError
from tests.sops.builders import activity, created_status, node, pipeline_tree, status_of_2019, task_status
from tests.sops.simulated_wait import BEGIN, SimulatedWait

if TYPE_CHECKING:
    from airflow_provider_sops.waiting.model import Look

RUNNING = task_status("RUNNING", {"start": node(), "a": node("RUNNING", "copy")})
FINISHED = task_status("FINISHED", {"start": node(), "a": node("FINISHED", "copy"), "end": node()})
PAUSE = pipeline_tree("start > a > end", nodes={"a": activity("ask", "pause_node")})


class TestOrdinaryCourse:
    def test_it_looks_at_once_and_then_every_interval(self) -> None:
        wait = SimulatedWait(WaitPolicy(poll_interval_seconds=20))

        wait.answers([RUNNING, RUNNING, RUNNING])

        assert [look.delay_seconds for look in wait.looks] == [0, 20, 20]

    def test_by_default_the_pause_follows_the_age_of_the_flow_and_passes_the_cache_while_it_is_short(self) -> None:
        wait = SimulatedWait(WaitPolicy(paced=True))
        running = [task_status("RUNNING", {"a": node("RUNNING", "copy")}, elapsed_time=age) for age in (0, 1, 30, 900)]

        wait.answers([*running, RUNNING])

        assert [look.delay_seconds for look in wait.looks] == [0, 1.5, 1.5, 3, 10]
        assert [look.fresh for look in wait.looks] == [False, True, True, True, False]
        assert [look.longest_delay_seconds for look in wait.looks] == [None, 10, 10, 10, 10]

    def test_without_an_age_in_the_answers_the_pause_follows_the_wait(self) -> None:
        wait = SimulatedWait(WaitPolicy(paced=True))

        wait.run(lambda seconds, _look: FINISHED if seconds >= 300 else RUNNING)

        assert wait.looks[1].delay_seconds == 1.5
        assert wait.looks[-1].delay_seconds == 10

    def test_the_deadline_shortens_a_pause_for_good(self) -> None:
        wait = SimulatedWait(WaitPolicy(paced=True, deadline=BEGIN + 4))

        wait.answers([RUNNING, RUNNING, RUNNING, RUNNING])

        assert [look.delay_seconds for look in wait.looks] == [0, 1.5, 1.5, 1]
        assert wait.looks[-1].longest_delay_seconds is None

    def test_each_change_is_told_once_and_the_end_ends_it(self) -> None:
        wait = SimulatedWait()

        results = wait.answers([created_status(), RUNNING, RUNNING, FINISHED])

        assert wait.lines == [
            "the task is CREATED: SOPS has not begun to run it yet",
            'node "copy" RUNNING',
            'node "copy" FINISHED, after 7 s',
        ]
        assert results[:3] == [None, None, None]
        assert results[3] is not None
        assert (results[3].outcome, results[3].state) == (Outcome.FINISHED, "FINISHED")

    @pytest.mark.parametrize(
        ("state", "outcome"),
        [("FINISHED", Outcome.FINISHED), ("REVOKED", Outcome.REVOKED), ("EXPIRED", Outcome.EXPIRED)],
    )
    def test_a_final_state_ends_the_wait_at_once_in_whatever_situation(self, state: str, outcome: Outcome) -> None:
        late = WaitPolicy(deadline=BEGIN - 5, on_failed="wait")
        failed = task_status("FAILED", {"a": node("FAILED", "copy")})

        for before in ([], [created_status()], [RUNNING], [failed], [failed] * 3):
            wait = SimulatedWait(late)
            wait.answers(before)
            assert wait.answer(task_status(state)).result is not None
            assert wait.result is not None
            assert wait.result.outcome == outcome

    def test_an_ordinary_wait_lets_the_server_answer_from_its_cache_and_asks_for_no_details(self) -> None:
        wait = SimulatedWait()

        wait.answers([RUNNING, RUNNING])

        assert {(look.fresh, look.with_details) for look in wait.looks} == {(False, False)}

    def test_after_a_retry_no_answer_may_come_out_of_a_cache(self) -> None:
        wait = SimulatedWait(WaitPolicy(always_fresh=True))

        wait.answers([RUNNING, RUNNING])

        assert all(look.fresh for look in wait.looks)

    def test_a_server_of_2019_is_followed_with_the_names_of_the_tree(self) -> None:
        wait = SimulatedWait(tree=pipeline_tree("start > a > end", nodes={"a": activity("定时")}))

        wait.answers([status_of_2019(state, {"a": (state, "")}) for state in ("RUNNING", "FINISHED")])

        assert wait.lines == ['node "定时" RUNNING', 'node "定时" FINISHED, after 12 s']
        assert wait.result is not None


class TestAnswersThatGoBackInTime:
    def test_nothing_is_told_twice(self) -> None:
        wait = SimulatedWait()
        two = {"a": node("FINISHED", "copy"), "b": node("RUNNING", "restart")}

        wait.answers([task_status("RUNNING", two), RUNNING, task_status("RUNNING", two), RUNNING])

        assert wait.lines == ['node "copy" FINISHED, after 7 s', 'node "restart" RUNNING']

    def test_created_out_of_an_old_cache_is_neither_told_nor_a_missed_start(self) -> None:
        wait = SimulatedWait(WaitPolicy(start_deadline=BEGIN + 15))

        results = wait.answers([RUNNING, created_status(), created_status(), created_status(), FINISHED])

        assert wait.lines == ['node "copy" RUNNING', 'node "copy" FINISHED, after 7 s']
        assert results[:4] == [None] * 4
        assert results[4] is not None


class TestWaitingForPeople:
    def test_a_node_that_waits_is_named_once_with_the_page_on_which_to_act(self) -> None:
        wait = SimulatedWait(tree=PAUSE, task_url="http://sops/25")
        waiting = task_status("RUNNING", {"start": node(), "a": node("RUNNING", "ask")})

        wait.answers([waiting, waiting])

        assert wait.warnings == wait.lines == ['node "ask" waits for a person (RUNNING in SOPS)\nhttp://sops/25']
        assert [look.fresh for look in wait.looks] == [False, True]

    def test_who_is_asked_what_is_told_where_it_could_be_read(self) -> None:
        wait = SimulatedWait(tree=PAUSE, task_url="http://sops/25")
        waiting = task_status("RUNNING", {"start": node(), "a": node("RUNNING", "ask")})

        assert wait.wait.newly_waiting(TaskStatus.read(waiting)) == [WaitingNode(("a",), "pause_node", "ask")]
        wait.wait.learn_request("a", PersonRequest("Publish 1.4.2?", "all tests pass", "ann,tom"))
        wait.answers([waiting])

        (line,) = wait.warnings
        assert line.splitlines() == [
            'node "ask" waits for a person (RUNNING in SOPS)',
            "who: ann,tom",
            "title: Publish 1.4.2?",
            "text: all tests pass",
            "http://sops/25",
        ]
        assert wait.wait.newly_waiting(TaskStatus.read(waiting)) == []

    def test_a_task_that_somebody_paused_is_told_each_time(self) -> None:
        wait = SimulatedWait()
        paused = task_status("SUSPENDED", {"start": node(), "a": node("RUNNING", "copy")})

        wait.answers([RUNNING, paused, paused, RUNNING, paused, FINISHED])

        assert wait.lines.count("the task was paused in SOPS; it goes on when somebody resumes it there") == 2
        assert len(wait.lines) == 4

    def test_it_is_told_too_where_the_task_was_waiting_for_a_person_before(self) -> None:
        wait = SimulatedWait(tree=PAUSE)
        children = {"start": node(), "a": node("RUNNING", "ask")}

        wait.answers([task_status("RUNNING", children), task_status("SUSPENDED", children)])

        assert wait.lines == [
            'node "ask" waits for a person (RUNNING in SOPS)',
            "the task was paused in SOPS; it goes on when somebody resumes it there",
        ]

    def test_a_paused_node_is_told(self) -> None:
        wait = SimulatedWait()

        wait.answer(task_status("NODE_SUSPENDED", {"start": node(), "a": node("SUSPENDED", "copy")}))

        assert wait.lines == ['node "copy" SUSPENDED']


class TestDeadlines:
    def test_the_wait_ends_at_its_deadline_and_not_an_interval_later(self) -> None:
        wait = SimulatedWait(WaitPolicy(deadline=BEGIN + 25))

        result = wait.run(lambda _seconds, _look: RUNNING)

        assert (result.outcome, result.state, wait.seconds) == (Outcome.TIMED_OUT, "RUNNING", 25)
        assert [look.delay_seconds for look in wait.looks] == [0, 10, 10, 5]

    def test_it_ends_while_people_are_waited_for(self) -> None:
        wait = SimulatedWait(WaitPolicy(deadline=BEGIN + 60, on_failed="wait"))

        result = wait.run(lambda _seconds, _look: task_status("FAILED", {"a": node("FAILED")}))

        assert (result.outcome, result.state, wait.seconds) == (Outcome.TIMED_OUT, "FAILED", 60)

    def test_a_task_that_never_starts_ends_the_wait_at_its_own_deadline(self) -> None:
        wait = SimulatedWait(WaitPolicy(start_deadline=BEGIN + 33, deadline=BEGIN + 3600))

        result = wait.run(lambda _seconds, _look: created_status())

        assert (result.outcome, result.state, wait.seconds) == (Outcome.NOT_STARTED, "CREATED", 33)

    def test_a_started_task_has_no_start_deadline(self) -> None:
        wait = SimulatedWait(WaitPolicy(start_deadline=BEGIN + 5))

        result = wait.run(lambda seconds, _look: FINISHED if seconds > 60 else RUNNING)

        assert result.outcome == Outcome.FINISHED

    def test_an_outage_says_nothing_of_the_start(self) -> None:
        wait = SimulatedWait(WaitPolicy(start_deadline=BEGIN + 15))

        def server(seconds: float, _look: Look) -> Any:
            if seconds < 100:
                raise SopsConnectionError("no route to host")
            return FINISHED

        assert wait.run(server).outcome == Outcome.FINISHED
        assert wait.seconds <= 110
        assert all(look.delay_seconds > 0 for look in wait.looks[1:])

    def test_a_deadline_in_the_past_still_allows_one_look(self) -> None:
        assert SimulatedWait(WaitPolicy(deadline=BEGIN - 60)).run(lambda *_: FINISHED).outcome == Outcome.FINISHED
        assert SimulatedWait(WaitPolicy(deadline=BEGIN - 60)).run(lambda *_: RUNNING).outcome == Outcome.TIMED_OUT


class TestOutages:
    def test_one_line_when_it_begins_and_one_when_it_ends(self) -> None:
        wait = SimulatedWait()

        wait.answer(RUNNING)
        for _ in range(5):
            wait.fail(SopsConnectionError("no route to host"))
        wait.answer(RUNNING)

        assert wait.lines[1:] == [
            "SOPS gives no usable answer; the task itself runs on. Asking again for up to 3600 s: no route to host",
            "SOPS answers again after 60 s",
        ]
        assert wait.warnings == wait.lines[1:2]

    def test_every_outage_is_told(self) -> None:
        wait = SimulatedWait()

        for _ in range(2):
            wait.fail(SopsConnectionError("no route to host"))
            wait.answer(RUNNING)

        assert sum("no route to host" in line for line in wait.lines) == 2
        assert sum("answers again" in line for line in wait.lines) == 2

    @pytest.mark.parametrize("error", [SopsConnectionError("refused"), SopsError("odd", http_status=500, code="50000")])
    def test_it_ends_the_wait_after_max_outage_seconds_counted_from_the_last_answer(self, error: SopsError) -> None:
        wait = SimulatedWait(WaitPolicy(max_outage_seconds=60))

        def server(seconds: float, _look: Look) -> Any:
            if seconds > 100:
                raise error
            return RUNNING

        result = wait.run(server)

        assert (result.outcome, result.state, wait.seconds) == (Outcome.UNREACHABLE, "RUNNING", 160)
        assert str(error) in result.reason

    def test_the_deadline_counts_during_an_outage_too(self) -> None:
        wait = SimulatedWait(WaitPolicy(deadline=BEGIN + 25))

        def server(_seconds: float, _look: Look) -> Any:
            raise SopsConnectionError("no route to host")

        assert (wait.run(server).outcome, wait.seconds) == (Outcome.TIMED_OUT, 25)

    def test_a_last_look_that_brings_no_answer_in_time_ends_the_wait_as_the_deadline_does(self) -> None:
        wait = SimulatedWait(WaitPolicy(deadline=BEGIN + 25))
        wait.answer(RUNNING)

        update = wait.fail(DeadlineReachedError("no answer"))

        assert wait.looks[-1].deadline == BEGIN + 25 + LAST_ANSWER_SECONDS
        assert (update.lines, update.result) == ((), WaitResult(Outcome.TIMED_OUT, "RUNNING", 'at "copy"'))

    def test_a_task_that_sops_does_not_know_twice_in_a_row_ends_the_wait(self) -> None:
        wait = SimulatedWait()
        unknown = SopsNotFoundError("the task does not exist", code=3540400, http_status=200)

        assert wait.fail(unknown).result is None
        assert wait.answer(RUNNING).result is None
        assert wait.fail(unknown).result is None
        assert wait.fail(unknown).result is not None
        assert wait.result is not None
        assert wait.result.outcome == Outcome.UNKNOWN_TASK
        assert "3540400" in wait.result.reason

    def test_its_end_is_told_before_what_happened_meanwhile(self) -> None:
        wait = SimulatedWait()
        wait.fail(SopsConnectionError("no route to host"))

        wait.answer(FINISHED)

        assert wait.lines[1:] == ["SOPS answers again after 10 s", 'node "copy" FINISHED, after 7 s']


@st.composite
def any_status(draw: st.DrawFn) -> Any:
    """Any answer about a task of two nodes, one of them inside a subprocess."""
    first, second = (
        node(
            draw(st.sampled_from(["READY", "RUNNING", "FAILED", "FINISHED"])),
            name,
            loop=draw(st.integers(1, 2)),
            retry=draw(st.integers(0, 1)),
            version=draw(st.sampled_from("vw")),
        )
        for name in ("first", "second")
    )
    children = {"a": first, "s": node(draw(st.sampled_from(["RUNNING", "FAILED"])), "sub", {"b": second})}
    root = draw(st.sampled_from(["CREATED", "RUNNING", "FAILED", "SUSPENDED", "BLOCKED", ""]))
    pending = {"auto_retry_status": {"exist_auto_retry_nodes": draw(st.booleans())}}
    return task_status(root, children, **({} if root == "CREATED" else pending))


ERRORS = st.sampled_from(
    [
        SopsConnectionError("no route to host"),
        SopsError("refused", code=3599999, http_status=200),
        SopsError("broken", code="50000", http_status=500),
    ]
)


class TestWhateverComes:
    @given(st.lists(any_status() | ERRORS, max_size=15), st.sampled_from(["fail", "wait"]), st.booleans())
    def test_looks_do_not_spin_no_change_is_told_twice_and_a_final_answer_ends_it(
        self, answers: list[Any], on_failed: Any, announce: bool
    ) -> None:
        wait = SimulatedWait(WaitPolicy(on_failed=on_failed, announce_failures=announce))

        for each in answers:
            wait.fail(each) if isinstance(each, SopsError) else wait.answer(each)
            if wait.result is not None:
                assert wait.result.outcome in (Outcome.FAILED, Outcome.PERSON_NEEDED)

        told = [line for line in wait.lines if line.startswith("node ")]
        assert len(told) == len(set(told))
        delays = [look.delay_seconds for look in wait.looks[1:]]
        assert all(first or second for first, second in itertools.pairwise(delays))
        assert wait.answer(FINISHED).result is not None

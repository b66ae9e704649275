"""RunSettings: what follows from how a run is set."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args
from unittest import mock

import pendulum
import pytest

from airflow_provider_sops.dag_generator.watch.flow_tasks import FlowOperator
from airflow_provider_sops.dag_generator.watch.node_mirror import NodeMirrorOperator
from airflow_provider_sops.enos.outcome import flow_steps
from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.operators.sops.run_settings import OnClear, RetryMode, RunSettings, check_choices
from airflow_provider_sops.task_instance.mirrored_node import MirroredNode
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from airflow_provider_sops.sops.next_steps import NextSteps


@pytest.fixture
def ti() -> PlainTaskInstance:
    return PlainTaskInstance()


def test_they_are_those_that_an_operator_has() -> None:
    operator = mock.Mock(spec=["on_clear", "retries"], on_clear="new", retries=3)
    assert RunSettings.of(operator, always_fresh=True) == RunSettings(on_clear="new", retries=3, always_fresh=True)


@pytest.mark.parametrize(
    ("flow_type", "given", "start_deadline"),
    [("common", {}, 1600.0), ("common_func", {}, None), ("common_func", {"start_timeout_seconds": 60}, 1060.0)],
)
def test_a_task_that_somebody_has_to_claim_may_stay_created(
    ti: PlainTaskInstance, flow_type: str, given: dict[str, Any], start_deadline: float | None
) -> None:
    assert RunSettings(flow_type=flow_type, **given).policy(ti, 1000.0).start_deadline == start_deadline


def test_answers_are_fresh_after_a_retry(ti: PlainTaskInstance) -> None:
    assert not RunSettings().policy(ti, 0.0).always_fresh
    assert RunSettings().policy(ti, 0.0, overcome=("n1:1",)).always_fresh


def test_the_wait_ends_by_the_earlier_limit() -> None:
    ti = PlainTaskInstance(start_date=pendulum.from_timestamp(900))
    settings = RunSettings(timeout_seconds=600, execution_timeout=timedelta(seconds=200))
    assert settings.policy(ti, 1000.0).deadline == 1090.0


def test_a_choice_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="on_clear is 'old'; it must be one of keep_repaired, new, resume, fail"):
        check_choices(on_failed="wait", on_clear="old")


def steps(*, try_number: int = 3, **arguments: Any) -> NextSteps:
    """Return those of a run operator in a try of a task that may be tried three times."""
    operator = SopsRunTaskOperator(task_id="run", template_id=1, **{"retries": 2, **arguments})
    return RunSettings.of(operator).next_steps(PlainTaskInstance(max_tries=2, try_number=try_number))


class TestAfterAFailure:
    @pytest.mark.parametrize(
        ("on_clear", "told"),
        [
            (
                "keep_repaired",
                (
                    "Retry or skip the node there, then clear this task: it joins the repaired flow. Cleared without a "
                    "repair, this task revokes the SOPS task and runs the whole flow again."
                ),
            ),
            (
                "new",
                (
                    "A clear of this task revokes the SOPS task, repaired or not, and runs the whole flow again. "
                    'To keep a repaired flow, set on_clear="keep_repaired" before you clear.'
                ),
            ),
            (
                "resume",
                (
                    "Retry or skip the node there, then clear this task: it joins the repaired flow. Cleared without a "
                    "repair, this task retries the node in the same SOPS task."
                ),
            ),
            (
                "fail",
                (
                    "End the SOPS task there before you clear this task: a clear fails until it has ended, and then "
                    'runs the whole flow again. To keep a repaired flow, set on_clear="keep_repaired" before you clear.'
                ),
            ),
        ],
    )
    def test_says_what_a_clear_does(self, on_clear: str, told: str) -> None:
        assert steps(on_clear=on_clear).failed == told

    def test_is_that_of_the_default(self) -> None:
        assert steps() == steps(on_clear="keep_repaired", retry_mode="resume")

    @pytest.mark.parametrize(
        ("retry_mode", "told"),
        [("resume", "retries what is still failed there"), ("new", 'retry_mode="resume" would keep it')],
    )
    def test_says_what_airflows_own_retry_does_before_that(self, retry_mode: str, told: str) -> None:
        assert told in steps(retry_mode=retry_mode, try_number=2).failed
        assert "Airflow's own retry" not in steps(retry_mode=retry_mode, try_number=3).failed
        assert "Airflow's own retry" not in steps(retry_mode=retry_mode, retries=0, try_number=1).failed


@pytest.mark.parametrize("retry_mode", get_args(RetryMode))
@pytest.mark.parametrize("on_clear", get_args(OnClear))
class TestAfterEachEnd:
    def test_a_task_that_is_lost_is_run_anew(self, on_clear: str, retry_mode: str) -> None:
        found = steps(on_clear=on_clear, retry_mode=retry_mode)
        assert found.revoked == "A clear of this task runs the whole flow again."
        assert found.expired == "A retry or a clear of this task runs the whole flow again."

    def test_a_task_that_ran_out_of_time_was_revoked_unless_it_is_left_alone(
        self, on_clear: str, retry_mode: str
    ) -> None:
        found = steps(on_clear=on_clear, retry_mode=retry_mode)
        left_alone = steps(on_clear=on_clear, retry_mode=retry_mode, revoke_on_kill=False)
        assert found.timed_out.startswith("It is revoked now. Raise timeout_seconds")
        assert left_alone.timed_out.startswith("Raise timeout_seconds")
        assert left_alone.timed_out.endswith(found.unreachable)

    def test_a_task_that_goes_on_is_joined_or_revoked_as_it_is_set(self, on_clear: str, retry_mode: str) -> None:
        found = steps(on_clear=on_clear, retry_mode=retry_mode).unreachable
        assert ("A retry of this task joins it" in found) is (retry_mode == "resume")
        assert ("a clear joins it" in found) is (on_clear == "resume")
        assert ("a clear revokes it" in found) is (on_clear in ("keep_repaired", "new"))
        assert ("a clear fails until it has ended" in found) is (on_clear == "fail")

    def test_a_task_that_has_not_begun_cannot_be_revoked(self, on_clear: str, retry_mode: str) -> None:
        found = steps(on_clear=on_clear, retry_mode=retry_mode).not_started
        assert ("which SOPS refuses until then" in found) is (
            retry_mode == "new" or on_clear in ("keep_repaired", "new")
        )


class TestWatchedFlow:
    START = "group.start"

    def test_the_flow_itself_always_follows_the_task_that_start_has_made(self) -> None:
        flow = FlowOperator(task_id="flow", start_task_id=self.START, retry_delay_seconds=None)
        found = flow.next_steps()
        assert "a repaired node is found green, and one that is still failed is retried" in found.failed
        assert found.revoked == "Clear 'group.start' with all tasks behind it to run the whole flow again."
        assert found.timed_out.startswith("It is revoked now.")

    @pytest.mark.parametrize(("try_number", "retries"), [(1, True), (2, False)])
    def test_a_nodes_task_says_what_its_own_retry_does(self, try_number: int, retries: bool) -> None:
        mirror = NodeMirrorOperator(task_id="a", start_task_id=self.START, node=MirroredNode(("a",)), retries=1)
        found = mirror.next_steps(PlainTaskInstance(max_tries=1, try_number=try_number).context)
        assert "one that is still failed is retried in the same SOPS task." in found.failed
        assert ("Airflow's own retry of this task does the same" in found.failed) is retries


def test_an_enos_flow_is_never_joined_by_a_clear() -> None:
    found = flow_steps(stops_when_out_of_time=False)
    assert found.failed.startswith("A retry or a clear of this task triggers the flow again.")
    assert "a clear triggers the flow again and leaves this instance alone" in found.unreachable
    assert found.timed_out.endswith(found.unreachable)
    assert flow_steps(stops_when_out_of_time=True).timed_out.startswith("It was stopped.")

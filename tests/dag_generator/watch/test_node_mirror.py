"""Which tasks may live in the triggerer alone, and what they read once their node has ended on a worker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import AirflowException, BaseOperator

from airflow_provider_sops.dag_generator.watch.node_mirror import MOST_TASKS, NodeMirrorOperator, reason_for_worker
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.models import NodeDetail
from airflow_provider_sops.sops.node_result import NodeInTask, NodeOutcome, NodeResult
from airflow_provider_sops.task_instance.mirrored_node import MirroredNode
from airflow_provider_sops.triggers.sops import SopsNodeTrigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from collections.abc import Callable


def reason(tasks: int = 1, **arguments: Any) -> str:
    return reason_for_worker(BaseOperator(task_id="a", **arguments), tasks=tasks)


def callback(_context: Any) -> None:
    """Do nothing."""


def test_a_plain_task_may_where_airflow_can_end_it_there() -> None:
    assert (reason() == "") is AIRFLOW_V_3_3_PLUS
    assert (reason(retries=2, owner="ops", on_failure_callback=callback) == "") is AIRFLOW_V_3_3_PLUS


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"pool": "few"}, "pool"),
        ({"queue": "gpu"}, "queue"),
        ({"on_success_callback": callback}, "on_success_callback"),
        ({"on_execute_callback": callback}, "on_execute_callback"),
        ({"execution_timeout": timedelta(hours=1)}, "execution_timeout"),
        ({"run_as_user": "ops"}, "run_as_user"),
        ({"tasks": MOST_TASKS + 1}, str(MOST_TASKS)),
    ],
)
def test_what_only_a_worker_heeds_needs_one(arguments: dict[str, Any], word: str) -> None:
    found = reason(**arguments)
    assert word in found if AIRFLOW_V_3_3_PLUS else "3.3" in found


OUTPUTS = {"_result": True}


@pytest.fixture
def hook() -> mock.Mock:
    made: mock.Mock = mock.create_autospec(SopsHook, instance=True)
    made.configure_mock(sops_conn_id="sops_default", bk_biz_id=None, scope=None)
    outputs = [{"key": name, "value": value, "preset": True} for name, value in OUTPUTS.items()]
    made.get_task_node_detail.return_value = NodeDetail.read({"id": "n2", "state": "FINISHED", "outputs": outputs})
    made.get_task_node_log.return_value = ""
    return made


def ended(hook: mock.Mock, outcome: NodeOutcome, **arguments: Any) -> Any:
    """End the task of a node on a worker, and return what it returns."""
    mirrored = MirroredNode(("t2",), has_data=True, plugin="bk_display")
    operator: Any = NodeMirrorOperator(task_id="t2", start_task_id="start", node=mirrored, **arguments)
    operator.hook = hook
    state = "FAILED" if outcome == NodeOutcome.FAILED else "FINISHED"
    trigger = SopsNodeTrigger(sops_conn_id="sops_default", sops_task_id=25, node=NodeInTask(path=("n2",)))
    event = {**NodeResult(outcome, state).to_event(), "trigger": trigger.arguments}
    try:
        return operator.execute_complete(PlainTaskInstance().context, event)
    except AirflowException:
        return "failed"


@pytest.mark.parametrize(
    ("arguments", "outcome", "is_read"),
    [
        ({}, NodeOutcome.FINISHED, False),
        ({}, NodeOutcome.SKIPPED, True),
        ({}, NodeOutcome.ERROR_IGNORED, True),
        ({}, NodeOutcome.FAILED, True),
        ({"node_details": "all"}, NodeOutcome.FINISHED, True),
        ({"node_details": "none"}, NodeOutcome.FAILED, False),
    ],
)
class TestNodeDetails:
    def test_are_read_on_a_worker_of_the_nodes_that_they_are_wanted_of(
        self, hook: mock.Mock, arguments: dict[str, Any], outcome: NodeOutcome, is_read: bool
    ) -> None:
        returned = ended(hook, outcome, **arguments)

        assert hook.get_task_node_detail.called is is_read
        assert hook.get_task_node_log.called is is_read
        if outcome != NodeOutcome.FAILED:
            assert returned == (OUTPUTS if is_read else None)


def test_a_log_without_them_says_why(hook: mock.Mock, logged: Callable[[], str]) -> None:
    ended(hook, NodeOutcome.FINISHED)
    assert 'were not read (node_details="failed")' in logged()


def test_without_an_argument_the_configuration_counts(hook: mock.Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SOPS__NODE_DETAILS", "all")
    assert ended(hook, NodeOutcome.FINISHED) == OUTPUTS

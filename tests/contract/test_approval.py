"""bk_approve: a node that somebody has to approve. Another SOPS needs ITSM for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.sops.models import TaskState
from tests.task_progress import node_named, until_accepted, wait_for_node, wait_for_state

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]


@pytest.mark.template("approval")
@pytest.mark.parametrize(("approved", "state"), [(True, TaskState.FINISHED), (False, TaskState.FAILED)])
def test_an_approval_waits_as_running_and_is_answered_by_a_callback(
    hook: SopsHook, flows: Flows, approved: bool, state: TaskState
) -> None:
    task = flows.start("approval")
    status = wait_for_node(hook, task.task_id, "approve", TaskState.RUNNING)
    assert status.state == TaskState.RUNNING
    node_id = node_named(status, "approve").id
    until_accepted(lambda: hook.node_callback(task.task_id, node_id, {"approve_result": approved}))
    wait_for_state(hook, task.task_id, state)

from __future__ import annotations

import pytest

from airflow_provider_sops.sops.errors import SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState, TaskStatus
from airflow_provider_sops.sops.revocation import end_despite_refusal
from tests.sops.builders import created_status, task_status

REFUSAL = SopsInvalidOperationError("the state does not allow it", http_status=200)


@pytest.mark.parametrize("state", [TaskState.FINISHED, TaskState.REVOKED, TaskState.EXPIRED])
def test_a_task_that_is_over_needs_no_revoke(state: TaskState) -> None:
    assert end_despite_refusal(REFUSAL, TaskStatus.read(task_status(state))) == state


@pytest.mark.parametrize("data", [created_status(), task_status("RUNNING"), task_status("FAILED")])
def test_the_refusal_counts_as_long_as_the_task_may_run(data: object) -> None:
    with pytest.raises(SopsInvalidOperationError, match="does not allow"):
        end_despite_refusal(REFUSAL, TaskStatus.read(data))

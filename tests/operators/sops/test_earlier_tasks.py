"""EarlierTasks: which SOPS tasks made before may still do something."""

from __future__ import annotations

import logging
from unittest import mock

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops.earlier_tasks import EarlierTasks
from airflow_provider_sops.sops.models import TaskStatus
from tests.operators.sops.test_revoke_in_time import EARLIER, item
from tests.operators.sops.test_revoke_task import FakeTime

LOG = logging.getLogger(__name__)


@pytest.mark.parametrize(
    ("listed_as_started", "state", "counts", "waits"),
    [
        pytest.param(True, "RUNNING", True, False, id="running"),
        pytest.param(True, "FAILED", True, False, id="failed"),
        # SOPS has accepted the start, and no worker has begun yet.
        pytest.param(True, "CREATED", True, False, id="about to run"),
        pytest.param(False, "CREATED", False, True, id="never started"),
        # Its start was still under way when the tasks were listed.
        pytest.param(False, "RUNNING", True, True, id="started since"),
    ],
)
def test_a_task_counts_as_started_by_the_list_or_by_its_state(
    listed_as_started: bool, state: str, counts: bool, waits: bool
) -> None:
    hook: mock.Mock = mock.create_autospec(SopsHook, instance=True)
    hook.get_task_status.return_value = TaskStatus.read({"id": "n1", "state": state, "children": {}})
    time = FakeTime()
    earlier = EarlierTasks(hook, LOG, sleep=time.sleep, clock=time.clock)
    began = time.clock()
    found = earlier.started([item(7, EARLIER, started=listed_as_started)])
    assert [task.id for task in found] == ([7] if counts else [])
    assert (time.clock() > began) is waits

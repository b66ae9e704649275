"""Retrying a node that people may have repaired in the meantime."""

from __future__ import annotations

import logging
from typing import Any
from unittest import mock

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops.actions import retry_node
from airflow_provider_sops.sops.errors import SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskStatus
from tests.operators.sops.test_revoke_task import FakeTime
from tests.sops.builders import failed_task, node, task_status

LOG = logging.getLogger(__name__)
REFUSED = SopsInvalidOperationError("the node is not FAILED", http_status=200)


def refusal_of_a_retry(now: dict[str, Any]) -> object:
    """Return what becomes of a retry that SOPS refuses.

    :param now: the task's status when the retry has been refused.
    """
    hook: mock.Mock = mock.create_autospec(SopsHook, instance=True)
    hook.bear.side_effect = lambda _call, act: act()
    hook.operate_node.side_effect = REFUSED
    hook.get_task_status.return_value = TaskStatus.read(now)
    (failed,) = TaskStatus.read(failed_task()).failed_nodes
    return retry_node(hook, 7, failed, LOG, sleep=FakeTime().sleep)


def test_a_refusal_while_the_node_is_failed_as_before_is_one() -> None:
    assert refusal_of_a_retry(failed_task()) is REFUSED


@pytest.mark.parametrize(
    "repaired",
    [
        pytest.param(node("FINISHED", "boom", skip=True), id="skipped"),
        pytest.param(node("RUNNING", "boom", retry=1), id="retried"),
        pytest.param(node("FAILED", "boom", retry=1), id="retried, and failed again"),
    ],
)
def test_a_node_that_was_repaired_meanwhile_needs_no_retry(repaired: dict[str, Any]) -> None:
    assert refusal_of_a_retry(task_status("RUNNING", {"a": repaired})) is None

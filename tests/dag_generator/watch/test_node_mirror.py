"""Which tasks may live in the triggerer alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_sops.dag_generator.watch.node_mirror import MOST_TASKS, reason_for_worker
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS


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

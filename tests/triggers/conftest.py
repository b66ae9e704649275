"""Triggers here follow on no worker; and what this version of Airflow does not have is left out."""

from __future__ import annotations

import pytest

from airflow_provider_sops.triggers import waiting_trigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS

collect_ignore = (
    ["test_sops_task_finished_unavailable.py"]
    if AIRFLOW_V_3_3_PLUS
    else ["test_sops_task_finished.py", "test_sops_mirror.py", "test_requests_of_a_watched_flow.py"]
)


@pytest.fixture(autouse=True)
def no_worker_to_outlive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let triggers fire at once."""
    monkeypatch.setattr(waiting_trigger, "WORKER_EXIT_SECONDS", 0.0)

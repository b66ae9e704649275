"""The code of docs/moving-a-flow-to-airflow.md does what the page says, with the flow of the examples."""

from __future__ import annotations

import runpy
from datetime import timedelta
from typing import Any

import pytest

from tests.docs.dag_files import write_dag_file
from tests.docs.pages import ROOT, Page


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page's code defines, in a file beside the snapshot that it names."""
    page = Page(ROOT / "docs/moving-a-flow-to-airflow.md")
    return runpy.run_path(str(write_dag_file(page, tmp_path_factory.mktemp("dags"))))


def names_left_in_sops(shown: dict[str, Any], dag: str) -> list[str]:
    return [shown[dag].get_task(task_id).task_display_name for task_id in shown["left_in_sops"](shown[dag])]


def test_the_first_step_leaves_every_node_and_the_decision_in_sops(shown: dict[str, Any]) -> None:
    assert names_left_in_sops(shown, "rollout") == [
        "announce the release",
        "deploy web",
        "deploy workers",
        "which environment",
        "leaf says",
        "leaf waits",
        "nothing to check",
        "tell the team",
    ]


def test_the_shipped_converters_leave_what_only_sops_can_do(shown: dict[str, Any]) -> None:
    assert names_left_in_sops(shown, "tuned") == ["deploy web", "deploy workers", "which environment"]


def test_node_args_reach_the_tasks_of_the_nodes_that_they_name(shown: dict[str, Any]) -> None:
    tasks = {task.task_display_name: task for task in shown["tuned"].tasks}
    deploy = tasks["deploy web"]
    assert (deploy.pool, deploy.retries, deploy.retry_delay) == ("deployments", 2, timedelta(minutes=1))
    assert tasks["tell the team"].owner == "support"
    assert tasks["announce the release"].pool == "default_pool"

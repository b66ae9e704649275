"""Watched flows, run by SOPS and shown by Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum
import pytest

from airflow_provider_sops.dag_generator.dag import SopsDag
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from tests.dag_run import FinishedRun, run_dag

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]


def watch(hook: SopsHook, template_id: int, dag_id: str, **arguments: Any) -> SopsDag:
    tree = PipelineTree.from_dict(hook.get_template_info(template_id, unfold_subprocess=True).raw)
    return SopsDag(
        f"watch_{dag_id}",
        pipeline=tree,
        template_id=template_id,
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        poll_interval_seconds=0.2,
        **arguments,
    )


def states(run: FinishedRun) -> dict[str, str]:
    return {ti.task_id.rpartition("__")[0] or ti.task_id: str(ti.state) for ti in run.dag_run.get_task_instances()}


@pytest.mark.parametrize(("template", "pace"), [("nested", "flow"), ("exclusive", "free")])
def test_it_ends_as_the_flow_did(hook: SopsHook, templates: dict[str, int], template: str, pace: Any) -> None:
    dag = watch(hook, templates[template], f"{template}_{pace}", pace=pace)
    run = run_dag(dag)
    assert run.state == "success"
    detail_status = hook.get_task_status(run.xcom("start", "sops_task_id"), fresh=True)
    assert detail_status.state == TaskState.FINISHED

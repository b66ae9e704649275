"""A release that somebody has to repair and to approve: the flow of the walk-through.

The flow's check fails until somebody retries its node in SOPS with other inputs. Then the flow waits for an approval,
which is among Airflow's Required Actions too (``approvals="airflow"``).
Cleared in Airflow, ``release`` joins the repaired SOPS task rather than start another (``on_clear="resume"``).
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_sops.operators.sops import SopsRunTaskOperator

with DAG(
    dag_id="walk_through",
    description="A release in SOPS that fails, is repaired and approved",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={"version": Param("1.4.2", type="string", title="Version to release")},
    tags=["sops", "walk-through"],
    doc_md=__doc__,
):
    release = SopsRunTaskOperator(
        task_id="release",
        template_id=501,
        name="release {{ params.version }}",
        constants={"${version}": "{{ params.version }}"},
        on_clear="resume",
        retries=0,
        approvals="airflow",
        deferrable=True,
        poll_interval_seconds=2,
    )

    @task
    def announce(outputs: Any) -> str:
        """Tell what was released, from the outputs of the flow."""
        return f"released {outputs['version']}: {outputs['report']}"

    announce(release.output)

"""Run one SOPS flow from Airflow and use its outputs.

``deploy`` creates a task from a SOPS template, starts it, waits in the triggerer and returns the flow's outputs, which
the next task reads from XCom like any other result.

Set the template with the DAG's params; the defaults are for the ``parallel`` template of local_sops.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_sops.operators.sops import SopsRunTaskOperator

with DAG(
    dag_id="sops_run_task",
    description="Run a SOPS flow with a parallel branch and use its output",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "template_id": Param(2, type="integer", title="SOPS template", minimum=1),
        "version": Param("1.4.2", type="string", title="Version to deploy"),
    },
    tags=["sops", "example"],
    doc_md=__doc__,
):
    # [START sops_run_task]
    deploy = SopsRunTaskOperator(
        task_id="deploy",
        template_id="{{ params.template_id }}",
        name="deploy {{ params.version }}",
        constants={"${version}": "{{ params.version }}"},
        deferrable=True,
    )
    # [END sops_run_task]

    @task
    def report(outputs: Any) -> str:
        """Say what was deployed."""
        return f"deployed: {outputs}"

    report(deploy.output)

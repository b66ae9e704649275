"""Approvals that are answered in Airflow or in SOPS: by the task of a whole flow, and by the task of a node.

Each flow waits for one approval; it is among Airflow's Required Actions as soon as it is reached. The snapshot beside
this file is the template ``approval`` of local_sops.
"""

from __future__ import annotations

from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.dag_generator import SopsTaskGroup
from airflow_provider_sops.operators.sops import SopsRunTaskOperator

with DAG(
    dag_id="approvals",
    description="Approvals that are answered in Airflow or in SOPS",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    tags=["sops", "walk-through"],
    doc_md=__doc__,
):
    SopsRunTaskOperator(task_id="whole", template_id=30, approvals="airflow", deferrable=True)
    SopsTaskGroup("watched", pipeline=Path(__file__).with_name("approvals.json"))

"""Let Airflow run a SOPS flow: the same flow, and the same few lines, as in ``sops_pipeline_watch``.

Order, branches, retries and subprocesses are Airflow's. The two deployments and the decision are separate SOPS tasks;
the messages, and the wait in the subprocess, run in Airflow alone, since the package includes converters for them. The
flow comes from the snapshot beside this file, written by ``airflow-sops snapshot 38``, so that nothing
calls SOPS while this file is parsed. "Trigger DAG" asks for the flow's constants. The flow is the ``rollout`` template
of local_sops.
"""

from __future__ import annotations

from pathlib import Path

import pendulum

from airflow_provider_sops.dag_generator import SopsDag

# [START sops_pipeline_native]
dag = SopsDag(
    "sops_pipeline_native",
    mode="native",
    pipeline=Path(__file__).with_name("sops_pipeline_native.json"),
    node_args={"deploy *": {"retries": 1, "retry_delay": pendulum.duration(seconds=10)}},
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    tags=["sops", "example"],
    doc_md=__doc__,
)
# [END sops_pipeline_native]

"""Watch a running SOPS flow node by node in Airflow's grid and graph.

SOPS runs the flow as one task; every node has an Airflow task that runs as long as the node and ends like it. The
flow comes from the snapshot beside this file, written by ``airflow-sops snapshot 38``, so that nothing calls SOPS
while this file is parsed. "Trigger DAG" asks for the flow's constants. The flow is the ``rollout`` template of
local_sops.
"""

from __future__ import annotations

from pathlib import Path

import pendulum

from airflow_provider_sops.dag_generator import SopsDag

# [START sops_pipeline_watch]
dag = SopsDag(
    "sops_pipeline_watch",
    pipeline=Path(__file__).with_name("sops_pipeline_watch.json"),
    node_args={"deploy *": {"retries": 1, "retry_delay": pendulum.duration(seconds=10)}},
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    tags=["sops", "example"],
    doc_md=__doc__,
)
# [END sops_pipeline_watch]

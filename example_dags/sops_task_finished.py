"""Run a DAG when a SOPS task that someone else started ends (Airflow 3).

People start the flow by hand in SOPS, or SOPS starts it by its own schedule. The asset's watcher sees each of its tasks
end; the DAG then reads the outputs. Several ends may come as one DAG run, and after a crash of the triggerer one may
come twice, so the ids are made unique first.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pendulum

# Airflow 2 has no asset watchers: there this file makes no DAG.
if find_spec("airflow.sdk"):
    from airflow.sdk import DAG, Asset, AssetWatcher, task

    from airflow_provider_sops.sensors.sops import SopsTaskSensor
    from airflow_provider_sops.triggers.sops import SopsTaskFinishedTrigger

    # [START watcher]
    nightly = Asset(
        name="sops_nightly",
        uri="sops://bk-sops.example.com/2/nightly",
        watchers=[AssetWatcher(name="nightly_flows", trigger=SopsTaskFinishedTrigger(name_pattern="nightly *"))],
    )
    # [END watcher]

    # [START dag]
    with DAG(
        dag_id="sops_after_nightly",
        description="Use the outputs of flows that were started in SOPS",
        schedule=[nightly],
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        tags=["sops", "example"],
        doc_md=__doc__,
    ):

        @task
        def ended_tasks(triggering_asset_events: Any = None) -> list[int]:
            """Return the ids of the ended SOPS tasks."""
            events = triggering_asset_events[nightly] if triggering_asset_events else []
            return sorted({event.extra["payload"]["sops_task_id"] for event in events})

        outputs = SopsTaskSensor.partial(task_id="outputs", deferrable=True).expand(sops_task_id=ended_tasks())
    # [END dag]

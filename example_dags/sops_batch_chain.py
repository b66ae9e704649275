"""A nightly batch over SOPS and EnOS: each step is a flow, and the next one uses its outputs.

``release`` runs a SOPS flow. Its outputs become the constants of one flow for each host, at most two of them at a time.
Then an EnOS flow computes the report. If any step fails, ``repair`` runs a repair flow, and a notification flow in SOPS
alerts the people on duty. Each release updates the asset of the releases, and its event says which SOPS task it was. If
all steps succeed, the asset of the batch starts the second DAG.

Set templates and hosts with the DAG's params; the defaults are for the templates of local_sops.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, Param, task

from airflow_provider_sops.notifications.sops import SopsTaskNotifier
from airflow_provider_sops.operators.enos import EnosTriggerFlowOperator
from airflow_provider_sops.operators.sops import SopsRunTaskOperator

# [START assets]
RELEASES = Asset("sops://bk-sops.example.com/2/release")
BATCH = Asset("sops://bk-sops.example.com/2/nightly-batch")


def say_which_task(context: Any, result: Any = None) -> None:
    """Write into the event of the asset which SOPS task has made it."""
    sops_task_id = context["ti"].xcom_pull(task_ids="release", key="sops_task_id")
    context["outlet_events"][RELEASES].extra = {"sops_task_id": sops_task_id}


# [END assets]

# [START notifier]
tell_people_on_duty = SopsTaskNotifier(
    template_id="{{ params.notify_template }}",
    name="{{ dag.dag_id }}.{{ ti.task_id }} failed",
    constants={
        "${receiver}": "duty",
        "${text}": "{{ ti.task_id }} in {{ run_id }}: {{ exception | default('its worker is gone') }}",
    },
)
# [END notifier]

with DAG(
    dag_id="sops_batch_chain",
    description="A chain of SOPS flows and an EnOS flow, every night",
    schedule="30 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"on_failure_callback": tell_people_on_duty, "poll_interval_seconds": 6},
    params={
        "hosts": Param(["10.0.0.1", "10.0.0.2", "10.0.0.3"], type="array", title="Hosts"),
        "release_template": Param(2, type="integer", title="SOPS template of the release"),
        "host_template": Param(41, type="integer", title="SOPS template that runs for each host"),
        "repair_template": Param(18, type="integer", title="SOPS template of the repair"),
        "notify_template": Param(31, type="integer", title="SOPS template that writes to people"),
        "report_flow": Param(1, type="integer", title="EnOS flow of the report"),
    },
    tags=["sops", "enos", "example"],
    doc_md=__doc__,
):
    # [START chain]
    release = SopsRunTaskOperator(
        task_id="release",
        template_id="{{ params.release_template }}",
        constants={"${version}": "{{ run_id }}", "${compile_seconds}": 1, "${test_seconds}": 1},
        deferrable=True,
        outlets=[RELEASES],
        post_execute=say_which_task,
    )

    @task
    def constants_for_each_host(outputs: Any, params: Any = None) -> list[dict[str, str]]:
        """Make the constants of one flow for each host from the outputs of the release."""
        return [{"${message}": f"{host}: {outputs['report']}"} for host in params["hosts"]]

    on_hosts = SopsRunTaskOperator.partial(
        task_id="on_hosts",
        template_id="{{ params.host_template }}",
        deferrable=True,
        max_active_tis_per_dagrun=2,
    ).expand(constants=constants_for_each_host(release.output))

    report = EnosTriggerFlowOperator(
        task_id="report",
        flow_id="{{ params.report_flow }}",
        parameters={"version": "{{ ti.xcom_pull(task_ids='release')['version'] }}"},
        deferrable=True,
    )
    # [END chain]

    # [START repair]
    repair = SopsRunTaskOperator(
        task_id="repair",
        template_id="{{ params.repair_template }}",
        trigger_rule="one_failed",
        deferrable=True,
    )
    # [END repair]

    # [START asset]
    @task(outlets=[BATCH])
    def finish(replies: Any) -> list[str]:
        """Collect what the hosts replied; the DAGs that wait for the batch start now."""
        return [outputs["reply"] for outputs in replies]

    # [END asset]

    finished = finish(on_hosts.output)
    on_hosts >> report >> finished
    [release, on_hosts, report] >> repair

with DAG(
    dag_id="sops_batch_follow_up",
    description="Runs after each batch that went well",
    schedule=[BATCH],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    tags=["sops", "example"],
):
    SopsRunTaskOperator(task_id="clean_up", template_id=18, deferrable=True)

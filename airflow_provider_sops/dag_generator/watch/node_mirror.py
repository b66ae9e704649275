"""The task that shows one node of a running SOPS flow."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_sops.operators.sops.base import SopsBaseOperator, retries_left
from airflow_provider_sops.service.durations import Duration, poll_interval, seconds_or_none
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from airflow_provider_sops.waiting.pace import poll_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.dag_generator.watch.mirror_run import MirrorRun
    from airflow_provider_sops.hooks.configuration import NodeDetails
    from airflow_provider_sops.sops.next_steps import NextSteps
    from airflow_provider_sops.sops.pipeline_tree import PipelineTree
    from airflow_provider_sops.sops.wait_result import OnFailed
    from airflow_provider_sops.task_instance.mirrored_node import MirroredNode

#: Every trigger that starts a task receives the whole DAG. With more tasks than this the triggerer is slower than
#: workers are.
MOST_TASKS = 250

#: What Airflow heeds, calls or fills on a worker only.
_WORKER_ONLY = (
    "pool",
    "pool_slots",
    "queue",
    "executor",
    "executor_config",
    "run_as_user",
    "inlets",
    "outlets",
    "on_execute_callback",
    "on_success_callback",
    "on_skipped_callback",
    "execution_timeout",
    "max_active_tis_per_dag",
    "max_active_tis_per_dagrun",
)


class NodeMirrorOperator(SopsBaseOperator):
    """Show one node of a watched flow: run as long as it, end like it, return its outputs if they are read.

    It starts nothing in SOPS and revokes nothing. Its retry, by Airflow or by a clear, retries the failed node inside
    the same SOPS task; if somebody has repaired it there meanwhile, this task succeeds. A node that the flow
    passes by is skipped as soon as that is certain.

    From Airflow 3.3 on it lives in the triggerer alone where it can: see ``SopsNodeMirrorTrigger`` and
    ``reason_for_worker``. Otherwise it begins on a worker, waits in the triggerer and ends on a worker.

    Returns the node's outputs where ``node_details`` has them read. XCom also has ``sops_node``: state, times, retries
    and rounds as SOPS gives them.

    :param start_task_id: the Airflow task that started the SOPS task.
    :param node: the node in the template.
    :param tree: the template; needed for a node inside a subprocess, which may run as a SOPS task of its own.
    :param nodes_in_flow: how many such tasks the DAG has.
    :param on_failed: ``"fail"`` or ``"wait"``, as of ``SopsRunTaskOperator``.
    :param node_details: whether inputs, outputs and log are read at the node's end, as of ``SopsDag``.
    """

    shallow_copy_attrs: Sequence[str] = ("_tree",)

    def __init__(
        self,
        *,
        start_task_id: str,
        node: MirroredNode,
        tree: PipelineTree | None = None,
        nodes_in_flow: int = 1,
        on_failed: OnFailed = "fail",
        poll_interval_seconds: Duration | None = None,
        timeout_seconds: Duration | None = None,
        node_details: NodeDetails | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if node_details is not None:
            from airflow_provider_sops.hooks import configuration

            configuration.node_details(node_details)
        self.node_details = node_details
        self.start_task_id = start_task_id
        self.node = node
        self._tree = tree
        self.on_failed = on_failed
        self.poll_interval_seconds = poll_interval(poll_interval_seconds)
        self.timeout_seconds = seconds_or_none("timeout_seconds", timeout_seconds, above_zero=True)
        self.reason_for_worker = reason_for_worker(self, tasks=nodes_in_flow)
        if not self.reason_for_worker:
            self._start_from_trigger()

    def _start_from_trigger(self) -> None:
        from airflow.triggers.base import StartTriggerArgs

        # For what was not given, the trigger reads the triggerer's configuration.
        outage = self.max_outage_seconds

        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="airflow_provider_sops.triggers.sops_mirror.SopsNodeMirrorTrigger",
            trigger_kwargs={
                **site_of(self).arguments,
                "start_task_id": self.start_task_id,
                "node": self.node.to_json(),
                "on_failed": self.on_failed,
                **poll_arguments(self.poll_interval_seconds),
                "timeout_seconds": self.timeout_seconds,
                **({"usual_outage": True} if outage is None else {"max_outage_seconds": outage}),
                **({} if self.node_details is None else {"node_details": self.node_details}),
            },
            next_method="execute_complete",
        )
        self.start_from_trigger = True

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Find the node in the SOPS task, retry it if this is a retry, and hand over to the triggerer."""
        with airflow_errors(self.log):
            if self.reason_for_worker:
                self.log.info("This task begins and ends on a worker: %s.", self.reason_for_worker)
            return self._run(context).begin()

    def execute_complete(
        self, context: Context, event: dict[str, Any], was_asked: bool = True
    ) -> dict[str, Any] | None:
        """Take over: the node has ended or never will run, the flow has come nearer to it, or somebody has answered."""
        with airflow_errors(self.log):
            return self._run(context).resume(event, was_asked=was_asked)

    def _run(self, context: Context) -> MirrorRun:
        # Only a running task needs these, not a DAG file.
        from airflow_provider_sops.dag_generator.watch.mirror_run import MirrorRun
        from airflow_provider_sops.hooks import configuration
        from airflow_provider_sops.sops.wait_result import WaitPolicy

        policy = WaitPolicy(
            on_failed=self.on_failed,
            **poll_arguments(configuration.poll_interval_seconds(self.poll_interval_seconds)),
            deadline=None if self.timeout_seconds is None else time.time() + self.timeout_seconds,
            max_outage_seconds=configuration.max_outage_seconds(self.max_outage_seconds),
        )
        return MirrorRun(
            hook=self.hook,
            node=self.node,
            name=str(self.task_display_name),
            policy=policy,
            context=context,
            log=self.log,
            start_task_id=self.start_task_id,
            tree=self._tree,
            next_steps=self.next_steps(context),
            node_details=configuration.node_details(self.node_details),
        )

    def next_steps(self, context: Context) -> NextSteps:
        """Return what clears of the run's tasks and a retry of this one do, for its error."""
        from airflow_provider_sops.sops.next_steps import TIME_ALLOWED, NextSteps

        again = "A retry or a clear of this task looks again."
        from_the_start = f"Clear {self.start_task_id!r} with all tasks behind it to run the whole flow again."
        failed = (
            "Retry or skip the node there, or leave it as it is, then clear this task and the others of the DAG run "
            "that failed: a repaired node is found green, and one that is still failed is retried in the same SOPS "
            "task."
        )
        if retries_left(self.retries, context["ti"]):
            failed += " Before that, Airflow's own retry of this task does the same."
        allowed = TIME_ALLOWED
        if self.timeout_seconds is not None:
            allowed = f"{allowed}, {self.timeout_seconds:g} s (timeout_seconds)"
        return NextSteps(
            failed=failed,
            revoked=from_the_start,
            expired=from_the_start,
            timed_out=again,
            unreachable=again,
            limit=allowed,
        )


def reason_for_worker(task: Any, *, tasks: int) -> str:
    """Return why a task has to begin on a worker; empty if it need not.

    :param task: the operator as it was built, default arguments and all.
    :param tasks: how many tasks of its kind the DAG has.
    """
    if not AIRFLOW_V_3_3_PLUS:
        return "before Airflow 3.3 a task cannot end in the triggerer"
    if tasks > MOST_TASKS:
        return f"the flow has {tasks} nodes, and above {MOST_TASKS} workers are quicker"
    if task.get_closest_mapped_task_group() is not None:
        return "it is in a mapped task group"
    usual = _usual()
    for name in _WORKER_ONLY:
        value = getattr(task, name, None)
        if value and value != usual.get(name):
            return f"it has {name} set"
    return ""


@cache
def _usual() -> Mapping[str, Any]:
    """Return what tasks have that nobody has set; Airflow reads its default queue once in a process, too."""
    return {"pool": "default_pool", "pool_slots": 1, "queue": conf.get("operators", "default_queue")}

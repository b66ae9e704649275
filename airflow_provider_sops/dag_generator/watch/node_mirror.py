"""The task that shows one node of a running SOPS flow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_provider_sops.dag_generator.flow_xcom import FLOW_TASK_KEYS, pull, read_flow_task
from airflow_provider_sops.dag_generator.watch.mirrored_node import FlowTask, MirroredNode, key_text
from airflow_provider_sops.dag_generator.watch.triggerer_life import reason_for_worker
from airflow_provider_sops.operators.sops.base import SopsBaseOperator, retries_left
from airflow_provider_sops.operators.sops.node_actions import retries_by_itself, retry_node
from airflow_provider_sops.service.durations import Duration, seconds, seconds_or_none
from airflow_provider_sops.service.reading import read_id
from airflow_provider_sops.sops.errors import SopsTaskFailedError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.next_steps import NextSteps
from airflow_provider_sops.sops.node_end import detail_arguments
from airflow_provider_sops.sops.node_result import NodeInTask, NodeOutcome, NodeResult
from airflow_provider_sops.sops.node_wait import NodeWait
from airflow_provider_sops.sops.outcome import node_error
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import INDEPENDENT_SUBPROCESS_PLUGIN
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_wait import failure_mark
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.task_instance.outputs import read_secrets
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.task_follower import SopsLooks
from airflow_provider_sops.task_instance.xcom import NODE_XCOM_KEY, push_task
from airflow_provider_sops.waiting.follow import follow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.pipeline_tree import NodeKey
    from airflow_provider_sops.sops.task_secrets import TaskSecrets
    from airflow_provider_sops.sops.wait_result import OnFailed
    from airflow_provider_sops.waiting.model import LogLine


class NodeMirrorOperator(SopsBaseOperator):
    """Show one node of a watched flow: run as long as it, end as it, have its outputs.

    It starts nothing in SOPS and revokes nothing. Its retry, by Airflow or by a clear, retries the failed node inside
    the same SOPS task; if somebody has repaired it there meanwhile, it is found green. A node that the flow passes by
    is skipped as soon as that is certain.

    From Airflow 3.3 on it lives in the triggerer alone where it can: see ``SopsNodeMirrorTrigger`` and
    ``reason_for_worker``. Otherwise a worker begins it, hands it to the triggerer and ends it.

    Returns the node's outputs. XCom also has ``sops_node``: state, times, retries and rounds as SOPS gives them.

    :param start_task_id: the Airflow task that has started the SOPS task.
    :param node: the node in the template.
    :param tree: the template; needed for a node inside a subprocess, which may run as a SOPS task of its own.
    :param nodes_in_flow: how many such tasks the DAG has.
    :param on_failed: ``"fail"`` or ``"wait"``, as of ``SopsRunTaskOperator``.
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
        poll_interval_seconds: Duration = 10,
        timeout_seconds: Duration | None = None,
        max_outage_seconds: Duration = 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start_task_id = start_task_id
        self.node = node
        self._tree = tree
        self._secrets: dict[tuple[int, ...], TaskSecrets] = {}
        self.on_failed = on_failed
        self.poll_interval_seconds = seconds("poll_interval_seconds", poll_interval_seconds, above_zero=True)
        self.timeout_seconds = seconds_or_none("timeout_seconds", timeout_seconds, above_zero=True)
        self.max_outage_seconds = seconds("max_outage_seconds", max_outage_seconds)
        self.reason_for_worker = reason_for_worker(self, tasks=nodes_in_flow)
        if not self.reason_for_worker:
            self._start_from_trigger()

    def _start_from_trigger(self) -> None:
        from airflow.triggers.base import StartTriggerArgs

        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="airflow_provider_sops.triggers.sops_mirror.SopsNodeMirrorTrigger",
            trigger_kwargs={
                **site_of(self).arguments,
                "start_task_id": self.start_task_id,
                "node": self.node.to_json(),
                "on_failed": self.on_failed,
                "poll_interval_seconds": self.poll_interval_seconds,
                "timeout_seconds": self.timeout_seconds,
                "max_outage_seconds": self.max_outage_seconds,
            },
            next_method="execute_complete",
        )
        self.start_from_trigger = True

    def execute(self, context: Context) -> Any:
        """Find the node in the SOPS task, retry it if this is a retry, and hand over to the triggerer."""
        with airflow_errors():
            if self.reason_for_worker:
                self.log.info("This task begins and ends on a worker: %s.", self.reason_for_worker)
            ti: Any = context["ti"]
            task, node = self._locate(self._flow_task(ti))
            push_task(context, task.sops_task_id, task.task_url)
            overcome = self._retry(task, node) if ti.try_number > 1 and self.on_failed == "fail" else ()
            policy = self._policy(overcome, is_retry=ti.try_number > 1)
            result = self._look(task, node, policy)
            if result is None:
                self._defer(task, node, policy)
            return self._conclude(context, task, node, result)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take over from the trigger: the node has ended, or never will run, or the flow has come nearer to it."""
        from airflow_provider_sops.triggers.sops import SopsNodeTrigger

        if event.get("begin") or event.get("outcome") == NodeOutcome.ARRIVED:
            found: dict[str, Any] | None = self.execute(context)
            return found
        with airflow_errors():
            trigger = SopsNodeTrigger.from_event(event)
            task = FlowTask(trigger.sops_task_id, trigger.task_url, {})
            return self._conclude(context, task, trigger.node, NodeResult.from_event(event))

    def _flow_task(self, ti: Any) -> FlowTask:
        return read_flow_task({key: pull(ti, self.start_task_id, key) for key in FLOW_TASK_KEYS})

    def _locate(self, task: FlowTask) -> tuple[FlowTask, NodeInTask]:
        """Return the node and the task that it is in: the run's, or one that a subprocess of it has started."""
        mirrored, tree = self.node, self._tree
        while (node := mirrored.in_task(task)) is None:
            subprocess = mirrored.task_around(task)
            if subprocess is None or tree is None:
                raise AirflowSkipException("This node is not in the SOPS task; it was excluded.")
            tree = tree.subtree(subprocess)
            task = self._enter(task, subprocess, mirrored, tree)
            mirrored = mirrored.inside(subprocess)
        return task, node

    def _enter(self, task: FlowTask, subprocess: NodeKey, mirrored: MirroredNode, tree: PipelineTree) -> FlowTask:
        """Return the task that a subprocess runs as; until there is one, leave the worker."""
        path = task.paths[key_text(subprocess)]
        detail = self.hook.get_task_node_detail(
            task.sops_task_id, **detail_arguments(path, INDEPENDENT_SUBPROCESS_PLUGIN), fresh=True
        )
        inner_id = read_id(detail.data.outputs.get("task_id"))
        if inner_id is None and detail.state == TaskState.FAILED:
            error = self._secrets_of(mirrored.secrets_of(task)).error(path[-1], detail.data.ex_data)
            raise SopsTaskFailedError(
                f"node {path[-1]} of SOPS task {task.sops_task_id} failed before it had started its subprocess:"
                f" {error}",
                advice="Retry the node in SOPS, then clear this task.",
                sops_task_id=task.sops_task_id,
                task_url=task.task_url,
                failed_nodes=[path[-1]],
            )
        if inner_id is None:
            self._defer(task, mirrored.arrival_of(subprocess, task), self._policy((), is_retry=False))
        self.log.info("The subprocess around this node runs as SOPS task %s.", inner_id)
        inner = self.hook.get_task_detail(inner_id)
        mapping = tree.map_to_task(PipelineTree(inner.pipeline_tree))
        return FlowTask.of(inner_id, inner.task_url, mapping, outer=(*task.outer, task.sops_task_id))

    def _defer(self, task: FlowTask, node: NodeInTask, policy: WaitPolicy) -> NoReturn:
        from airflow_provider_sops.triggers.sops import SopsNodeTrigger

        raise TaskDeferred(
            trigger=SopsNodeTrigger(
                **site_of(self).arguments,
                sops_task_id=task.sops_task_id,
                task_url=task.task_url,
                node=node,
                policy=policy,
            ),
            method_name="execute_complete",
        )

    def _look(self, task: FlowTask, node: NodeInTask, policy: WaitPolicy) -> NodeResult | None:
        """Look before handing over, since many nodes are done by then; a failure is confirmed within seconds.

        Where the trigger goes on, it tells the log what has changed.
        """
        wait = NodeWait(node, policy, time.time())
        secrets = self._secrets_of(node.secrets_of)
        looks = SopsLooks(self.hook, task.sops_task_id, wait, self.log, secrets=secrets)
        lines: list[LogLine] = []
        result = follow(wait, looks, lines.append, once=True)
        for line in lines if result else ():
            looks.tell(line)
        return result

    def _conclude(
        self, context: Context, task: FlowTask, node: NodeInTask, result: NodeResult
    ) -> dict[str, Any] | None:
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.dag_generator.node_report import GREEN, node_xcom, told, write

        ti: Any = context["ti"]
        ti.xcom_push(key=NODE_XCOM_KEY, value=node_xcom(result, task.sops_task_id, node.id))
        write(told(result), self.log)
        if result.outcome == NodeOutcome.NEVER_RUNS:
            raise AirflowSkipException("The flow has passed this node by.")
        outputs = self._report(task.sops_task_id, node, result) if self.node.has_data and result.state else None
        if result.outcome in GREEN:
            return outputs
        raise node_error(result, task.sops_task_id, node.id, task.task_url, self.next_steps(context))

    def next_steps(self, context: Context) -> NextSteps:
        """Return what clears of the run's tasks and a retry of this one do, for its error."""
        again = "A retry or a clear of this task looks again."
        anew = f"Clear {self.start_task_id!r} with all tasks behind it to run the whole flow again."
        failed = (
            "Retry or skip the node there, or leave it as it is, then clear this task and the others of the DAG run "
            "that failed: a repaired node is found green, and one that is still failed is retried in the same SOPS "
            "task."
        )
        if retries_left(self.retries, context["ti"]):
            failed += " Before that, Airflow's own retry of this task does the same."
        return NextSteps(failed=failed, revoked=anew, expired=anew, timed_out=again, unreachable=again)

    def _report(self, sops_task_id: int, node: NodeInTask, result: NodeResult) -> dict[str, Any] | None:
        """Write inputs, outputs and log of the node, and return the outputs."""
        from airflow_provider_sops.dag_generator.node_report import EndedNode, write

        ended = EndedNode(node.path, self.node.plugin, result.version)
        found = ended.read(self.hook, sops_task_id, self._secrets_of(node.secrets_of), self.log)
        write(found.lines, self.log)
        return None if found.outputs is None else dict(found.outputs)

    def _secrets_of(self, sops_task_ids: tuple[int, ...]) -> TaskSecrets:
        """Return what is to be hidden of a task, and ask SOPS for it no more than once."""
        if sops_task_ids not in self._secrets:
            self._secrets[sops_task_ids] = read_secrets(self.hook, sops_task_ids)
        return self._secrets[sops_task_ids]

    def _retry(self, task: FlowTask, node: NodeInTask) -> tuple[str, ...]:
        """Retry the node if it has failed, and return the mark of the failure that is overcome by that."""
        now = self.hook.get_task_status(task.sops_task_id, fresh=True).at(node.path)
        if now is None or now.state != TaskState.FAILED or now.children:
            return ()
        status = self.hook.get_task_status(
            task.sops_task_id, with_failed_node_info=True, with_auto_retry_status=True, fresh=True
        )
        if retries_by_itself(self.hook, task.sops_task_id, status):
            return ()
        refusal = retry_node(self.hook, task.sops_task_id, now, self.log)
        if refusal is not None:
            raise refusal
        return (failure_mark(now),)

    def _policy(self, overcome: tuple[str, ...], *, is_retry: bool) -> WaitPolicy:
        return WaitPolicy(
            on_failed=self.on_failed,
            poll_interval_seconds=self.poll_interval_seconds,
            deadline=None if self.timeout_seconds is None else time.time() + self.timeout_seconds,
            max_outage_seconds=self.max_outage_seconds,
            overcome=overcome,
            always_fresh=is_retry,
        )

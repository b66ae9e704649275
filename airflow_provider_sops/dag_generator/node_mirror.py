"""The task that shows one node of a running SOPS flow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_sops.airflow_errors import airflow_errors
from airflow_provider_sops.dag_generator.flow_tasks import NODE_PATHS_XCOM_KEY, key_text
from airflow_provider_sops.links.sops import TASK_URL_XCOM_KEY
from airflow_provider_sops.operators.sops.base import TASK_ID_XCOM_KEY, SopsBaseOperator, push_task, read_task_id
from airflow_provider_sops.operators.sops.node_actions import retry_node
from airflow_provider_sops.sops.errors import (
    SopsConnectionError,
    SopsError,
    SopsNotFoundError,
    SopsTaskFailedError,
    SopsTaskRevokedError,
)
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.node_waiting import NodeInTask, NodeOutcome, NodeResult
from airflow_provider_sops.sops.node_watch import NodeWatch
from airflow_provider_sops.sops.progress import quoted, shortened
from airflow_provider_sops.sops.waiting import WaitPolicy
from airflow_provider_sops.sops.watch import failure_mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.pipeline_tree import NodeKey
    from airflow_provider_sops.sops.waiting import OnFailed

#: XCom key of what SOPS says about the node at its end.
NODE_XCOM_KEY = "sops_node"
_PASSED_OVER = {
    NodeOutcome.SKIPPED: "It failed and was skipped in SOPS; the flow went on.",
    NodeOutcome.ERROR_IGNORED: "It failed and the flow went on, as the node says.",
}


class NodeMirrorOperator(SopsBaseOperator):
    """Show one node of a watched flow: run as long as it, end as it, have its outputs.

    It starts nothing in SOPS and revokes nothing. Its retry, by Airflow or by a clear, retries the failed node inside
    the same SOPS task; if somebody has repaired it there meanwhile, it is found green. A node that the flow passes by
    is skipped as soon as that is certain.

    Returns the node's outputs. XCom also has ``sops_node``: state, times, retries and rounds as SOPS gives them.

    :param start_task_id: the Airflow task that has started the SOPS task.
    :param node_key: the node in the template.
    :param never_after: the nodes of which each proves by its arrival that this one will never run.
    :param last_round_after: for a node in a loop, the nodes of which each proves by its arrival that the loop is over.
    :param waits_for_person: whether the node runs until somebody acts in SOPS.
    :param has_data: whether it has inputs and outputs, which gateways have not.
    :param on_failed: ``"fail"`` or ``"wait"``, as of ``SopsRunTaskOperator``.
    """

    def __init__(
        self,
        *,
        start_task_id: str,
        node_key: NodeKey,
        never_after: Sequence[NodeKey] = (),
        last_round_after: Sequence[NodeKey] | None = None,
        waits_for_person: bool = False,
        has_data: bool = True,
        on_failed: OnFailed = "fail",
        poll_interval_seconds: float = 10,
        timeout_seconds: float | None = None,
        max_outage_seconds: float = 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start_task_id = start_task_id
        self.node_key = tuple(node_key)
        self.never_after = tuple(map(tuple, never_after))
        self.last_round_after = None if last_round_after is None else tuple(map(tuple, last_round_after))
        self.waits_for_person = waits_for_person
        self.has_data = has_data
        self.on_failed = on_failed
        self.poll_interval_seconds = poll_interval_seconds
        self.timeout_seconds = timeout_seconds
        self.max_outage_seconds = max_outage_seconds

    def execute(self, context: Context) -> Any:
        """Find the node in the SOPS task, retry it if this is a retry, and hand over to the triggerer."""
        from airflow_provider_sops.triggers.sops import SopsNodeTrigger

        with airflow_errors():
            ti: Any = context["ti"]
            sops_task_id = read_task_id(ti.xcom_pull(task_ids=self.start_task_id, key=TASK_ID_XCOM_KEY))
            task_url = ti.xcom_pull(task_ids=self.start_task_id, key=TASK_URL_XCOM_KEY) or ""
            push_task(context, sops_task_id, task_url)
            node = self._node(ti.xcom_pull(task_ids=self.start_task_id, key=NODE_PATHS_XCOM_KEY) or {})
            overcome = self._retry(sops_task_id, node) if ti.try_number > 1 and self.on_failed == "fail" else ()
            policy = self._policy(overcome, is_retry=ti.try_number > 1)
            result = self._look(sops_task_id, node, policy)
            if result is None:
                self.defer(
                    trigger=SopsNodeTrigger(
                        sops_conn_id=self.sops_conn_id,
                        bk_biz_id=self.bk_biz_id,
                        scope=self.scope,
                        sops_task_id=sops_task_id,
                        task_url=task_url,
                        node=node,
                        policy=policy,
                    ),
                    method_name="execute_complete",
                )
            return self._conclude(context, sops_task_id, task_url, node, result)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take over from the trigger once the node has ended, or never will run."""
        from airflow_provider_sops.triggers.sops import SopsNodeTrigger

        with airflow_errors():
            trigger = SopsNodeTrigger.from_event(event)
            result = NodeResult.from_event(event)
            return self._conclude(context, trigger.sops_task_id, trigger.task_url, trigger.node, result)

    def _look(self, sops_task_id: int, node: NodeInTask, policy: WaitPolicy) -> NodeResult | None:
        """Look once before handing over, since many nodes are done by then."""
        watch = NodeWatch(node, policy, time.time())
        look = watch.next_look(time.time())
        try:
            sight = watch.see(self.hook.get_task_status(sops_task_id, fresh=look.fresh), look, time.time())
        except SopsError as error:
            self.log.debug("the trigger will look again: %s", error)
            return None
        for line in sight.lines if sight.result else ():
            self.log.log(line.level, "SOPS task %s: %s", sops_task_id, line.text)
        return sight.result

    def _conclude(
        self, context: Context, sops_task_id: int, task_url: str, node: NodeInTask, result: NodeResult
    ) -> dict[str, Any] | None:
        ti: Any = context["ti"]
        ti.xcom_push(key=NODE_XCOM_KEY, value={**result.to_event(), "node_id": node.id})
        self._tell(result)
        if result.outcome == NodeOutcome.NEVER_RUNS:
            raise AirflowSkipException("The flow has passed this node by.")
        outputs = self._read_data(sops_task_id, node) if self.has_data and result.state else None
        if result.outcome in (NodeOutcome.FINISHED, *_PASSED_OVER):
            return outputs
        raise _error(result, sops_task_id, node.id, task_url)

    def _node(self, paths: Mapping[str, Sequence[str]]) -> NodeInTask:
        path = paths.get(key_text(self.node_key))
        if path is None:
            raise AirflowSkipException("This node is not in the SOPS task; it was excluded.")

        def known(keys: Sequence[NodeKey]) -> tuple[tuple[str, ...], ...]:
            return tuple(tuple(paths[key_text(key)]) for key in keys if key_text(key) in paths)

        return NodeInTask(
            path=tuple(path),
            never_after=known(self.never_after),
            last_round_after=None if self.last_round_after is None else known(self.last_round_after),
            waits_for_person=self.waits_for_person,
        )

    def _retry(self, sops_task_id: int, node: NodeInTask) -> tuple[str, ...]:
        """Retry the node if it has failed, and return the mark of the failure that is overcome by that."""
        now = self.hook.get_task_status(sops_task_id, fresh=True).at(node.path)
        if now is None or now.state != TaskState.FAILED or now.children:
            return ()
        if self.hook.get_task_status(sops_task_id, with_auto_retry_status=True, fresh=True).auto_retry_pending:
            return ()
        refusal = retry_node(self.hook, sops_task_id, now, self.log)
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

    def _tell(self, result: NodeResult) -> None:
        if result.start_time:
            ended = result.finish_time or "not ended"
            self.log.info("SOPS: began %s, %s, %s s.", result.start_time, ended, result.elapsed_seconds)
        if result.retry or result.loop > 1:
            self.log.info("SOPS: %s retries, %s rounds.", result.retry, result.loop)
        if result.outcome in _PASSED_OVER:
            self.log.warning("%s", _PASSED_OVER[result.outcome])

    def _read_data(self, sops_task_id: int, node: NodeInTask) -> dict[str, Any] | None:
        """Write inputs and outputs to the log and return the outputs; without them the node's end is still its end."""
        *stack, node_id = node.path
        try:
            detail = self.hook.get_task_node_detail(sops_task_id, node_id, subprocess_stack=stack or None, fresh=True)
        except SopsError as error:
            self.log.warning("Inputs and outputs of the node cannot be read: %s", error)
            return None
        for what, values in (("input", detail.data.inputs), ("output", detail.data.outputs)):
            for name, value in values.items():
                self.log.info("SOPS: %s %s = %s", what, quoted(name), shortened(repr(value)))
        return dict(detail.data.outputs)


def _error(result: NodeResult, sops_task_id: int, node_id: str, task_url: str) -> SopsError:
    where = f"node {node_id} of SOPS task {sops_task_id}"
    see = f"See {task_url}" if task_url else "See the task in SOPS"
    about: dict[str, Any] = {"sops_task_id": sops_task_id, "task_url": task_url}
    if result.outcome == NodeOutcome.FAILED:
        reason = f"{where} failed: {result.error}" if result.error else f"{where} failed"
        advice = f"{see}; a retry or a clear of this task retries the node there, unless it was repaired meanwhile."
        return SopsTaskFailedError(reason, advice=advice, failed_nodes=[node_id], **about)
    if result.outcome == NodeOutcome.TASK_OVER:
        reason = f"{where} did not come to its end: {result.reason}"
        if result.task_state != TaskState.FAILED:
            return SopsTaskRevokedError(reason, advice=f"{see}.", **about)
        return SopsTaskFailedError(reason, advice=f"{see}; clear this task with the one that failed.", **about)
    if result.outcome == NodeOutcome.UNKNOWN_TASK:
        return SopsNotFoundError(f"{where}: SOPS does not know the task: {result.reason}", advice=f"{see}.")
    if result.outcome == NodeOutcome.UNREACHABLE:
        advice = f"The task itself goes on in SOPS. {see}; a retry of this task looks again."
        return SopsConnectionError(f"{where} cannot be followed: {result.reason}", advice=advice)
    return SopsError(f"{where} is {result.state or 'not reached'} after the time allowed for it", advice=f"{see}.")

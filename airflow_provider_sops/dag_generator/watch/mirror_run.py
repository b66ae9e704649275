"""What the task of a watched node does on a worker. No DAG file loads it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_provider_sops.operators.sops.actions import retries_by_itself, retry_node
from airflow_provider_sops.operators.sops.interruption import Interruption
from airflow_provider_sops.service.reading import read_id
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsTaskFailedError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.node_end import detail_arguments
from airflow_provider_sops.sops.node_result import NodeInTask, NodeOutcome, NodeResult
from airflow_provider_sops.sops.node_wait import NodeWait
from airflow_provider_sops.sops.outcome import node_error
from airflow_provider_sops.sops.person_request import PersonRequest
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import INDEPENDENT_SUBPROCESS_PLUGIN
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.task_instance.flow_xcom import pull
from airflow_provider_sops.task_instance.mirrored_node import FLOW_TASK_KEYS, FlowTask, key_text, read_flow_task
from airflow_provider_sops.task_instance.node_report import GREEN, EndedNode, is_read, node_xcom, status_lines, write
from airflow_provider_sops.task_instance.outputs import read_secrets
from airflow_provider_sops.task_instance.required_action import Answer, RequestState, give_answer, open_request
from airflow_provider_sops.task_instance.task_follower import SopsLooks
from airflow_provider_sops.task_instance.told_lines import tell_again
from airflow_provider_sops.task_instance.xcom import NODE_XCOM_KEY, push_task
from airflow_provider_sops.triggers.sops import SopsNodeTrigger
from airflow_provider_sops.triggers.sops_interruption import OVER, SopsOutageTrigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS
from airflow_provider_sops.waiting.follow import follow, steady_clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.hooks.configuration import NodeDetails
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.next_steps import NextSteps
    from airflow_provider_sops.sops.pipeline_tree import NodeKey
    from airflow_provider_sops.sops.task_secrets import TaskSecrets
    from airflow_provider_sops.sops.wait_result import WaitPolicy
    from airflow_provider_sops.task_instance.log import TaskLog
    from airflow_provider_sops.task_instance.mirrored_node import MirroredNode
    from airflow_provider_sops.waiting.model import LogLine


@dataclass(frozen=True, kw_only=True)
class MirrorRun:
    """One execution of a mirror: find its node in the SOPS task, retry it, look at it, report its end.

    :param hook: the connection to SOPS.
    :param node: the node in the template.
    :param name: what its task is called in Airflow: the node's name, if it has one.
    :param policy: the rules of the wait.
    :param context: Airflow's context.
    :param log: the log of the Airflow task.
    :param start_task_id: the Airflow task that started the SOPS task.
    :param tree: the template; needed for a node inside a subprocess, which may run as a SOPS task of its own.
    :param next_steps: what a clear and a retry do, for errors.
    :param node_details: of which ended nodes inputs, outputs and log are read.
    """

    hook: SopsHook
    node: MirroredNode
    name: str
    policy: WaitPolicy
    context: Context
    log: TaskLog
    start_task_id: str
    tree: PipelineTree | None
    next_steps: NextSteps
    node_details: NodeDetails
    _secrets: dict[tuple[int, ...], TaskSecrets] = field(default_factory=dict, init=False)

    @property
    def _ti(self) -> Any:
        return self.context["ti"]

    def begin(self) -> dict[str, Any] | None:
        """Retry the node if this is a retry, and return its outputs if it has ended.

        :raises TaskDeferred: it has not ended; the triggerer waits.
        """
        self._bear_outages({}, None)
        return self._begin()

    def _begin(self) -> dict[str, Any] | None:
        is_retry = self._ti.try_number > 1
        pulled = {key: pull(self._ti, self.start_task_id, key) for key in FLOW_TASK_KEYS}
        task, node = self._locate(read_flow_task(pulled))
        push_task(self.context, task.sops_task_id, task.task_url)
        overcome = self._retry(task, node) if is_retry and self.policy.on_failed == "fail" else ()
        policy = replace(self.policy, overcome=overcome, always_fresh=is_retry)
        result = self._look(task, node, policy)
        if result is None:
            self._ask_or_wait(task, node, policy)
        self._bear_outages({}, {**result.to_event(), "trigger": self._trigger(task, node, policy).arguments})
        return self._conclude(task, node, result)

    def resume(self, event: dict[str, Any], *, was_asked: bool = True) -> dict[str, Any] | None:
        """Take over from the trigger and return the node's outputs; begin again if the node is not found yet.

        :param was_asked: whether an answer in Airflow is one to what the node asks.
        """
        progress = Interruption()
        if event.get("outcome") == OVER:
            progress = Interruption.from_json(SopsOutageTrigger.from_event(event).progress)
            event = dict(progress.event or {"begin": True})
        answer = Answer.from_event(event)
        if answer is not None and not was_asked:
            self.log.warning("%s has answered what was asked before; the node waits on.", answer.who)
            answer, event = None, {"begin": True}
        self._bear_outages(progress.outages, answer.to_event() if answer else event)
        if answer is not None:
            self._answer(answer)
        if event.get("begin") or event.get("outcome") == NodeOutcome.ARRIVED:
            return self._begin()
        trigger = SopsNodeTrigger.from_event(event)
        task = FlowTask(trigger.sops_task_id, trigger.task_url, {})
        tell_again(event, self.log)
        return self._conclude(task, trigger.node, NodeResult.from_event(event))

    def _locate(self, task: FlowTask) -> tuple[FlowTask, NodeInTask]:
        """Return the node and the task that contains it: the run's, or one that a subprocess of it has started."""
        mirrored, tree = self.node, self.tree
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
            around = self.tree.nodes.get(self.node.key[: -len(mirrored.key)] + subprocess) if self.tree else None
            name = quoted(around.name) if around and around.name else path[-1]
            raise SopsTaskFailedError(
                f"the subprocess around this node, {name} in SOPS task {task.sops_task_id}, failed before it had begun:"
                f" {error}",
                advice="Retry the node in SOPS, then clear this task.",
                sops_task_id=task.sops_task_id,
                task_url=task.task_url,
                failed_nodes=[path[-1]],
            )
        if inner_id is None:
            self._defer(task, mirrored.arrival_of(subprocess, task), self.policy)
        self.log.info("The subprocess around this node runs as SOPS task %s.", inner_id)
        inner = self.hook.get_task_detail(inner_id)
        mapping = tree.map_to_task(PipelineTree(inner.pipeline_tree))
        return FlowTask.of(inner_id, inner.task_url, mapping, outer=(*task.outer, task.sops_task_id))

    def _ask_or_wait(self, task: FlowTask, node: NodeInTask, policy: WaitPolicy) -> NoReturn:
        """Leave the worker; where the node waits for a person, ask in Airflow before, but not before it is reached."""
        if not (node.waits_for_person and AIRFLOW_V_3_1_PLUS):
            self._defer(task, node, policy)
        row = self.hook.get_task_status(task.sops_task_id, fresh=True).at(node.path)
        if row is None:
            self._defer(task, replace(node, until_arrival=True), policy)
        if row.state in (TaskState.FINISHED, TaskState.FAILED):
            self._defer(task, node, policy)
        self._defer(task, node, policy, request=self._open_request(task, node))

    def _open_request(self, task: FlowTask, node: NodeInTask) -> RequestState:
        secrets = self._secrets_of(node.secrets_of)
        data = EndedNode(node.path, self.node.plugin, "").read_data(self.hook, task.sops_task_id, secrets, self.log)
        shown = None if data is None else secrets.node(node.id, data)[0]
        request = PersonRequest() if shown is None else PersonRequest.of(shown)
        return open_request(self._ti, self.name, self.node.plugin, request, self.log)

    def _answer(self, answer: Answer) -> NoReturn:
        """Send SOPS what a person has answered in Airflow, and go on with the wait.

        :raises SopsError: SOPS could not be reached for some time; the node still waits.
        """
        pulled = {key: pull(self._ti, self.start_task_id, key) for key in FLOW_TASK_KEYS}
        task, node = self._locate(read_flow_task(pulled))
        give_answer(self.hook, task.sops_task_id, node.path, self.node.plugin, answer, self.log)
        self._defer(task, node, replace(self.policy, always_fresh=True))

    def _defer(
        self, task: FlowTask, node: NodeInTask, policy: WaitPolicy, *, request: RequestState = RequestState.CLOSED
    ) -> NoReturn:
        trigger = self._trigger(task, node, policy, request=request)
        kwargs = {"was_asked": False} if request == RequestState.STALE else None
        raise TaskDeferred(trigger=trigger, method_name="execute_complete", kwargs=kwargs)

    def _trigger(
        self, task: FlowTask, node: NodeInTask, policy: WaitPolicy, *, request: RequestState = RequestState.CLOSED
    ) -> SopsNodeTrigger:
        return SopsNodeTrigger(
            **site_of(self.hook).arguments,
            sops_task_id=task.sops_task_id,
            task_url=task.task_url,
            node=node,
            policy=policy,
            closes_request=request != RequestState.CLOSED,
            request_is_stale=request == RequestState.STALE,
        )

    def _bear_outages(self, outages: Mapping[str, float], event: Mapping[str, Any] | None) -> None:
        """Let calls bear outages from now on; after a minute the triggerer waits.

        :param outages: those that go on, since when.
        :param event: how the wait ended; ``None``: begin again after an outage.
        """

        def leave() -> NoReturn:
            since = min(patience.since.values())
            raise TaskDeferred(
                trigger=SopsOutageTrigger(
                    **site_of(self.hook).arguments,
                    since=since,
                    until=since + self.policy.max_outage_seconds,
                    progress=Interruption(outages=dict(patience.since), event=event).to_json(),
                ),
                method_name="execute_complete",
            )

        patience = self.hook.be_patient(
            self.policy.max_outage_seconds, self.log, may_be_running=lambda: True, leave=leave
        )
        patience.since.update(outages)

    def _look(self, task: FlowTask, node: NodeInTask, policy: WaitPolicy) -> NodeResult | None:
        """Look before deferring, since many nodes have ended by then; a failure is confirmed within seconds.

        If the trigger continues, it writes the changes to the log.
        """
        clock = steady_clock()
        wait = NodeWait(node, policy, clock(), task.task_url)
        secrets = self._secrets_of(node.secrets_of)
        looks = SopsLooks(self.hook, task.sops_task_id, wait, self.log, clock=clock, secrets=secrets)
        lines: list[LogLine] = []
        result = follow(wait, looks, lines.append, once=True, clock=clock)
        for line in lines if result else ():
            looks.tell(line)
        return result

    def _conclude(self, task: FlowTask, node: NodeInTask, result: NodeResult) -> dict[str, Any] | None:
        self._ti.xcom_push(key=NODE_XCOM_KEY, value=node_xcom(result, task.sops_task_id, node.id))
        write(status_lines(result), self.log)
        if result.outcome == NodeOutcome.NEVER_RUNS:
            raise AirflowSkipException("The flow has passed this node by.")
        outputs = self._report(task.sops_task_id, node, result) if self.node.has_data and result.state else None
        if result.outcome in GREEN:
            return outputs
        raise node_error(result, task.sops_task_id, node.id, task.task_url, self.next_steps, label=quoted(self.name))

    def _report(self, sops_task_id: int, node: NodeInTask, result: NodeResult) -> dict[str, Any] | None:
        """Write inputs, outputs and log of the node, and return the outputs, if they are wanted."""
        if not is_read(self.node_details, result.outcome, self.log):
            return None
        ended = EndedNode(node.path, self.node.plugin, result.version)
        found = ended.read(self.hook, sops_task_id, self._secrets_of(node.secrets_of), self.log)
        write(found.lines, self.log)
        return None if found.outputs is None else dict(found.outputs)

    def _secrets_of(self, sops_task_ids: tuple[int, ...]) -> TaskSecrets:
        """Return what to hide of a task; SOPS is asked for it once."""
        if sops_task_ids not in self._secrets:
            self._secrets[sops_task_ids] = read_secrets(self.hook, sops_task_ids)
        return self._secrets[sops_task_ids]

    def _retry(self, task: FlowTask, node: NodeInTask) -> tuple[str, ...]:
        """Retry the node if it has failed, and return the mark of the failure that this overcomes."""
        secrets = self._secrets_of(node.secrets_of)
        now = self.hook.get_task_status(task.sops_task_id, fresh=True).at(node.path)
        if now is None or now.state != TaskState.FAILED or now.children:
            return ()
        status = self.hook.get_task_status(
            task.sops_task_id, with_failed_node_info=True, with_auto_retry_status=True, fresh=True
        )
        if retries_by_itself(self.hook, task.sops_task_id, status):
            return ()
        refusal = retry_node(self.hook, task.sops_task_id, secrets.named_node(now), self.log)
        if refusal is not None:
            raise refusal
        return (now.mark,)

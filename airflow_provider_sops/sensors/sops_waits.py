"""What a sensor for SOPS does once its task runs: wait for a SOPS task, or for one of its nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.next_steps import SENSOR_STEPS
from airflow_provider_sops.sops.node_end import detail_arguments
from airflow_provider_sops.sops.node_location import locate_node
from airflow_provider_sops.sops.node_result import NodeInTask, NodeOutcome, NodeResult
from airflow_provider_sops.sops.node_wait import NodeWait
from airflow_provider_sops.sops.outcome import node_error, outcome_error
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_secrets import TaskSecrets, nodes_to_tell_apart
from airflow_provider_sops.sops.wait_result import Outcome, WaitResult
from airflow_provider_sops.task_instance.outputs import read_outputs, read_secrets
from airflow_provider_sops.task_instance.task_follower import SopsLooks, TaskFollower
from airflow_provider_sops.task_instance.xcom import push_state, push_task, tell_changed
from airflow_provider_sops.triggers.sops import SopsNodeTrigger, SopsTaskTrigger
from airflow_provider_sops.waiting.follow import follow, steady_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail
    from airflow_provider_sops.sops.wait_result import WaitPolicy
    from airflow_provider_sops.task_instance.log import TaskLog

_WENT_ON = (NodeOutcome.FINISHED, NodeOutcome.SKIPPED, NodeOutcome.ERROR_IGNORED)


@dataclass(frozen=True)
class AwaitedTask:
    """A SOPS task that a sensor waits for.

    :param detail: the task as SOPS describes it; ``None`` if it cannot be read at the moment.
    """

    hook: SopsHook
    log: TaskLog
    sops_task_id: int
    task_url: str
    detail: TaskDetail | None = None

    @classmethod
    def find(cls, hook: SopsHook, log: TaskLog, context: Context, sops_task_id: int) -> AwaitedTask:
        """Read the task and announce it in XCom and in the log."""
        detail, url = None, ""
        try:
            with hook.within(None):
                detail = hook.get_task_detail(sops_task_id, fresh=True)
            url = detail.task_url
        except SopsError as error:
            if not error.is_outage:
                raise
            log.warning("The address of SOPS task %s is not known yet: %s", sops_task_id, error)
        push_task(context, sops_task_id, url)
        log.info("Waiting for SOPS task %s: %s", sops_task_id, url or "SOPS returned no URL for it")
        return cls(hook, log, sops_task_id, url, detail)

    @classmethod
    def from_event(cls, hook: SopsHook, log: TaskLog, event: dict[str, Any]) -> tuple[AwaitedTask, WaitResult]:
        """Return the task that a trigger has waited for, and how the wait ended."""
        trigger = SopsTaskTrigger.from_event(event)
        return cls(hook, log, trigger.sops_task_id, trigger.task_url), WaitResult.from_event(event)

    def trigger(self, policy: WaitPolicy) -> BaseTrigger:
        """Return the trigger that waits for it."""
        return SopsTaskTrigger(
            **site_of(self.hook).arguments,
            sops_task_id=self.sops_task_id,
            task_url=self.task_url,
            policy=policy,
            human_nodes=None if self.detail is None else nodes_to_tell_apart(self.detail),
        )

    def poking(self, policy: WaitPolicy) -> TaskFollower:
        """Begin to wait on a worker."""
        return TaskFollower(self.hook, self.sops_task_id, policy, self.log, detail=self.detail)

    def error(self, result: WaitResult) -> SopsError:
        """Return the error of a wait that did not end well."""
        return outcome_error(result, self.sops_task_id, self.task_url, SENSOR_STEPS)

    def conclude(self, context: Context, result: WaitResult) -> dict[str, Any]:
        """Push the task's state and return its outputs.

        :raises SopsError: it is not FINISHED.
        """
        push_state(context, result.state)
        if result.outcome != Outcome.FINISHED:
            raise self.error(result)
        self.log.info("SOPS task %s is FINISHED.", self.sops_task_id)
        return read_outputs(self.hook, self.sops_task_id)


@dataclass(frozen=True)
class _NodePokes:
    """A wait for a node, with Airflow's pauses between the looks.

    :param clock: the one that the wait was begun with.
    """

    wait: NodeWait
    looks: SopsLooks
    clock: Callable[[], float]

    def once(self) -> NodeResult | None:
        """Ask once, and again as long as the answer needs confirmation within seconds; ``None`` means not over."""
        return follow(self.wait, self.looks, self.looks.tell, once=True, clock=self.clock)

    @property
    def pause_seconds(self) -> float:
        """The time until the next look is due."""
        return self.wait.next_look(self.clock()).delay_seconds


@dataclass(frozen=True)
class AwaitedNode:
    """A node of a SOPS task that a sensor waits for.

    :param detail: the task as SOPS describes it; ``None`` once a trigger has waited.
    """

    hook: SopsHook
    log: TaskLog
    sops_task_id: int
    task_url: str
    node: NodeInTask
    detail: TaskDetail | None = None

    @classmethod
    def find(cls, hook: SopsHook, log: TaskLog, context: Context, sops_task_id: int, node_id: str) -> AwaitedNode:
        """Read the task, announce it in XCom and in the log, and find the node in it."""
        detail = hook.get_task_detail(sops_task_id)
        push_task(context, sops_task_id, detail.task_url)
        node = locate_node(PipelineTree(detail.pipeline_tree), node_id.strip())
        log.info("Waiting for node %s of SOPS task %s: %s", node.id, sops_task_id, detail.task_url)
        node = replace(node, secrets_of=(sops_task_id,) if TaskSecrets([detail]).exist else ())
        return cls(hook, log, sops_task_id, detail.task_url, node, detail)

    @classmethod
    def from_event(cls, hook: SopsHook, log: TaskLog, event: dict[str, Any]) -> tuple[AwaitedNode, NodeResult]:
        """Return the node that a trigger has waited for, and how the wait ended."""
        trigger = SopsNodeTrigger.from_event(event)
        return cls(hook, log, trigger.sops_task_id, trigger.task_url, trigger.node), NodeResult.from_event(event)

    def trigger(self, policy: WaitPolicy) -> BaseTrigger:
        """Return the trigger that waits for it."""
        return SopsNodeTrigger(
            **site_of(self.hook).arguments,
            sops_task_id=self.sops_task_id,
            task_url=self.task_url,
            node=self.node,
            policy=policy,
        )

    def poking(self, policy: WaitPolicy) -> _NodePokes:
        """Begin to wait on a worker."""
        clock = steady_clock()
        wait = NodeWait(self.node, policy, clock(), self.task_url)
        looks = SopsLooks(self.hook, self.sops_task_id, wait, self.log, clock=clock, secrets=self._secrets())
        if self.detail is not None:
            looks.learn(self.detail)
        return _NodePokes(wait, looks, clock)

    def error(self, result: NodeResult) -> SopsError:
        """Return the error of a wait that did not end well."""
        return node_error(result, self.sops_task_id, self.node.id, self.task_url, SENSOR_STEPS)

    def conclude(self, context: Context, result: NodeResult) -> dict[str, Any] | None:
        """Return the node's outputs; ``None`` for a node without a plugin.

        :raises SopsError: the node failed, or its end cannot be known.
        :raises AirflowSkipException: the flow has passed it by.
        """
        if result.outcome == NodeOutcome.NEVER_RUNS:
            raise AirflowSkipException("The flow has passed this node by.")
        if result.outcome not in _WENT_ON:
            raise self.error(result)
        self.log.info("Node %s of SOPS task %s has ended: %s.", self.node.id, self.sops_task_id, result.outcome)
        if not self.node.plugin:
            return None
        detail = self.hook.get_task_node_detail(self.sops_task_id, **detail_arguments(self.node.path, self.node.plugin))
        shown, _ = self._secrets().node(self.node.id, detail.data)
        tell_changed(f"outputs of node {self.node.id}", (key for key in shown.changed_outputs if key in shown.outputs))
        return dict(shown.outputs)

    def _secrets(self) -> TaskSecrets:
        return TaskSecrets([self.detail]) if self.detail else read_secrets(self.hook, self.node.secrets_of)

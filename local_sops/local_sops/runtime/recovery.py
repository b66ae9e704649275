"""Recovery after a restart, whether the server was stopped or killed.

The engine's tables say where each process is. Waiting nodes wait again: timers are polled at once and run to their end,
a pause waits for its callback. A process between two nodes continues. A plugin that was interrupted fails its node, so
that nothing silently runs twice: retry or skip decides. Only plugins without effects outside their task are run again.

Known limit: a node killed between its FINISHED state and the writing of its outputs keeps the state and loses the
outputs.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from bamboo_engine import api as engine_api
from bamboo_engine import states
from bamboo_engine.eri.models import ExecuteInterruptPoint, NodeType, ScheduleType
from bamboo_engine.interrupt import ExecuteKeyPoint
from pipeline.eri.models import CallbackData, Process, Schedule, State

from local_sops.runtime.engine import LocalRuntime, is_repeatable, plugin_exists
from local_sops.store.models import Task

logger = logging.getLogger(__name__)

INTERRUPTED = "local_sops was stopped while this node was running. Retry the node, or skip it."
_FORKING_GATEWAYS = (NodeType.ParallelGateway, NodeType.ConditionalParallelGateway)


def resume_processes(runtime: LocalRuntime) -> None:
    """Resume every process of every running task where it stopped."""
    running = State.objects.filter(name=states.RUNNING).values_list("node_id", flat=True)
    processes = Process.objects.filter(dead=False, suspended=False, root_pipeline_id__in=list(running))
    for process in processes.order_by("pk"):
        try:
            _Recovery(runtime, process).resume()
        except Exception:
            logger.exception("process %s of pipeline %s cannot go on", process.pk, process.root_pipeline_id)


class _Recovery:
    """One process of a pipeline: a branch, or the trunk."""

    def __init__(self, runtime: LocalRuntime, process: Process) -> None:
        self._runtime = runtime
        self._process = process
        self._stack: list[str] = json.loads(process.pipeline_stack)

    def resume(self) -> None:
        if self._process.need_ack > 0:
            # Waits for its branches; the last one wakes it.
            return
        node_id = self._process.current_node_id
        if not node_id:
            task = Task.objects.get(instance_id=self._process.root_pipeline_id)
            self._execute(task.tree["start_event"]["id"])
            return
        state = State.objects.filter(node_id=node_id).first()
        if state is None:
            self._execute(node_id)
        elif state.name in (states.READY, states.LOOP_READY):
            # A retry clears the time; for the engine, a node that was paused while it ran, and resumed, has finished.
            if state.started_time is None:
                self._execute(node_id)
        elif state.name == states.FAILED:
            # The engine stores the failure a moment before it lets the process sleep, which a retry or a skip needs.
            Process.objects.filter(pk=self._process.pk).update(asleep=True)
        elif state.name in (states.RUNNING, states.FINISHED):
            self._resume_at(self._runtime.get_node(node_id), state)

    def _resume_at(self, node: Any, state: State) -> None:
        finished = state.name == states.FINISHED
        if node.type in _FORKING_GATEWAYS:
            self._resume_fork(node, state)
        elif node.type is NodeType.EmptyEndEvent:
            self._resume_end(state)
        elif node.type is NodeType.SubProcess and self._stack[-1] == node.id:
            self._execute(node.start_event_id)
        elif node.type is NodeType.ServiceActivity and not finished:
            self._resume_activity(node, state)
        elif finished and node.type is not NodeType.ExclusiveGateway:
            self._execute(node.target_nodes[0])
        else:
            self._repeat(state)

    def _resume_fork(self, node: Any, state: State) -> None:
        """Resume at a gateway, which forks its branches, finishes, waits for them, and then starts them."""
        branches = Process.objects.filter(parent_id=self._process.pk)
        waiting = branches.filter(dead=False)
        if state.name == states.RUNNING:
            waiting.delete()
            self._repeat(state)
        elif waiting.exists():
            # They were not started yet: each is resumed separately, since it has no state.
            self._runtime.join(self._process.pk, list(waiting.values_list("pk", flat=True)))
        elif branches.exists():
            self._execute(branches.latest("pk").destination_id)
        else:
            self._repeat(state)

    def _resume_end(self, state: State) -> None:
        """Resume at an end event: a subprocess's end event pops the stack last."""
        if self._stack[-1] == state.parent_id:
            self._repeat(state)
        else:
            self._execute(self._runtime.get_node(state.parent_id).target_nodes[0])

    def _resume_activity(self, node: Any, state: State) -> None:
        if not plugin_exists(node):
            return
        schedule = Schedule.objects.filter(node_id=node.id, version=state.version).first()
        if schedule is None and is_repeatable(node):
            self._repeat(state)
            return
        if schedule is None or schedule.finished:
            Process.objects.filter(pk=self._process.pk).update(asleep=True)
            engine_api.forced_fail_activity(self._runtime, node.id, ex_data=INTERRUPTED)
            return
        Process.objects.filter(pk=self._process.pk).update(asleep=True)
        Schedule.objects.filter(pk=schedule.pk).update(scheduling=False)
        if schedule.type == ScheduleType.POLL.value:
            self._runtime.schedule(self._process.pk, node.id, schedule.pk)
            return
        callback = CallbackData.objects.filter(node_id=node.id, version=state.version).last()
        if callback:
            self._runtime.schedule(self._process.pk, node.id, schedule.pk, callback.pk)

    def _repeat(self, state: State) -> None:
        """Run a node again that changes nothing outside the engine: an event, a gateway, a plugin that only waits."""
        State.objects.filter(pk=state.pk).update(name=states.RUNNING)
        point = ExecuteInterruptPoint(
            name=ExecuteKeyPoint.SET_NODE_RUNNING_DONE,
            state_already_exist=False,
            running_node_version=state.version,
        )
        self._execute(state.node_id, point)

    def _execute(self, node_id: str, point: ExecuteInterruptPoint | None = None) -> None:
        process = self._process
        self._runtime.execute(process.pk, node_id, process.root_pipeline_id, self._stack[-1], recover_point=point)

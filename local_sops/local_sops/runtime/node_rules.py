"""What the server does to nodes besides the engine: ``auto_retry`` and ``timeout_config`` of an activity."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from bamboo_engine import api as engine_api
from bamboo_engine import states
from django.db.models import F
from pipeline.eri.models import State

from local_sops.store.models import AutoRetry, NodeTimeout, Task
from local_sops.trees.nodes import walk

if TYPE_CHECKING:
    from local_sops.runtime.dispatcher import Dispatcher
    from local_sops.runtime.engine import LocalRuntime
    from local_sops.trees import Tree

logger = logging.getLogger(__name__)

AUTO_RETRY_MAX_TIMES = 10
AUTO_RETRY_MAX_INTERVAL_SECONDS = 60
TIMEOUT_TEXT = "The node has been terminated by the system due to exceeding the 'Timeout Setting'."
"""``ex_data`` of a node that ran too long."""
_SETTLE_SECONDS = 0.05
"""The engine reports a failure a moment before the node can be retried."""
_ATTEMPTS = 40


def forced_fail_text(operator: str) -> str:
    """``ex_data`` of a node ended by a person."""
    return f"The node has been terminated by {operator}."


def register_node_rules(task: Task, tree: Tree, *, with_auto_retry: bool, with_timeouts: bool) -> None:
    """Store the automatic retries and timeouts of a new task's activities, subprocesses included.

    :param with_auto_retry: fast_create_task leaves both out, create_and_start_task the timeouts.
    """
    retries, timeouts = [], []
    for node in walk(tree):
        if node["type"] != "ServiceActivity":
            continue
        retry, timeout = node.get("auto_retry") or {}, node.get("timeout_config") or {}
        if with_auto_retry and retry.get("enable"):
            retries.append(
                AutoRetry(
                    task=task,
                    node_id=node["id"],
                    interval_seconds=min(abs(int(retry.get("interval", 0))), AUTO_RETRY_MAX_INTERVAL_SECONDS),
                    max_retry_times=min(abs(int(retry.get("times", 1))), AUTO_RETRY_MAX_TIMES),
                )
            )
        if with_timeouts and timeout.get("enable"):
            timeouts.append(
                NodeTimeout(task=task, node_id=node["id"], seconds=int(timeout["seconds"]), action=timeout["action"])
            )
    AutoRetry.objects.bulk_create(retries)
    NodeTimeout.objects.bulk_create(timeouts)


class NodeRules:
    """Retries and times out nodes according to their tasks' trees."""

    def __init__(self, dispatcher: Dispatcher, runtime: LocalRuntime) -> None:
        self._dispatcher = dispatcher
        self._runtime = runtime

    def state_changed(self, node_id: str, to_state: str, version: str) -> bool:
        """Handle a state change of a node; return whether it failed and will be retried."""
        if to_state == states.RUNNING:
            self._plan_timeout(node_id, version)
        return to_state == states.FAILED and self._plan_retry(node_id)

    def resume_after_restart(self) -> None:
        """Schedule again what was scheduled in memory; intervals and timeouts restart."""
        retried = AutoRetry.objects.values_list("node_id", flat=True)
        for state in State.objects.filter(name=states.FAILED, node_id__in=list(retried)):
            self._plan_retry(state.node_id)
        timed = NodeTimeout.objects.values_list("node_id", flat=True)
        for state in State.objects.filter(name=states.RUNNING, node_id__in=list(timed)):
            self._plan_timeout(state.node_id, state.version)

    def _plan_retry(self, node_id: str) -> bool:
        rule = AutoRetry.objects.filter(node_id=node_id, retry_times__lt=F("max_retry_times")).first()
        if rule is None:
            return False
        delay = max(rule.interval_seconds, _SETTLE_SECONDS)
        self._dispatcher.submit_later(delay, partial(self._retry, node_id, rule.retry_times, _ATTEMPTS))
        return True

    def _retry(self, node_id: str, retry_times: int, attempts: int) -> None:
        if not State.objects.filter(node_id=node_id, name=states.FAILED).exists():
            return
        # Counted first: if the server is killed in between, a retry is lost, but never done twice.
        rules = AutoRetry.objects.filter(node_id=node_id, retry_times=retry_times)
        if not rules.update(retry_times=retry_times + 1):
            return
        result = engine_api.retry_node(self._runtime, node_id)
        if not result.result:
            AutoRetry.objects.filter(node_id=node_id).update(retry_times=retry_times)
            if attempts:
                again = partial(self._retry, node_id, retry_times, attempts - 1)
                self._dispatcher.submit_later(_SETTLE_SECONDS, again)
            else:
                logger.error("node %s could not be retried: %s", node_id, result.exc)

    def _plan_timeout(self, node_id: str, version: str) -> None:
        rule = NodeTimeout.objects.filter(node_id=node_id).first()
        if rule:
            job = partial(self._time_out, node_id, version, rule.action)
            self._dispatcher.submit_later(rule.seconds, job)

    def _time_out(self, node_id: str, version: str, action: str) -> None:
        if not State.objects.filter(node_id=node_id, name=states.RUNNING, version=version).exists():
            return
        result = engine_api.forced_fail_activity(self._runtime, node_id, ex_data=TIMEOUT_TEXT)
        if result.result and action == "forced_fail_and_skip":
            result = engine_api.skip_node(self._runtime, node_id)
        if not result.result:
            logger.error("node %s could not be timed out: %s", node_id, result.exc)

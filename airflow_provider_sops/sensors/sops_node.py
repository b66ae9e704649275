"""Waiting for one node of a SOPS task that somebody else runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, PokeReturnValue

from airflow_provider_sops.sensors.sops_base import SopsBaseSensor
from airflow_provider_sops.sops.next_steps import SENSOR_STEPS
from airflow_provider_sops.sops.node_end import detail_arguments
from airflow_provider_sops.sops.node_location import locate_node
from airflow_provider_sops.sops.node_result import NodeInTask, NodeOutcome, NodeResult
from airflow_provider_sops.sops.node_wait import NodeWait
from airflow_provider_sops.sops.outcome import node_error
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.task_instance.outputs import read_secrets
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.task_follower import SopsLooks
from airflow_provider_sops.task_instance.xcom import push_task, read_task_id
from airflow_provider_sops.waiting.follow import follow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_sops.sops.errors import SopsError
    from airflow_provider_sops.sops.models import TaskDetail

_WENT_ON = (NodeOutcome.FINISHED, NodeOutcome.SKIPPED, NodeOutcome.ERROR_IGNORED)


@dataclass(frozen=True)
class _Place:
    """A node that is waited for."""

    sops_task_id: int
    node: NodeInTask


class SopsNodeSensor(SopsBaseSensor):
    """Wait for one node of a SOPS task to end and return its outputs.

    A node that the flow passes by skips the sensor as soon as that is certain. A node that has failed and was skipped
    by somebody, or whose error the flow ignores, counts as ended. A failed node, or a task that is over before the node
    has ended, fails the sensor without a retry, or skips it with ``soft_fail``.

    Works with ``mode="poke"`` and ``"reschedule"`` and deferrable alike. It acts on nothing in SOPS. Nodes inside a
    subprocess that runs as a SOPS task of its own are nodes of that task.

    Calls get_task_detail, get_task_status and get_task_node_detail.

    Each duration is a number of seconds or a ``timedelta``.

    :param sops_task_id: id of the task. (templated)
    :param node_id: the node, by its id in the task or in the template. (templated)
    :param sops_conn_id: the Airflow connection of type ``sops``. (templated)
    :param bk_biz_id: the business; default: the one of the connection. (templated)
    :param scope: ``cmdb_biz`` or ``project``; default: the one of the connection. (templated)
    :param on_failed: ``"fail"`` (default) once the node has failed and SOPS is not going to retry it by itself, or
        ``"wait"`` for people to retry or skip it in SOPS, until the sensor's timeout.
    :param max_outage_seconds: how long SOPS may be out of reach before the sensor fails. Default 3600. With
        ``mode="reschedule"`` each poke stands alone and only the sensor's ``timeout`` counts.
    :param deferrable: wait in the triggerer. Default: Airflow's ``[operators] default_deferrable``.
    :param poke_interval: time between two looks. Default 10, as long as SOPS caches its answers.
    """

    template_fields: Sequence[str] = (*SopsBaseSensor.template_fields, "sops_node_id")

    def __init__(self, *, node_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Airflow's own operators have an attribute `node_id`.
        self.sops_node_id = node_id
        self._following: tuple[_Place, NodeWait, SopsLooks] | None = None
        self._secrets: TaskSecrets | None = None

    def execute(self, context: Context) -> Any:
        """Wait on the worker, or hand over to the triggerer."""
        if self.deferrable:
            self._defer(context)
        return super().execute(context)

    def _defer(self, context: Context) -> None:
        from airflow_provider_sops.triggers.sops import SopsNodeTrigger

        with self._before_deferral():
            place, _ = self._locate(context)
        self.defer(
            trigger=SopsNodeTrigger(
                **site_of(self).arguments,
                sops_task_id=place.sops_task_id,
                task_url=self._task_url,
                node=place.node,
                policy=self._policy(deadline=time.time() + self.timeout),
            ),
            method_name="execute_complete",
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the node once, and again as long as an answer needs confirmation within seconds."""
        with airflow_errors(in_sensor=True):
            if self._following is None:
                self._following = self._begin(context)
            place, wait, looks = self._following
            result = follow(wait, looks, looks.tell, once=True)
            if result is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._conclude(place, result))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take over from the trigger once the node has ended, or never will run."""
        from airflow_provider_sops.triggers.sops import SopsNodeTrigger

        with airflow_errors(in_sensor=True):
            trigger = SopsNodeTrigger.from_event(event)
            result = NodeResult.from_event(event)
            self._task_url = trigger.task_url
            place = _Place(trigger.sops_task_id, trigger.node)
            if result.outcome == NodeOutcome.TIMED_OUT:
                raise AirflowSensorTimeout(str(self._error(place, result)))
            return self._conclude(place, result)

    def _begin(self, context: Context) -> tuple[_Place, NodeWait, SopsLooks]:
        place, detail = self._locate(context)
        wait = NodeWait(place.node, self._policy(deadline=None), time.time())
        looks = SopsLooks(self.hook, place.sops_task_id, wait, self.log, detail=detail, secrets=self._secrets)
        return place, wait, looks

    def _locate(self, context: Context) -> tuple[_Place, TaskDetail]:
        sops_task_id = read_task_id(self.sops_task_id)
        detail = self.hook.get_task_detail(sops_task_id)
        self._task_url = detail.task_url
        push_task(context, sops_task_id, self._task_url)
        node = locate_node(PipelineTree(detail.pipeline_tree), str(self.sops_node_id).strip())
        self.log.info("Waiting for node %s of SOPS task %s: %s", node.id, sops_task_id, self._task_url)
        self._secrets = TaskSecrets([detail])
        node = replace(node, secrets_of=(sops_task_id,) if self._secrets.exist else ())
        return _Place(sops_task_id, node), detail

    def _conclude(self, place: _Place, result: NodeResult) -> dict[str, Any] | None:
        if result.outcome == NodeOutcome.NEVER_RUNS:
            raise AirflowSkipException("The flow has passed this node by.")
        if result.outcome not in _WENT_ON:
            raise self._error(place, result)
        self.log.info("Node %s of SOPS task %s has ended: %s.", place.node.id, place.sops_task_id, result.outcome)
        if not place.node.plugin:
            return None
        detail = self.hook.get_task_node_detail(
            place.sops_task_id, **detail_arguments(place.node.path, place.node.plugin)
        )
        shown, _ = self._secrets_of(place).node(place.node.id, detail.data)
        return dict(shown.outputs)

    def _secrets_of(self, place: _Place) -> TaskSecrets:
        return self._secrets or read_secrets(self.hook, place.node.secrets_of)

    def _error(self, place: _Place, result: NodeResult) -> SopsError:
        return node_error(result, place.sops_task_id, place.node.id, self._task_url, SENSOR_STEPS)

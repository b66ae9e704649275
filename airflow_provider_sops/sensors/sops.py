"""Waiting for a SOPS task that somebody else runs, or for one of its nodes."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_sops.hooks.sops_access import hook_of
from airflow_provider_sops.links.sops import SopsTaskLink
from airflow_provider_sops.sensors.waiting_sensor import WaitingSensor
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.task_instance.openlineage import get_openlineage_facets_on_complete
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.xcom import read_task_id
from airflow_provider_sops.waiting.pace import poll_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.operators.sops.interruption import Interruption
    from airflow_provider_sops.sensors.sops_waits import AwaitedNode, AwaitedTask
    from airflow_provider_sops.sops.node_result import NodeResult
    from airflow_provider_sops.sops.wait_result import OnFailed, WaitPolicy, WaitResult

__all__ = ["SopsNodeSensor", "SopsTaskSensor"]

# What only a running task needs is imported inside methods, so that DAG files are parsed quickly.


class SopsBaseSensor(WaitingSensor):
    """Common ground of the sensors for SOPS; their parameters are documented there."""

    template_fields: Sequence[str] = ("sops_task_id", "sops_conn_id", "bk_biz_id", "scope")
    operator_extra_links = (SopsTaskLink(),)
    ui_color = "#e1ecff"
    get_openlineage_facets_on_complete = get_openlineage_facets_on_complete

    def __init__(
        self,
        *,
        sops_task_id: int | str | XComArg,
        sops_conn_id: str = "sops_default",
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        on_failed: OnFailed = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_failed not in ("fail", "wait"):
            raise ValueError(f"on_failed is {on_failed!r}; it must be one of fail, wait")
        self.sops_task_id = sops_task_id
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope
        self.on_failed = on_failed

    @cached_property
    def hook(self) -> SopsHook:
        """The connection to SOPS; made when first needed, so never while a DAG file is parsed."""
        return hook_of(self)

    def _bear_outages(self, *, deadline: float, interruption: Interruption | None = None) -> None:
        from airflow_provider_sops.operators.sops.interruption import Interruption
        from airflow_provider_sops.triggers.sops_interruption import SopsOutageTrigger

        carried = interruption or Interruption(deadline=deadline)

        def leave() -> NoReturn:
            since = min(patience.since.values())
            limits = (since + self.outage_seconds, deadline)
            self.defer(
                trigger=SopsOutageTrigger(
                    **site_of(self.hook).arguments,
                    since=since,
                    until=limits[0] if carried.event else min(limits),
                    progress=replace(carried, outages=dict(patience.since)).to_json(),
                ),
                method_name="execute_complete",
            )
            raise AssertionError("a deferral does not return")

        patience = self.hook.be_patient(
            self.outage_seconds, self.log, may_be_running=lambda: bool(carried.event), leave=leave
        )
        patience.since.update(carried.outages)

    def _take_over(self, event: dict[str, Any]) -> dict[str, Any] | float:
        from airflow_provider_sops.operators.sops.interruption import Interruption
        from airflow_provider_sops.triggers.sops_interruption import OVER, SopsOutageTrigger

        known = Interruption(event=event)
        if event.get("outcome") == OVER:
            known = Interruption.from_json(SopsOutageTrigger.from_event(event).progress)
        deadline = known.deadline or 0.0
        self._bear_outages(deadline=deadline, interruption=known)
        return deadline if known.event is None else dict(known.event)

    @property
    def outage_seconds(self) -> float:
        """How long SOPS may be out of reach, by the argument or else Airflow's configuration."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.hooks import configuration

        return configuration.max_outage_seconds(self.max_outage_seconds)

    def _airflow_errors(self) -> AbstractContextManager[None]:
        return airflow_errors(self.log, only_follows=True)

    def _policy(self, deadline: float | None) -> WaitPolicy:
        # Only a running task needs these, not a DAG file.
        from airflow_provider_sops.hooks import configuration
        from airflow_provider_sops.sops.wait_result import WaitPolicy

        interval = configuration.poll_interval_seconds(None if self.follows_age else self.poke_interval)
        return WaitPolicy(
            on_failed=self.on_failed,
            **poll_arguments(interval),
            # Each look is a first one there; a later one knows the age and thereby whether SOPS's cache may answer.
            always_fresh=interval is None and self.mode == "reschedule" and not self.deferrable,
            deadline=deadline,
            max_outage_seconds=self.outage_seconds,
        )


class SopsTaskSensor(SopsBaseSensor):
    """Wait for a SOPS task to end and return its outputs.

    Returns ``{"name": value}`` for every output ``${name}`` of the task, JSON types kept and password-type ones left
    out. XCom also has ``sops_task_id``, ``sops_task_url`` and ``sops_task_state``.

    Works with ``mode="poke"`` and ``"reschedule"`` and deferrable alike. It never revokes the task: whoever started it
    is responsible for it. A failed, revoked or expired task fails the sensor without a retry, or skips it with
    ``soft_fail``.

    Calls get_task_detail and get_task_status.

    Each duration is a number of seconds or a ``timedelta``.

    :param sops_task_id: id of the task. (templated)
    :param sops_conn_id: the Airflow connection of type ``sops``. (templated)
    :param bk_biz_id: the business; default: the connection's. (templated)
    :param scope: ``cmdb_biz`` or ``project``; default: the connection's. (templated)
    :param on_failed: ``"fail"`` (default): fail once nodes have failed, no branch runs and SOPS is not going to retry
        by itself. ``"wait"``: wait for people to retry or skip the nodes in SOPS, until the sensor's timeout.
    :param max_outage_seconds: how long SOPS may be out of reach before the sensor fails. Default:
        ``[sops] max_outage_seconds`` of Airflow's configuration, 3600. With
        ``mode="reschedule"`` each poke stands alone and only the sensor's ``timeout`` counts.
    :param deferrable: wait in the triggerer. Default: Airflow's ``[operators] default_deferrable``.
    :param poke_interval: time between two looks. Default: ``[sops] poll_interval_seconds`` of Airflow's configuration,
        or else from 1.5 seconds, for what has just begun, to 10 seconds after a few minutes; with
        ``mode="reschedule"`` from 5 seconds.
    """

    def _find(self, context: Context) -> AwaitedTask:
        from airflow_provider_sops.sensors.sops_waits import AwaitedTask

        return AwaitedTask.find(self.hook, self.log, context, read_task_id(self.sops_task_id))

    def _from_event(self, event: dict[str, Any]) -> tuple[AwaitedTask, WaitResult]:
        from airflow_provider_sops.sensors.sops_waits import AwaitedTask

        return AwaitedTask.from_event(self.hook, self.log, event)


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
    :param bk_biz_id: the business; default: the connection's. (templated)
    :param scope: ``cmdb_biz`` or ``project``; default: the connection's. (templated)
    :param on_failed: ``"fail"`` (default) once the node has failed and SOPS is not going to retry it by itself, or
        ``"wait"`` for people to retry or skip it in SOPS, until the sensor's timeout.
    :param max_outage_seconds: how long SOPS may be out of reach before the sensor fails. Default:
        ``[sops] max_outage_seconds`` of Airflow's configuration, 3600. With
        ``mode="reschedule"`` each poke stands alone and only the sensor's ``timeout`` counts.
    :param deferrable: wait in the triggerer. Default: Airflow's ``[operators] default_deferrable``.
    :param poke_interval: time between two looks. Default: ``[sops] poll_interval_seconds`` of Airflow's configuration,
        or else from 1.5 seconds, for what has just begun, to 10 seconds after a few minutes; with
        ``mode="reschedule"`` from 5 seconds.
    """

    template_fields: Sequence[str] = (*SopsBaseSensor.template_fields, "sops_node_id")

    def __init__(self, *, node_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Airflow's own operators have an attribute `node_id`.
        self.sops_node_id = node_id

    def _find(self, context: Context) -> AwaitedNode:
        from airflow_provider_sops.sensors.sops_waits import AwaitedNode

        sops_task_id = read_task_id(self.sops_task_id)
        return AwaitedNode.find(self.hook, self.log, context, sops_task_id, str(self.sops_node_id))

    def _from_event(self, event: dict[str, Any]) -> tuple[AwaitedNode, NodeResult]:
        from airflow_provider_sops.sensors.sops_waits import AwaitedNode

        return AwaitedNode.from_event(self.hook, self.log, event)

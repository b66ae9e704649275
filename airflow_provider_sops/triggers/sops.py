"""Waiting in the triggerer for a SOPS task to end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import tenacity
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sops.polling.shared import open_client, shared_wait
from airflow_provider_sops.polling.sops_looks import SharedLooks
from airflow_provider_sops.service.reading import read_id, read_mapping
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidOperationError, SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.verdict import end_despite_refusal
from airflow_provider_sops.sops.wait_result import WaitPolicy, WaitResult
from airflow_provider_sops.task_instance.state import is_ended_by_decision_async
from airflow_provider_sops.triggers.shielding import to_its_end
from airflow_provider_sops.triggers.sops_node import SopsNodeTrigger
from airflow_provider_sops.triggers.sops_task_finished import SopsTaskFinishedTrigger
from airflow_provider_sops.triggers.unknown_arguments import tell_unknown_arguments
from airflow_provider_sops.triggers.worker_exit import outliving_the_worker
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from airflow_provider_sops.waiting.follow import follow_async
from airflow_provider_sops.waiting.repeat import again_while_lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_provider_sops.hooks.sops_async import AsyncSopsClient

__all__ = ["SopsNodeTrigger", "SopsTaskFinishedTrigger", "SopsTaskTrigger"]

#: Before each further attempt to revoke; Airflow allows a trigger's ``on_kill`` 30 seconds by default.
_REVOKE_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
_ARGUMENTS = (
    "sops_conn_id",
    "bk_biz_id",
    "scope",
    "sops_task_id",
    "task_url",
    "policy",
    "revoke_on_kill",
    "human_nodes",
)


class SopsTaskTrigger(BaseTrigger):
    """Fires once a SOPS task is over, or once a person is needed.

    Writes every change of a node's state into the Airflow task's log. Holds no secret: it reads the connection itself.
    The end of the wait is in its policy, not in Airflow's own trigger timeout, which would leave the SOPS task running.

    :param sops_conn_id: the Airflow connection of type ``sops``.
    :param bk_biz_id: the business, or ``None`` for the connection's.
    :param scope: how ``bk_biz_id`` is read, or ``None`` for the connection's.
    :param sops_task_id: the task to wait for.
    :param task_url: its page in SOPS, for messages.
    :param policy: how long to wait and what a failure means; a ``WaitPolicy`` or its JSON form.
    :param revoke_on_kill: whether the wait answers for the task: then the task is revoked if a person ends the
        waiting Airflow task. A restart of the triggerer or a hand-over to another one revokes nothing.
    :param human_nodes: the component codes of the task's nodes that wait for people, by node id. Without it the
        trigger reads the task's whole tree once.
    :param unknown: arguments of another version of this package; they are ignored, with a warning once it runs.
    """

    def __init__(
        self,
        *,
        sops_conn_id: str,
        sops_task_id: int,
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        task_url: str = "",
        policy: WaitPolicy | Mapping[str, Any] | None = None,
        revoke_on_kill: bool = False,
        human_nodes: Mapping[str, str] | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope
        self.sops_task_id = sops_task_id
        self.task_url = task_url
        self.policy = policy if isinstance(policy, WaitPolicy) else WaitPolicy.from_json(policy or {})
        self.revoke_on_kill = revoke_on_kill
        self.human_nodes = None if human_nodes is None else dict(human_nodes)
        self._unknown = tuple(unknown)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes the same trigger again; all of it is JSON."""
        return ("airflow_provider_sops.triggers.sops.SopsTaskTrigger", self._arguments())

    @classmethod
    def from_event(cls, event: Any) -> SopsTaskTrigger:
        """Return the trigger that sent an event, so that a wait can go on from it.

        :raises SopsInvalidParameterError: if the event was not sent by this trigger.
        """
        arguments = read_mapping(read_mapping(event).get("trigger"))
        if read_id(arguments.get("sops_task_id")) is None:
            raise SopsInvalidParameterError(
                f"a trigger sent an event that names no SOPS task: {event!r}",
                advice="Check that worker and triggerer run the same version of airflow-provider-sops.",
            )
        return cls(**{name: arguments[name] for name in _ARGUMENTS if name in arguments})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the task and fire its end."""
        tell_unknown_arguments(self, self._unknown, self.log)
        try:
            async with outliving_the_worker():
                result = await self._follow()
        except asyncio.CancelledError:
            # Airflow before 3.3 has no on_kill for triggers; a cancelled run is all there is to notice.
            if not AIRFLOW_V_3_3_PLUS:
                await to_its_end(self._revoke_if_ended())
            raise
        event = {**result.to_event(), "trigger": self._arguments()}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Revoke the task if somebody has ended the waiting task (Airflow 3.3 and later)."""
        await to_its_end(self._revoke_if_ended())

    async def _follow(self) -> WaitResult:
        tree = None if self.human_nodes is None else TreeIndex.of_plugins(self.human_nodes)
        wait = TaskWait(self.policy, time.time(), tree, self.task_url, tree_is_whole=False)
        async with shared_wait(
            site_of(self),
            self.sops_task_id,
            interval_seconds=self.policy.poll_interval_seconds,
        ) as part:
            looks = SharedLooks(part, wait, self.log)
            return await follow_async(wait, looks, looks.tell)

    async def _revoke_if_ended(self) -> None:
        if not self.revoke_on_kill:
            return
        if not await is_ended_by_decision_async(self.task_instance):
            self.log.info("SOPS task %s is left as it is: nobody has ended the task.", self.sops_task_id)
            return
        try:
            async with await open_client(site_of(self)) as client:
                await self._revoke(client)
        except SopsError as error:
            self.log.error("SOPS task %s could not be revoked and may still run: %s", self.sops_task_id, error)
        else:
            self.log.info(
                "SOPS task %s is revoked since the task was ended in Airflow; SOPS lets the node that runs now finish.",
                self.sops_task_id,
            )

    async def _revoke(self, client: AsyncSopsClient) -> None:
        """Revoke the task, again while the answer is lost or the task is still CREATED; twice does no harm."""

        async def revoke() -> None:
            try:
                await client.operate_task(self.sops_task_id, "revoke")
            except SopsInvalidOperationError as refusal:
                end_despite_refusal(refusal, await client.get_task_status(self.sops_task_id, fresh=True))

        rules = again_while_lost(_REVOKE_PAUSES_SECONDS, also=(SopsInvalidOperationError,))
        await tenacity.AsyncRetrying(**rules)(revoke)

    def _arguments(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in _ARGUMENTS}, "policy": self.policy.to_json()}

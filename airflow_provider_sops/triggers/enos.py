"""Waiting in the triggerer for an EnOS instance to end."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any, ClassVar

import tenacity

from airflow_provider_sops.enos.errors import EnosError, EnosInvalidParameterError
from airflow_provider_sops.enos.instance_wait import InstanceWait
from airflow_provider_sops.enos.verdict import Snapshot, nodes_to_ask_about, snapshot_of_flow, snapshot_of_task
from airflow_provider_sops.enos.wait_result import InstanceKind, WaitPolicy, WaitResult
from airflow_provider_sops.service.reading import read_text
from airflow_provider_sops.triggers.waiting_trigger import WaitingTrigger
from airflow_provider_sops.waiting.follow import follow_async, steady_clock
from airflow_provider_sops.waiting.repeat import again_while_lost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.enos.models import TaskInstance
    from airflow_provider_sops.hooks.enos_async import AsyncEnosClient
    from airflow_provider_sops.waiting.model import LogLine, Look

#: Before each further attempt to stop an instance; Airflow allows a trigger's ``on_kill`` 30 seconds by default.
_CANCEL_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)


class _EnosInstanceTrigger(WaitingTrigger):
    """Fires once an instance is over.

    Writes every change of a status into the Airflow task's log. Holds no secret: it reads the connection itself. The
    end of the wait is in its policy, not in Airflow's own trigger timeout, which would leave an instance running.

    :param enos_conn_id: the Airflow connection of type ``enos``.
    :param instance_id: the instance to wait for.
    :param user_id: the user to act for, or ``None`` for the connection's.
    :param org_id: the user's organisation, or ``None`` for the connection's.
    :param policy: how long to wait; a ``WaitPolicy`` or its JSON form.
    :param unknown: arguments of another version of this package; they are ignored, with a warning once it runs.
    """

    kind: ClassVar[InstanceKind]
    kind_of_target = "an EnOS instance"
    invalid = EnosInvalidParameterError
    argument_names: ClassVar[tuple[str, ...]] = ("enos_conn_id", "user_id", "org_id", "instance_id", "policy")

    def __init__(
        self,
        *,
        enos_conn_id: str,
        instance_id: str,
        user_id: str | None = None,
        org_id: str | None = None,
        policy: WaitPolicy | Mapping[str, Any] | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(unknown)
        self.enos_conn_id = enos_conn_id
        self.instance_id = instance_id
        self.user_id = user_id
        self.org_id = org_id
        self.policy = policy if isinstance(policy, WaitPolicy) else WaitPolicy.from_json(policy or {})

    @classmethod
    def has_target(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the arguments contain the id of an instance."""
        return bool(read_text(arguments.get("instance_id")))

    @property
    def target(self) -> str:
        """The instance."""
        return f"EnOS {self.kind.value} {self.instance_id}"

    async def follow(self) -> WaitResult:
        """Wait for the end of the instance."""
        async with await self._client() as client:

            async def ask(look: Look) -> Snapshot:
                await asyncio.sleep(look.delay_seconds)
                return await self._look(client)

            clock = steady_clock()
            return await follow_async(InstanceWait(self.policy, clock()), ask, self._tell, clock=clock)

    def _tell(self, line: LogLine) -> None:
        self.told.log(line.level, "%s: %s", self.target, line.text)

    async def _look(self, client: AsyncEnosClient) -> Snapshot:
        raise NotImplementedError

    async def _client(self) -> AsyncEnosClient:
        # The first import takes half a second, for which the event loop must not stand still.
        await asyncio.to_thread(importlib.import_module, "airflow_provider_sops.hooks.enos_async")
        from airflow_provider_sops.hooks.enos_async import AsyncEnosClient, aget_enos_connection

        connection = await aget_enos_connection(self.enos_conn_id, user_id=self.user_id, org_id=self.org_id)
        return AsyncEnosClient(connection)


class EnosTaskInstanceTrigger(_EnosInstanceTrigger):
    """Fires once a task instance is over. Never stops it."""

    class_path = "airflow_provider_sops.triggers.enos.EnosTaskInstanceTrigger"
    kind = InstanceKind.TASK

    async def _look(self, client: AsyncEnosClient) -> Snapshot:
        return snapshot_of_task(await client.get_task_instance(self.instance_id))


class EnosFlowInstanceTrigger(_EnosInstanceTrigger):
    """Fires once a flow instance is over.

    :param cancel_on_kill: whether the waiting task is responsible for the instance: then it is stopped if a person ends
        the waiting Airflow task. A restart of the triggerer or a hand-over to another one stops nothing.
    """

    class_path = "airflow_provider_sops.triggers.enos.EnosFlowInstanceTrigger"
    kind = InstanceKind.FLOW
    argument_names = (*_EnosInstanceTrigger.argument_names, "cancel_on_kill")

    def __init__(self, *, cancel_on_kill: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.cancel_on_kill = cancel_on_kill

    @property
    def stops_on_kill(self) -> bool:
        """Whether the instance is stopped when a person ends the waiting task."""
        return self.cancel_on_kill

    async def _look(self, client: AsyncEnosClient) -> Snapshot:
        instance = await client.get_flow_instance(self.instance_id)
        asked: list[TaskInstance] = []
        for task_instance_id in nodes_to_ask_about(instance) if client.api_version != "v2.0" else ():
            try:
                asked.append(await client.get_task_instance(task_instance_id))
            except EnosError as error:
                if error.temporary:
                    raise
                self.log.debug("EnOS task instance %s cannot be read: %s", task_instance_id, error)
        return snapshot_of_flow(instance, asked)

    async def stop(self) -> None:
        """Stop the instance, again while the answer is lost; twice does no harm."""
        async with await self._client() as client:

            async def cancel() -> None:
                try:
                    await client.cancel_flow_instance(self.instance_id)
                except EnosError as error:
                    if error.temporary or error.outcome_unknown:
                        raise
                    if not (await client.get_flow_instance(self.instance_id)).status.is_end:
                        raise

            await tenacity.AsyncRetrying(**again_while_lost(_CANCEL_PAUSES_SECONDS))(cancel)

"""Waiting in the triggerer for an EnOS instance to end."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any, ClassVar, Self

import tenacity
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sops.enos.errors import EnosError, EnosInvalidParameterError
from airflow_provider_sops.enos.instance_wait import InstanceWait
from airflow_provider_sops.enos.verdict import Snapshot, nodes_to_ask_about, snapshot_of_flow, snapshot_of_task
from airflow_provider_sops.enos.wait_result import InstanceKind, WaitPolicy, WaitResult
from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.task_instance.state import is_ended_by_decision_async
from airflow_provider_sops.triggers.shielding import to_its_end
from airflow_provider_sops.triggers.unknown_arguments import tell_unknown_arguments
from airflow_provider_sops.triggers.worker_exit import outliving_the_worker
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from airflow_provider_sops.waiting.follow import follow_async, steady_clock
from airflow_provider_sops.waiting.repeat import again_while_lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_provider_sops.enos.models import TaskInstance
    from airflow_provider_sops.hooks.enos_async import AsyncEnosClient
    from airflow_provider_sops.waiting.model import LogLine, Look

#: Before each further attempt to stop an instance; Airflow allows a trigger's ``on_kill`` 30 seconds by default.
_CANCEL_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)


class _EnosInstanceTrigger(BaseTrigger):
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
    _argument_names: ClassVar[tuple[str, ...]] = ("enos_conn_id", "user_id", "org_id", "instance_id")

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
        super().__init__()  # type: ignore[no-untyped-call]
        self.enos_conn_id = enos_conn_id
        self.instance_id = instance_id
        self.user_id = user_id
        self.org_id = org_id
        self.policy = policy if isinstance(policy, WaitPolicy) else WaitPolicy.from_json(policy or {})
        self._unknown = tuple(unknown)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes the same trigger again; all of it is JSON."""
        return (f"{type(self).__module__}.{type(self).__qualname__}", self._arguments())

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Return the trigger that sent an event.

        :raises EnosInvalidParameterError: if the event was not sent by such a trigger.
        """
        arguments = read_mapping(read_mapping(event).get("trigger"))
        if not read_text(arguments.get("instance_id")):
            raise EnosInvalidParameterError(
                f"a trigger sent an event that names no EnOS instance: {event!r}",
                advice="Check that worker and triggerer run the same version of airflow-provider-sops.",
            )
        known = (*cls._argument_names, "policy")
        return cls(**{name: arguments[name] for name in known if name in arguments})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the instance and fire its end."""
        tell_unknown_arguments(self, self._unknown, self.log)
        async with outliving_the_worker():
            result = await self._follow()
        yield TriggerEvent({**result.to_event(), "trigger": self._arguments()})  # type: ignore[no-untyped-call]

    async def _follow(self) -> WaitResult:
        async with await self._client() as client:

            async def ask(look: Look) -> Snapshot:
                await asyncio.sleep(look.delay_seconds)
                return await self._look(client)

            clock = steady_clock()
            return await follow_async(InstanceWait(self.policy, clock()), ask, self._tell, clock=clock)

    def _tell(self, line: LogLine) -> None:
        self.log.log(line.level, "EnOS %s %s: %s", self.kind.value, self.instance_id, line.text)

    async def _look(self, client: AsyncEnosClient) -> Snapshot:
        raise NotImplementedError

    async def _client(self) -> AsyncEnosClient:
        # The first import takes half a second, for which the event loop must not stand still.
        await asyncio.to_thread(importlib.import_module, "airflow_provider_sops.hooks.enos_async")
        from airflow_provider_sops.hooks.enos_async import AsyncEnosClient, aget_enos_connection

        connection = await aget_enos_connection(self.enos_conn_id, user_id=self.user_id, org_id=self.org_id)
        return AsyncEnosClient(connection)

    def _arguments(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in self._argument_names}, "policy": self.policy.to_json()}


class EnosTaskInstanceTrigger(_EnosInstanceTrigger):
    """Fires once a task instance is over. Never stops it."""

    kind = InstanceKind.TASK

    async def _look(self, client: AsyncEnosClient) -> Snapshot:
        return snapshot_of_task(await client.get_task_instance(self.instance_id))


class EnosFlowInstanceTrigger(_EnosInstanceTrigger):
    """Fires once a flow instance is over.

    :param cancel_on_kill: whether the wait answers for the instance: then it is stopped if a person ends the waiting
        Airflow task. A restart of the triggerer or a hand-over to another one stops nothing.
    """

    kind = InstanceKind.FLOW
    _argument_names = (*_EnosInstanceTrigger._argument_names, "cancel_on_kill")

    def __init__(self, *, cancel_on_kill: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.cancel_on_kill = cancel_on_kill

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the instance and fire its end."""
        try:
            async for event in super().run():
                yield event
        except asyncio.CancelledError:
            # Airflow before 3.3 has no on_kill for triggers; a cancelled run is all there is to notice.
            if not AIRFLOW_V_3_3_PLUS:
                await to_its_end(self._cancel_if_ended())
            raise

    async def on_kill(self) -> None:
        """Stop the instance if somebody has ended the waiting task (Airflow 3.3 and later)."""
        await to_its_end(self._cancel_if_ended())

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

    async def _cancel_if_ended(self) -> None:
        if not self.cancel_on_kill:
            return
        if not await is_ended_by_decision_async(self.task_instance):
            self.log.info("EnOS flow instance %s is left as it is: nobody has ended the task.", self.instance_id)
            return
        try:
            async with await self._client() as client:
                await self._cancel(client)
        except EnosError as error:
            self.log.error("EnOS flow instance %s could not be stopped and may still run: %s", self.instance_id, error)
        else:
            self.log.info("EnOS flow instance %s is stopped since the task was ended in Airflow.", self.instance_id)

    async def _cancel(self, client: AsyncEnosClient) -> None:
        """Stop the instance, again while the answer is lost; twice does no harm."""

        async def cancel() -> None:
            try:
                await client.cancel_flow_instance(self.instance_id)
            except EnosError as error:
                if error.temporary or error.outcome_unknown:
                    raise
                if not (await client.get_flow_instance(self.instance_id)).status.is_end:
                    raise

        await tenacity.AsyncRetrying(**again_while_lost(_CANCEL_PAUSES_SECONDS))(cancel)

"""Waiting in the triggerer for a node of a SOPS task to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sops.polling.shared import shared_wait
from airflow_provider_sops.polling.sops_looks import SharedLooks
from airflow_provider_sops.service.reading import read_id, read_mapping
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.node_result import NodeInTask, NodeResult
from airflow_provider_sops.sops.node_wait import NodeWait
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.triggers.unknown_arguments import tell_unknown_arguments
from airflow_provider_sops.triggers.worker_exit import outliving_the_worker
from airflow_provider_sops.waiting.follow import follow_async, steady_clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_provider_sops.polling.status_poller import StatusWait
    from airflow_provider_sops.task_instance.log import TaskLog

_ARGUMENTS = ("sops_conn_id", "bk_biz_id", "scope", "sops_task_id", "task_url", "node", "policy")


class SopsNodeTrigger(BaseTrigger):
    """Fires once a node of a SOPS task has ended, or once it is certain that it will never run.

    Any number of them on one task cost one request per interval. It revokes nothing.

    :param sops_conn_id: the Airflow connection of type ``sops``.
    :param bk_biz_id: the business, or ``None`` for the connection's.
    :param scope: how ``bk_biz_id`` is read, or ``None`` for the connection's.
    :param sops_task_id: the task.
    :param task_url: its page in SOPS, for messages.
    :param node: the node to wait for; a ``NodeInTask`` or its JSON form.
    :param policy: how long to wait and what a failure means; a ``WaitPolicy`` or its JSON form.
    :param unknown: arguments of another version of this package; they are ignored, with a warning once it runs.
    """

    def __init__(
        self,
        *,
        sops_conn_id: str,
        sops_task_id: int,
        node: NodeInTask | Mapping[str, Any],
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        task_url: str = "",
        policy: WaitPolicy | Mapping[str, Any] | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope
        self.sops_task_id = sops_task_id
        self.task_url = task_url
        self.node = node if isinstance(node, NodeInTask) else NodeInTask.from_json(node)
        self.policy = policy if isinstance(policy, WaitPolicy) else WaitPolicy.from_json(policy or {})
        self._unknown = tuple(unknown)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes the same trigger again; all of it is JSON."""
        return ("airflow_provider_sops.triggers.sops.SopsNodeTrigger", self._arguments())

    @classmethod
    def from_event(cls, event: Any) -> SopsNodeTrigger:
        """Return the trigger that sent an event.

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
        """Follow the node and fire its end."""
        tell_unknown_arguments(self, self._unknown, self.log)
        async with outliving_the_worker():
            result = await self._follow()
        yield TriggerEvent({**result.to_event(), "trigger": self._arguments()})  # type: ignore[no-untyped-call]

    async def _follow(self) -> NodeResult:
        async with shared_wait(
            site_of(self),
            self.sops_task_id,
            interval_seconds=self.policy.poll_interval_seconds,
        ) as part:
            return await follow_node(part, self.node, self.policy, self.log)

    def _arguments(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in _ARGUMENTS}
        return {**plain, "node": self.node.to_json(), "policy": self.policy.to_json()}


async def follow_node(part: StatusWait, node: NodeInTask, policy: WaitPolicy, log: TaskLog) -> NodeResult:
    """Follow a node of a task to its end.

    :param part: the part in the poll of whoever waits.
    :param log: told of what changes.
    """
    clock = steady_clock()
    wait = NodeWait(node, policy, clock())
    looks = SharedLooks(part, wait, log, node=node)
    return await follow_async(wait, looks, looks.tell, clock=clock)

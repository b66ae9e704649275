"""Waiting in the triggerer for a SOPS task, or for one of its nodes, to end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import tenacity

from airflow_provider_sops.metrics import NoticedEnd
from airflow_provider_sops.polling.shared import open_client, shared_wait
from airflow_provider_sops.polling.sops_looks import SharedLooks
from airflow_provider_sops.service.reading import read_id
from airflow_provider_sops.sops.errors import SopsInvalidOperationError, SopsInvalidParameterError
from airflow_provider_sops.sops.node_result import NodeInTask, NodeResult
from airflow_provider_sops.sops.node_wait import NodeWait
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.verdict import end_despite_refusal
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.task_instance.required_action import Answer, Asked, answered_or, close_request
from airflow_provider_sops.triggers.sops_task_finished import SopsTaskFinishedTrigger
from airflow_provider_sops.triggers.waiting_trigger import WaitingTrigger
from airflow_provider_sops.waiting.follow import follow_async, steady_clock
from airflow_provider_sops.waiting.repeat import again_while_lost

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from contextlib import AbstractAsyncContextManager

    from airflow_provider_sops.hooks.sops_async import AsyncSopsClient
    from airflow_provider_sops.polling.status_poller import StatusWait
    from airflow_provider_sops.sops.models import TaskStatus
    from airflow_provider_sops.task_instance.log import TaskLog
    from airflow_provider_sops.waiting.model import Look

__all__ = ["SopsNodeTrigger", "SopsTaskFinishedTrigger", "SopsTaskTrigger"]

#: Before each further attempt to revoke; Airflow allows a trigger's ``on_kill`` 30 seconds by default.
_REVOKE_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)


class SopsSiteTrigger(WaitingTrigger):
    """Waits for something at a site of SOPS. It holds no secret: it reads the connection itself.

    :param sops_conn_id: the Airflow connection of type ``sops``.
    :param bk_biz_id: the business, or ``None`` for the connection's.
    :param scope: how ``bk_biz_id`` is read, or ``None`` for the connection's.
    :param unknown: arguments of another version of this package; they are ignored, with a warning once it runs.
    """

    argument_names: ClassVar[tuple[str, ...]] = ("sops_conn_id", "bk_biz_id", "scope")
    invalid = SopsInvalidParameterError

    def __init__(
        self, *, sops_conn_id: str, bk_biz_id: int | str | None = None, scope: str | None = None, **unknown: Any
    ) -> None:
        super().__init__(unknown)
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope


class _SopsTrigger(SopsSiteTrigger):
    """Waits for something in a SOPS task.

    :param sops_task_id: the task.
    :param task_url: its page in SOPS, for messages.
    :param policy: how long to wait and what a failure means; a ``WaitPolicy`` or its JSON form.
    """

    argument_names = (*SopsSiteTrigger.argument_names, "sops_task_id", "task_url", "policy")
    kind_of_target = "a SOPS task"

    def __init__(
        self,
        *,
        sops_task_id: int,
        task_url: str = "",
        policy: WaitPolicy | Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.sops_task_id = sops_task_id
        self.task_url = task_url
        self.policy = policy if isinstance(policy, WaitPolicy) else WaitPolicy.from_json(policy or {})

    @classmethod
    def has_target(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the arguments contain the id of a SOPS task."""
        return read_id(arguments.get("sops_task_id")) is not None

    @property
    def target(self) -> str:
        """The SOPS task."""
        return f"SOPS task {self.sops_task_id}"

    def _shared_wait(self) -> AbstractAsyncContextManager[StatusWait]:
        """Take part in the poll of the task's site."""
        return shared_wait(site_of(self), self.sops_task_id, interval_seconds=self.policy.poll_interval_seconds)


class SopsTaskTrigger(_SopsTrigger):
    """Fires once a SOPS task is over, or once a person is needed.

    Writes every change of a node's state into the Airflow task's log. The end of the wait is in its policy, not in
    Airflow's own trigger timeout, which would leave the SOPS task running.

    :param revoke_on_kill: whether the waiting task is responsible for the SOPS task: then it is revoked if a person
        ends the waiting Airflow task. A restart of the triggerer or a hand-over to another one revokes nothing.
    :param human_nodes: the component codes of the task's nodes that wait for people, by node id. Without it the
        trigger reads the task's whole tree once.
    :param asked: the node that the waiting task has asked about in Airflow, an ``Asked`` or its JSON form; the request
        is closed once the node waits no more.
    """

    class_path = "airflow_provider_sops.triggers.sops.SopsTaskTrigger"
    argument_names = (*_SopsTrigger.argument_names, "revoke_on_kill", "human_nodes", "asked")
    word_for_stopped = "revoked"

    def __init__(
        self,
        *,
        revoke_on_kill: bool = False,
        human_nodes: Mapping[str, str] | None = None,
        asked: Asked | Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.revoke_on_kill = revoke_on_kill
        self.human_nodes = None if human_nodes is None else dict(human_nodes)
        self.asked = asked if isinstance(asked, Asked) else Asked.from_json(asked)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as JSON, as earlier versions know them where nothing was asked in Airflow."""
        known = super().arguments
        if self.asked is None:
            del known["asked"]
        return known

    async def follow(self) -> WaitResult | Answer:
        """Wait for the end of the task, or for an answer in Airflow."""
        tree = None if self.human_nodes is None else TreeIndex.of_plugins(self.human_nodes)
        clock = steady_clock()
        wait = TaskWait(self.policy, clock(), tree, self.task_url, tree_is_whole=False)
        async with self._shared_wait() as part:
            looks, end = SharedLooks(part, wait, self.told), NoticedEnd(was_running=bool(self.policy.told))
            is_passed = asyncio.Event()

            async def ask(look: Look) -> TaskStatus:
                # Each look follows the last answer.
                if self.asked is None or self.asked.is_stale or not wait.may_wait_at(self.asked.node_id):
                    is_passed.set()
                status = await looks(look)
                end.see(status)
                return status

            following = follow_async(wait, ask, looks.tell, clock=clock)
            if self.asked is None or not self.asked.is_open:
                return await following
            return await self._follow_asked(self.asked, following, is_passed)

    async def _follow_asked(
        self, asked: Asked, following: Coroutine[Any, Any, WaitResult], is_passed: asyncio.Event
    ) -> WaitResult | Answer:
        """Wait for the same, and close the request once it is answered in SOPS, or once the task is over.

        :param is_passed: set once the node waits no more.
        """

        async def close() -> None:
            await is_passed.wait()
            await close_request(self.task_instance, self.log)
            self.asked = asked.closed

        closing = asyncio.create_task(close())
        try:
            result = await answered_or(following, self.task_instance, self.log)
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)
        goes_on = isinstance(result, Answer) or result.outcome in (Outcome.ASKED, Outcome.PERSON_NEEDED)
        if not goes_on and self.asked == asked:
            await close_request(self.task_instance, self.log)
        return result

    @property
    def stops_on_kill(self) -> bool:
        """Whether the task is revoked when a person ends the waiting task."""
        return self.revoke_on_kill

    async def stop(self) -> None:
        """Revoke the task, again while the answer is lost or the task is still CREATED; twice does no harm."""
        async with await open_client(site_of(self)) as client:
            await revoke_again_while_lost(client, self.sops_task_id)
        self.log.info("SOPS lets the node that runs now finish.")


class SopsNodeTrigger(_SopsTrigger):
    """Fires once a node of a SOPS task has ended, or once it is certain that it will never run.

    Any number of them on one task cost one request per interval. It revokes nothing.

    :param node: the node to wait for; a ``NodeInTask`` or its JSON form.
    :param closes_request: whether the waiting task has asked in Airflow what the node asks, which the end closes.
    :param request_is_stale: whether that request shows what was asked before, so that it is closed at once.
    """

    class_path = "airflow_provider_sops.triggers.sops.SopsNodeTrigger"
    argument_names = (*_SopsTrigger.argument_names, "node", "closes_request", "request_is_stale")

    def __init__(
        self,
        *,
        node: NodeInTask | Mapping[str, Any],
        closes_request: bool = False,
        request_is_stale: bool = False,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.closes_request = closes_request
        self.request_is_stale = request_is_stale
        self.node = node if isinstance(node, NodeInTask) else NodeInTask.from_json(node)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as JSON, as earlier versions know them where nothing is to be closed."""
        known = super().arguments
        for name in ("closes_request", "request_is_stale"):
            if not known[name]:
                del known[name]
        return known

    async def follow(self) -> NodeResult | Answer:
        """Wait for the end of the node, or for an answer in Airflow."""
        if self.closes_request and self.request_is_stale:
            await close_request(self.task_instance, self.log)
        async with self._shared_wait() as part:
            following = follow_node(part, self.node, self.policy, self.told, self.task_url)
            if not self.closes_request or self.request_is_stale:
                return await following
            result = await answered_or(following, self.task_instance, self.log)
        if isinstance(result, NodeResult):
            await close_request(self.task_instance, self.log)
        return result


async def follow_node(
    part: StatusWait, node: NodeInTask, policy: WaitPolicy, log: TaskLog, task_url: str = ""
) -> NodeResult:
    """Follow a node of a task to its end.

    :param part: the waiter's part in the shared poll.
    :param log: where changes are written.
    :param task_url: the task's page in SOPS, for messages.
    """
    clock = steady_clock()
    wait = NodeWait(node, policy, clock(), task_url)
    looks = SharedLooks(part, wait, log, node=node)
    return await follow_async(wait, looks, looks.tell, clock=clock)


async def revoke_again_while_lost(client: AsyncSopsClient, sops_task_id: int) -> None:
    """Revoke a task, again while the answer is lost or the task is still CREATED; one that has ended is no error.

    :raises SopsError: it may still run.
    """

    async def revoke() -> None:
        try:
            await client.operate_task(sops_task_id, "revoke")
        except SopsInvalidOperationError as refusal:
            end_despite_refusal(refusal, await client.get_task_status(sops_task_id, fresh=True))

    rules = again_while_lost(_REVOKE_PAUSES_SECONDS, also=(SopsInvalidOperationError,))
    await tenacity.AsyncRetrying(**rules)(revoke)

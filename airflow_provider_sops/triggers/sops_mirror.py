"""The whole life of a watched node's task in the triggerer, without a worker."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_sops.hooks import configuration
from airflow_provider_sops.links.sops import SopsTaskLink
from airflow_provider_sops.polling.shared import shared_wait
from airflow_provider_sops.polling.sops_looks import shared_secrets
from airflow_provider_sops.sops.errors import SopsAuthError, SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.node_result import NodeOutcome
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.task_instance.flow_xcom import apull
from airflow_provider_sops.task_instance.mirrored_node import FLOW_TASK_KEYS, FlowTask, MirroredNode, read_flow_task
from airflow_provider_sops.task_instance.node_report import (
    GREEN,
    NO_DATA,
    NO_LOG,
    NodeReport,
    is_read,
    node_xcom,
    report,
    status_lines,
    write,
)
from airflow_provider_sops.task_instance.xcom import NODE_XCOM_KEY, RETURN_XCOM_KEY, TASK_ID_XCOM_KEY
from airflow_provider_sops.triggers.sops import SopsNodeTrigger, SopsSiteTrigger, follow_node
from airflow_provider_sops.triggers.waiting_trigger import tell_unknown_arguments
from airflow_provider_sops.waiting.pace import poll_arguments
from airflow_provider_sops.waiting.patience import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping

    from airflow_provider_sops.polling.status_poller import StatusWait
    from airflow_provider_sops.sops.models import NodeData
    from airflow_provider_sops.sops.node_result import NodeInTask, NodeResult
    from airflow_provider_sops.task_instance.flow_xcom import Pulled

#: What the start tasks of runs pushed. It does not change for the id of a SOPS task.
_flow_tasks: dict[tuple[Any, ...], asyncio.Future[FlowTask]] = {}
_MOST_FLOW_TASKS = 32
#: The event that hands the task to a worker from its very beginning.
BEGIN_EVENT = {"begin": True}


class SopsNodeMirrorTrigger(SopsSiteTrigger):
    """Starts and ends the task of a node that succeeded or that the flow passed by; for Airflow 3.3 and newer.

    Everything else goes to a worker: a failure, since only a worker runs callbacks and shows the whole error; a second
    try, whose end would otherwise get a wrong date in Airflow; a node that waits for a person, once it is reached; a
    node inside a subprocess that runs as a SOPS task of its own. It revokes nothing and retries nothing.

    Connection, business and scope are templated.

    :param start_task_id: the Airflow task that started the SOPS task.
    :param node: the node; a ``MirroredNode`` or its JSON form.
    :param on_failed: ``"fail"`` or ``"wait"``, as of ``SopsRunTaskOperator``.
    :param poll_interval_seconds: time between two looks; with ``paced`` the longest time, see ``WaitPolicy``, unless
        the triggerer's configuration has a fixed one.
    :param node_details: of which ended nodes inputs, outputs and log are read; ``None``: as the triggerer's
        configuration says.
    :param usual_outage: whether the triggerer's configuration takes the place of ``max_outage_seconds``.
    """

    class_path = "airflow_provider_sops.triggers.sops_mirror.SopsNodeMirrorTrigger"
    argument_names = (
        *SopsSiteTrigger.argument_names,
        "start_task_id",
        "node",
        "on_failed",
        "poll_interval_seconds",
        "timeout_seconds",
        "max_outage_seconds",
        "paced",
        "usual_outage",
        "node_details",
    )

    def __init__(
        self,
        *,
        start_task_id: str,
        node: MirroredNode | Mapping[str, Any],
        on_failed: str = "fail",
        poll_interval_seconds: float = 10.0,
        timeout_seconds: float | None = None,
        max_outage_seconds: float = 3600.0,
        paced: bool = False,
        usual_outage: bool = False,
        node_details: str | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.start_task_id = start_task_id
        self.node = node if isinstance(node, MirroredNode) else MirroredNode.from_json(node)
        self.on_failed = on_failed
        self.poll_interval_seconds = poll_interval_seconds
        self.timeout_seconds = timeout_seconds
        self.max_outage_seconds = max_outage_seconds
        self.paced = paced
        self.usual_outage = usual_outage
        self.node_details = node_details

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as JSON; without those that an older version would not know, where they say nothing."""
        switches = ("paced", "usual_outage", "node_details")
        return {name: value for name, value in super().arguments.items() if name not in switches or value}

    @property
    def _outage_seconds(self) -> float:
        return configuration.max_outage_seconds(None if self.usual_outage else self.max_outage_seconds)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the node and end the task, or hand it to a worker."""
        tell_unknown_arguments(self, self._unknown, self.log)
        yield await self._live()

    async def _live(self) -> TriggerEvent:
        from airflow.triggers.base import TaskSkippedEvent

        ti: Any = self.task_instance
        if ti.try_number > 1:
            return _event(BEGIN_EVENT)
        try:
            task = await self._flow_task()
        except SopsInvalidParameterError as error:
            self.log.warning("A worker takes over: %s", error)
            return _event(BEGIN_EVENT)
        node = self.node.in_task(task)
        if node is None and self.node.task_around(task) is not None:
            return _event(BEGIN_EVENT)
        self.log.info("This task runs in the triggerer; no worker is used unless the node fails.")
        if node is None:
            self.log.info("This node is not in SOPS task %s; it was excluded.", task.sops_task_id)
            return TaskSkippedEvent()
        return await self._follow(task, node)

    async def _follow(self, task: FlowTask, node: NodeInTask) -> TriggerEvent:
        from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent

        given = None if self.paced else self.poll_interval_seconds
        policy = WaitPolicy(
            on_failed=self.on_failed,  # type: ignore[arg-type]
            **poll_arguments(configuration.poll_interval_seconds(given)),
            deadline=None if self.timeout_seconds is None else time.time() + self.timeout_seconds,
            max_outage_seconds=self._outage_seconds,
        )
        if node.waits_for_person:
            # Only a worker can make it one of Airflow's Required Actions.
            node = replace(node, until_arrival=True)
        async with shared_wait(
            site_of(self),
            task.sops_task_id,
            interval_seconds=policy.poll_interval_seconds,
            remembers_finished=True,
        ) as wait:
            await self._push_link(task)
            result = await follow_node(wait, node, policy, self.log, task.task_url)
            try:
                if result.outcome == NodeOutcome.NEVER_RUNS:
                    await self._push(NODE_XCOM_KEY, node_xcom(result, wait.task_id, node.id))
                    self.log.info("The flow has passed this node by.")
                    return TaskSkippedEvent()
                if result.outcome in GREEN:
                    await self._conclude(wait, node, result)
                    return TaskSuccessEvent()
            except Exception as error:  # noqa: BLE001 - Airflow's own API may be out of reach; the node has ended well
                self.log.warning("A worker takes over, since the end cannot be written here: %s", error)
        return _event({**result.to_event(), "trigger": self._as_node_trigger(task, node, policy)})

    async def _conclude(self, wait: StatusWait, node: NodeInTask, result: NodeResult) -> None:
        """Write log and XComs as the worker would."""
        found = NodeReport()
        if self.node.has_data and is_read(configuration.node_details(self.node_details), result.outcome, self.log):
            found = await self._report(wait, node, result)
        write((*status_lines(result), *found.lines), self.log)
        await self._push(NODE_XCOM_KEY, node_xcom(result, wait.task_id, node.id))
        if found.outputs is not None:
            await self._push(RETURN_XCOM_KEY, found.outputs)

    async def _report(self, wait: StatusWait, node: NodeInTask, result: NodeResult) -> NodeReport:
        """Read inputs, outputs and log of a node, after an outage if need be; empty if SOPS does not return them."""
        patience = Patience(
            "SOPS",
            self._outage_seconds,
            lambda line: write([line], self.log),
            credentials_refused=SopsAuthError,
            may_be_running=lambda: True,
        )

        def read() -> Awaitable[NodeData]:
            return wait.reader.node_data(wait.task_id, node.path, self.node.plugin)

        try:
            data = await patience.bear_async("get_task_node_detail", read)
        except SopsError as error:
            secrets = await shared_secrets(wait.reader, node.secrets_of)
            self.log.warning(NO_DATA, secrets.message(str(error)))
            return NodeReport()
        secrets = await shared_secrets(wait.reader, node.secrets_of)
        try:
            text = await wait.reader.node_log(wait.task_id, node.id, result.version)
        except SopsError as error:
            self.log.debug(NO_LOG, secrets.message(str(error)))
            text = ""
        return report(node.id, data, text, secrets)

    async def _flow_task(self) -> FlowTask:
        """Return what the start task has pushed.

        :raises SopsInvalidParameterError: that is not a task.
        """
        pulled = await apull(self._ti, self.start_task_id, TASK_ID_XCOM_KEY)
        sops_task_id = pulled.sops_task_id()
        key = (*self._instance().values(), self.start_task_id, sops_task_id)
        if key not in _flow_tasks:
            while len(_flow_tasks) >= _MOST_FLOW_TASKS:
                del _flow_tasks[next(iter(_flow_tasks))]
            _flow_tasks[key] = asyncio.ensure_future(self._read_flow_task(pulled))
        reading = _flow_tasks[key]
        try:
            return await asyncio.shield(reading)
        except BaseException:
            _flow_tasks.pop(key, None)
            raise

    async def _read_flow_task(self, task_id: Pulled) -> FlowTask:
        others = [key for key in FLOW_TASK_KEYS if key != task_id.key]
        pulled = {key: await apull(self._ti, self.start_task_id, key) for key in others}
        return read_flow_task({task_id.key: task_id, **pulled})

    async def _push_link(self, task: FlowTask) -> None:
        if task.task_url:
            # Airflow's UI reads the link's own key, which a worker fills at the end of its try.
            await self._push(SopsTaskLink().xcom_key, task.task_url)

    async def _push(self, key: str, value: Any) -> None:
        from airflow.sdk.execution_time.xcom import XCom

        await XCom.aset(key, value, **self._instance(), task_id=self._ti.task_id)

    def _instance(self) -> dict[str, Any]:
        ti = self._ti
        return {"dag_id": ti.dag_id, "run_id": ti.run_id, "map_index": ti.map_index}

    @property
    def _ti(self) -> Any:
        return self.task_instance

    def _as_node_trigger(self, task: FlowTask, node: NodeInTask, policy: WaitPolicy) -> dict[str, Any]:
        trigger = SopsNodeTrigger(
            **site_of(self).arguments,
            sops_task_id=task.sops_task_id,
            task_url=task.task_url,
            node=node,
            policy=policy,
        )
        return trigger.arguments


def _event(payload: Mapping[str, Any]) -> TriggerEvent:
    return TriggerEvent(dict(payload))  # type: ignore[no-untyped-call]

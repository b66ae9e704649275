"""A SOPS for simulated time: tasks that end when they are told to, and a server that fails when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsError, SopsNotFoundError
from airflow_provider_sops.sops.models import NodeDetail, TaskDetail, TaskState, TaskStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from airflow_provider_sops.sops.task_secrets import TaskSecrets


@dataclass(frozen=True)
class Request:
    """What was asked, and when."""

    at: float
    api: str
    task_ids: tuple[int, ...]
    fresh: bool = False
    with_details: bool = False
    node_states: bool = False


@dataclass
class SimulatedSops:
    """Answers at once, or after ``latency_seconds``.

    :param ends: when each task is FINISHED, in seconds; before that it is RUNNING. Other ids are unknown.
    :param fault: returns the error for a request, or ``None``.
    """

    ends: dict[int, float] = field(default_factory=dict)
    fault: Callable[[Request], SopsError | None] = lambda _request: None
    latency_seconds: float = 0.0
    requests: list[Request] = field(default_factory=list)
    opened: int = 0
    open_now: int = 0
    most_under_way: int = 0
    under_way: int = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[SimulatedSops]:
        """Open a source for a poller."""
        self.opened += 1
        self.open_now += 1
        try:
            yield self
        finally:
            self.open_now -= 1

    async def get_tasks_status(
        self, task_ids: Iterable[int], *, include_children: bool = False, fresh: bool = False
    ) -> dict[int, TaskStatus]:
        """Answer for the known tasks; more than 50 are refused."""
        asked = tuple(task_ids)
        assert 0 < len(asked) <= 50
        await self._receive("get_tasks_status", asked, fresh=fresh, node_states=include_children)
        return {task_id: self._status(task_id) for task_id in asked if task_id in self.ends}

    async def get_task_status(
        self,
        task_id: int,
        *,
        with_ex_data: bool = False,
        with_failed_node_info: bool = False,
        with_auto_retry_status: bool = False,
        fresh: bool = False,
    ) -> TaskStatus:
        """Answer for one task."""
        assert with_ex_data == with_failed_node_info == with_auto_retry_status
        await self._receive("get_task_status", (task_id,), fresh=fresh, with_details=with_ex_data)
        if task_id not in self.ends:
            raise SopsNotFoundError("the task does not exist", api="get_task_status", http_status=200)
        return self._status(task_id)

    async def get_task_detail(self, task_id: int, *, fresh: bool = False) -> TaskDetail:
        """Answer with an empty tree."""
        await self._receive("get_task_detail", (task_id,), fresh=fresh)
        return TaskDetail.read({"id": task_id})

    async def get_task_node_detail(
        self,
        task_id: int,
        node_id: str,
        *,
        component_code: str | None = None,
        subprocess_stack: Sequence[str] | None = None,
    ) -> NodeDetail:
        """Answer with the question as the node's inputs."""
        await self._receive("get_task_node_detail", (task_id,))
        inputs = {"node_id": node_id, "component_code": component_code, "subprocess_stack": subprocess_stack}
        return NodeDetail.read({"id": node_id, "inputs": inputs})

    async def get_task_node_log(self, task_id: int, node_id: str, *, version: str | None = None) -> str:
        """Answer with the question as the log."""
        await self._receive("get_task_node_log", (task_id,))
        return f"{node_id} {version}"

    async def know_passwords(self, task_id: int, secrets: TaskSecrets) -> None:
        """Need no passwords: errors here quote none."""

    def asked(self, api: str) -> list[Request]:
        """Return the requests of one kind."""
        return [request for request in self.requests if request.api == api]

    def _status(self, task_id: int) -> TaskStatus:
        over = asyncio.get_running_loop().time() >= self.ends[task_id]
        return _FINISHED if over else _RUNNING

    async def _receive(self, api: str, task_ids: tuple[int, ...], **options: bool) -> None:
        assert self.open_now > 0
        request = Request(asyncio.get_running_loop().time(), api, task_ids, **options)
        self.requests.append(request)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.latency_seconds:
                await asyncio.sleep(self.latency_seconds)
        finally:
            self.under_way -= 1
        error = self.fault(request)
        if error is not None:
            raise error


_RUNNING = TaskStatus.read({"state": TaskState.RUNNING, "children": {}})
_FINISHED = TaskStatus.read({"state": TaskState.FINISHED, "children": {}})

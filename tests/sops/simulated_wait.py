"""A wait whose clock moves only as far as the wait asks for: the course of hours in no time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.node_result import NodeInTask
from airflow_provider_sops.sops.node_wait import NodeWait
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.wait_result import WaitPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.sops.wait_result import WaitResult
    from airflow_provider_sops.waiting.model import Look, Update

#: When every simulated wait begins, in seconds since the epoch.
BEGIN = 1_000_000.0


@dataclass
class SimulatedWait:
    """Feeds a ``TaskWait`` with answers and keeps what it asked, said and decided.

    :param policy: the rules of the wait.
    :param tree: the task's tree, as SOPS gives it.
    """

    policy: WaitPolicy = field(default_factory=WaitPolicy)
    tree: Any = None
    task_url: str = ""
    now: float = BEGIN
    looks: list[Look] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    result: WaitResult | None = None

    def __post_init__(self) -> None:
        tree = None if self.tree is None else TreeIndex(self.tree)
        self.wait = TaskWait(self.policy, self.now, tree, self.task_url)

    @property
    def seconds(self) -> float:
        """How long the wait has lasted."""
        return self.now - BEGIN

    def answer(self, data: Any) -> Update[WaitResult]:
        """Answer the next look with the ``data`` of a get_task_status."""
        look = self._next_look()
        return self._keep(self.wait.see(TaskStatus.read(data), look, self.now))

    def fail(self, error: ServiceError) -> Update[WaitResult]:
        """Let the next look bring no answer."""
        look = self._next_look()
        return self._keep(self.wait.miss(error, look, self.now))

    def run(self, server: Callable[[float, Look], Any], *, at_most: int = 10_000) -> WaitResult:
        """Wait to the end.

        :param server: is given the seconds since the wait began and the look; returns the ``data`` or raises.
        """
        for _ in range(at_most):
            look = self._next_look()
            try:
                status = TaskStatus.read(server(self.seconds, look))
            except SopsError as error:
                update = self._keep(self.wait.miss(error, look, self.now))
            else:
                update = self._keep(self.wait.see(status, look, self.now))
            if update.result is not None:
                return update.result
        raise AssertionError(f"no end after {at_most} looks in {self.seconds} s")

    def answers(self, answers: Iterable[Any]) -> list[WaitResult | None]:
        """Answer look after look and return what each one meant."""
        return [self.answer(data).result for data in answers]

    def _next_look(self) -> Look:
        look = self.wait.next_look(self.now)
        self.looks.append(look)
        self.now += look.delay_seconds
        return look

    def _keep(self, update: Update[WaitResult]) -> Update[WaitResult]:
        self.lines += [line.text for line in update.lines]
        self.warnings += [line.text for line in update.lines if line.level >= 30]
        self.result = update.result
        return update


@dataclass
class SimulatedNodeWait:
    """Feeds a ``NodeWait`` with answers, and with the task's tree where it wants that.

    :param tree: the task's tree; ``None`` for one that cannot be read.
    """

    wait: NodeWait
    tree: Any = None
    now: float = BEGIN
    tree_readings: int = 0

    @classmethod
    def of(cls, node_id: str, *, tree: Any = None) -> SimulatedNodeWait:
        """Begin to wait for a node of the top level."""
        return cls(NodeWait(NodeInTask((node_id,)), WaitPolicy(), BEGIN), tree)

    @property
    def seconds(self) -> float:
        """How long the wait has lasted."""
        return self.now - BEGIN

    def run(self, server: Callable[..., Any], *, at_most: int = 10_000) -> str:
        """Wait to the end and return how it was.

        :param server: is given the seconds since the wait began, and ``with_details``; returns the ``data``.
        """
        for _ in range(at_most):
            look = self.wait.next_look(self.now)
            self.now += look.delay_seconds
            status = TaskStatus.read(server(self.seconds, with_details=look.with_details))
            if self.wait.wants_tree(status, look):
                self.tree_readings += 1
                if self.tree is not None:
                    self.wait.learn_tree(TreeIndex(self.tree))
            result = self.wait.see(status, look, self.now).result
            if result is not None:
                return result.outcome.value
        raise AssertionError(f"no end after {at_most} looks in {self.seconds} s")

"""Following a SOPS task from a worker, with blocking requests."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_sops.metrics import NoticedEnd
from airflow_provider_sops.service.text import log_entry
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.node_end import detail_arguments
from airflow_provider_sops.sops.person_request import PersonRequest
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.task_instance.outputs import read_secrets
from airflow_provider_sops.waiting.follow import follow, steady_clock
from airflow_provider_sops.waiting.model import FRESH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail, TaskStatus
    from airflow_provider_sops.sops.node_wait import NodeWait
    from airflow_provider_sops.sops.wait_result import WaitPolicy, WaitResult
    from airflow_provider_sops.task_instance.log import TaskLog
    from airflow_provider_sops.waiting.model import LogLine, Look


@dataclass(repr=False)
class SopsLooks:
    """Answers the looks of a wait, without passwords; to be called as the ``ask`` of ``follow``.

    Calls get_task_status, and get_task_detail where the wait wants the tree or an error text may hold a password.

    :param hook: the connection to SOPS.
    :param sops_task_id: the task.
    :param wait: the wait; it is given the tree where it wants it, and goes on without one that cannot be read.
    :param log: the log of the Airflow task.
    :param clock: the one that the wait was begun with.
    :param secrets: what is to be hidden, if the caller knows; needed for a task around which there are others.
    """

    hook: SopsHook
    sops_task_id: int
    wait: TaskWait | NodeWait
    log: TaskLog
    _: KW_ONLY
    clock: Callable[[], float]
    secrets: TaskSecrets | None = None

    def learn(self, detail: TaskDetail) -> None:
        """Use the task as the caller has read it, so that the wait asks for no tree."""
        if self.secrets is None:
            self.secrets = TaskSecrets([detail])
        self.wait.learn_tree(self.secrets.named(TreeIndex(detail.pipeline_tree)), detail.task_url)

    def __call__(self, look: Look) -> TaskStatus:
        """Return the answer to a look.

        :raises ServiceError: there is none, or none by ``look.deadline``.
        """
        with self.hook.within(look.seconds_left(self.clock())):
            return self._ask(look)

    def tell(self, line: LogLine) -> None:
        """Write a line of the wait to the log."""
        self.log.log(line.level, "SOPS task %s: %s", self.sops_task_id, log_entry(line.text))

    def _ask(self, look: Look) -> TaskStatus:
        status = self._read_status(look)
        answered = self.clock()
        if self.wait.wants_tree(status, look):
            self._read_tree()
        self._read_requests(status)
        secrets = self._secrets_for(status)
        if self.clock() - answered > FRESH_SECONDS:
            status = self._read_status(replace(look, fresh=True))
            secrets = self._secrets_for(status)
        return secrets.status(status)

    def _read_status(self, look: Look) -> TaskStatus:
        return self.hook.get_task_status(
            self.sops_task_id,
            with_ex_data=look.with_details,
            with_failed_node_info=look.with_details,
            with_auto_retry_status=look.with_details,
            fresh=look.fresh,
        )

    def _read_requests(self, status: TaskStatus) -> None:
        """Read what the nodes ask that have begun to wait for people; without it the log says only that they wait."""
        for each in self.wait.newly_waiting(status):
            secrets = self.secrets or read_secrets(self.hook, [self.sops_task_id])
            arguments = detail_arguments(each.path, each.plugin)
            try:
                found = self.hook.get_task_node_detail(self.sops_task_id, **arguments)
            except SopsError as error:
                self.log.debug("what node %s asks cannot be read: %s", each.path[-1], error)
            else:
                data, _ = secrets.node(each.path[-1], found.data)
                self.wait.learn_request(each.path[-1], PersonRequest.of(data))

    def _read_tree(self) -> None:
        try:
            detail = self.hook.get_task_detail(self.sops_task_id, fresh=True)
        except SopsError as error:
            self.wait.learn_tree(None)
            self.log.debug("the tree of SOPS task %s cannot be read: %s", self.sops_task_id, error)
        else:
            self.learn(detail)

    def _secrets_for(self, status: TaskStatus) -> TaskSecrets:
        if self.secrets is not None:
            return self.secrets
        secrets = read_secrets(self.hook, [self.sops_task_id] if status.ex_data else [])
        if status.ex_data and secrets.are_known:
            self.secrets = secrets
        return secrets


class TaskFollower:
    """Follows one SOPS task with a hook's requests and writes what happens to a log.

    :param hook: the connection to SOPS.
    :param sops_task_id: the task's id.
    :param policy: how long to wait and what a failure means.
    :param log: the log of the Airflow task.
    :param detail: the task, if the caller has read it; else it is read here.
    """

    def __init__(
        self,
        hook: SopsHook,
        sops_task_id: int,
        policy: WaitPolicy,
        log: TaskLog,
        *,
        detail: TaskDetail | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._clock = clock or steady_clock()
        self._wait = TaskWait(policy, self._clock(), tree_is_whole=False)
        self._looks = SopsLooks(hook, sops_task_id, self._wait, log, clock=self._clock)
        if detail is not None:
            self._looks.learn(detail)
        self._end = NoticedEnd()
        self._sleep = sleep

    def to_the_end(self) -> WaitResult:
        """Ask until the task is over, or until the policy says to give up.

        After PERSON_NEEDED another call goes on with the same wait, which tells nothing twice.
        """
        return follow(self._wait, self._ask, self._looks.tell, sleep=self._sleep, clock=self._clock)

    def for_a_while(self, at_most_seconds: float) -> WaitResult | WaitPolicy:
        """Ask until the task is over or some time has passed; then return the policy to go on with elsewhere."""
        result = follow(
            self._wait,
            self._ask,
            self._looks.tell,
            at_most_seconds=at_most_seconds,
            sleep=self._sleep,
            clock=self._clock,
        )
        return result or replace(self._wait.policy, told=self._wait.told)

    def once(self) -> WaitResult | None:
        """Ask once, and again as long as the answer needs confirmation within seconds; ``None`` means not over."""
        return follow(self._wait, self._ask, self._looks.tell, once=True, sleep=self._sleep, clock=self._clock)

    @property
    def pause_seconds(self) -> float:
        """The time until the next look is due."""
        return self._wait.next_look(self._clock()).delay_seconds

    def _ask(self, look: Look) -> TaskStatus:
        status = self._looks(look)
        self._end.see(status)
        return status

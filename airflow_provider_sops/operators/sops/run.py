"""Running a SOPS task: create, start, wait for its end, take its outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, conf

from airflow_provider_sops.operators.sops.answered_tasks import AnsweredTasks
from airflow_provider_sops.operators.sops.base import push_state, retries_left
from airflow_provider_sops.operators.sops.create import SopsTemplateOperator
from airflow_provider_sops.operators.sops.earlier_tasks import EarlierTasks, OnClear, RetryMode
from airflow_provider_sops.operators.sops.exactly_once import ExactlyOnce, start_task
from airflow_provider_sops.operators.sops.joining import Joining
from airflow_provider_sops.operators.sops.next_steps import next_steps
from airflow_provider_sops.operators.sops.revoking import revoke_task
from airflow_provider_sops.operators.sops.task_memory import TaskMemory
from airflow_provider_sops.service.durations import Duration, seconds, seconds_or_none
from airflow_provider_sops.sops.election import elect
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.task_outcome import outcome_error
from airflow_provider_sops.sops.task_secrets import nodes_to_tell_apart
from airflow_provider_sops.sops.wait_result import OnFailed, Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.task_instance.outputs import read_outputs
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.state import is_ended_by_decision
from airflow_provider_sops.task_instance.task_follower import TaskFollower

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.election import FoundTasks
    from airflow_provider_sops.sops.next_steps import NextSteps

_WEEK_SECONDS = 7 * 24 * 3600.0
_START_TIMEOUT_SECONDS = 600.0
#: How much earlier than Airflow's execution_timeout the wait ends, so that there is time to revoke.
_EXECUTION_TIMEOUT_MARGIN_SECONDS = 10.0


class SopsRunTaskOperator(SopsTemplateOperator):
    """Run a SOPS template as a task, wait for its end and return its outputs.

    Returns ``{"name": value}`` for every output ``${name}`` of the task, JSON types kept and password-type ones left
    out. XCom also has ``sops_task_id``, ``sops_task_url`` and ``sops_task_state``.

    One Airflow task instance has at most one started SOPS task per generation, whatever crashes: see ``retry_mode``
    and ``on_clear``. Known limit: a clear of a *running* task, or one after ``retries`` was lowered, may look like a
    retry to Airflow itself; then the running SOPS task is joined, never doubled.

    Revoking never stops the node that runs at that moment: SOPS lets it finish and starts no further one.

    Calls get_task_list, get_template_info, create_task, get_task_detail, start_task and, while it waits,
    get_task_status.

    Each ``..._seconds`` is a number of seconds or a ``timedelta``.

    :param wait_for_completion: wait for the end. Default ``True``; with ``False`` the task succeeds as soon as the
        SOPS task is started and returns nothing.
    :param deferrable: wait in the triggerer instead of holding a worker slot. Default: Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval_seconds: time between two looks at the task. SOPS caches its answers for 10 seconds, so less
        than the default of 10 gains little.
    :param timeout_seconds: how long one try may wait for the end; after that the SOPS task is revoked and this task
        fails. Default 7 days; ``None`` for no limit. An ``execution_timeout`` that ends earlier counts instead.
    :param start_timeout_seconds: how long SOPS may leave a started task CREATED. Default 600; not applied by default
        to ``flow_type="common_func"``, which waits for a person to claim it; ``None`` for no limit.
    :param max_outage_seconds: how long SOPS may be out of reach before the wait fails. Default 3600.
    :param on_failed: ``"fail"`` (default): fail once nodes have failed, no branch runs and SOPS is not going to retry
        by itself. ``"wait"``: wait for people to retry or skip the nodes in SOPS, until the timeout.
    :param retry_mode: what an Airflow retry does with the SOPS task of the try before. ``"resume"`` (default): joins
        a running one, takes the outputs of a finished one, retries the failed nodes of a failed one; only a revoked
        or expired one is replaced. ``"new"``: takes the outputs of a finished one, revokes any other and runs another.
    :param retry_inputs: new inputs for failed nodes that ``"resume"`` retries, by the node's id in the template or by
        its name: ``{"publish": {"bk_http_request_url": ...}}``. They take the place of all inputs of the node.
        (templated)
    :param on_clear: what a clear by a person does with earlier SOPS tasks. ``"keep_repaired"`` (default): if somebody
        has skipped or retried failed nodes of the latest one in SOPS, it is joined while it goes on, and its outputs
        are taken once it is FINISHED, unless this task had succeeded with them before; in all other cases as
        ``"new"``. What people have done in SOPS after a failure is not undone by a button that says no more than
        "Clear". A retry that this task itself has sent counts as one by somebody. ``"new"``: revokes every one that
        has not ended, FAILED and repaired ones included, and runs another. ``"resume"``: goes on with the latest one
        as a retry does. ``"fail"``: refuses as long as one has not ended.
    :param revoke_on_kill: revoke the SOPS task when this task is ended by a person in Airflow or runs out of time.
        Default ``True``.
    :param revoke_wait_seconds: before another task is created, how long to wait until no node of a revoked one runs.
        Default 300; then this task fails.
    :param on_node_failed: with ``on_failed="wait"``, called with Airflow's context each time nodes have failed and
        a person is needed; ``context["exception"]`` names them. A callable, a notifier, or a list of them.
    """

    template_fields: Sequence[str] = (*SopsTemplateOperator.template_fields, "retry_inputs")
    template_fields_renderers = {"constants": "json", "retry_inputs": "json"}  # noqa: RUF012 - Airflow's own form

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval_seconds: Duration = 10,
        timeout_seconds: Duration | None = _WEEK_SECONDS,
        start_timeout_seconds: Duration | None = _START_TIMEOUT_SECONDS,
        max_outage_seconds: Duration = 3600,
        on_failed: OnFailed = "fail",
        retry_mode: RetryMode = "resume",
        retry_inputs: Mapping[str, Mapping[str, Any]] | None = None,
        on_clear: OnClear = "keep_repaired",
        revoke_on_kill: bool = True,
        revoke_wait_seconds: Duration = 300,
        on_node_failed: Callable[[Context], Any] | Sequence[Callable[[Context], Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for parameter, value, allowed in (
            ("on_failed", on_failed, ("fail", "wait")),
            ("retry_mode", retry_mode, ("resume", "new")),
            ("on_clear", on_clear, ("keep_repaired", "new", "resume", "fail")),
        ):
            if value not in allowed:
                raise ValueError(f"{parameter} is {value!r}; it must be one of {', '.join(allowed)}")
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval_seconds = seconds("poll_interval_seconds", poll_interval_seconds, above_zero=True)
        self.timeout_seconds = seconds_or_none("timeout_seconds", timeout_seconds, above_zero=True)
        self.start_timeout_seconds = seconds_or_none("start_timeout_seconds", start_timeout_seconds, above_zero=True)
        self.max_outage_seconds = seconds("max_outage_seconds", max_outage_seconds)
        self.on_failed = on_failed
        self.retry_mode = retry_mode
        self.retry_inputs = retry_inputs
        self.on_clear = on_clear
        self.revoke_on_kill = revoke_on_kill
        self.revoke_wait_seconds = seconds("revoke_wait_seconds", revoke_wait_seconds)
        self.on_node_failed = on_node_failed
        self._answered: AnsweredTasks | None = None
        self._ti: Any = None
        self._may_be_running = False

    def execute(self, context: Context) -> dict[str, Any] | None:
        """Create or join the SOPS task, start it and wait for its end."""
        try:
            return self._run(context)
        except AirflowTaskTimeout:
            # Airflow's own alarm, where a call took longer than the margin before it.
            if self._answered is not None and self.revoke_on_kill:
                self._answered.revoke("its execution_timeout is over")
            raise

    def _run(self, context: Context) -> dict[str, Any] | None:
        self._ti = context["ti"]
        self._may_be_running = self._ti.try_number > 1
        with airflow_errors(answers_for_task=lambda: self._may_be_running):
            self.check_parameters()
            self._answered = self._answer(context)
            sops_task_id, overcome = self._obtain_task(context, self._answered)
            self._answered.settled(sops_task_id)
            detail = self.announce(context, sops_task_id)
            if not self._was_started(sops_task_id):
                self._may_be_running = True
                start_task(self.hook, sops_task_id, self.log)
                self.log.info("SOPS task %s is started.", sops_task_id)
            if not self.wait_for_completion:
                return None
            policy = self._policy(context, overcome)
            if self.deferrable:
                self._defer(sops_task_id, detail.task_url, policy, nodes_to_tell_apart(detail))
            follower = TaskFollower(self.hook, sops_task_id, policy, self.log, detail=detail)
            while True:
                result = follower.to_the_end()
                if result.outcome != Outcome.PERSON_NEEDED:
                    return self._end(context, sops_task_id, detail.task_url, result)
                self._call_for_person(context, sops_task_id, detail.task_url, result)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take over from the trigger once the SOPS task is over, or once a person is needed."""
        from airflow_provider_sops.triggers.sops import SopsTaskTrigger

        with airflow_errors(answers_for_task=lambda: True):
            trigger = SopsTaskTrigger.from_event(event)
            result = WaitResult.from_event(event)
            self._ti, self._answered = context["ti"], self._answer(context)
            self._answered.settled(trigger.sops_task_id)
            if result.outcome == Outcome.PERSON_NEEDED:
                self._call_for_person(context, trigger.sops_task_id, trigger.task_url, result)
                policy = trigger.policy.after_announcing(result)
                self._defer(trigger.sops_task_id, trigger.task_url, policy, trigger.human_nodes)
            return self._end(context, trigger.sops_task_id, trigger.task_url, result)

    def on_kill(self) -> None:
        """Revoke the SOPS task if somebody has decided this task's end; leave it to the next try otherwise."""
        if self._answered is None or not self.revoke_on_kill:
            return
        if not is_ended_by_decision(self._ti):
            self.log.info("SOPS is left as it is: nobody has ended this task in Airflow.")
            return
        self._answered.revoke("this task was ended in Airflow")

    def _answer(self, context: Context) -> AnsweredTasks:
        return AnsweredTasks(self.hook, self.task_key(context), self.log, earlier_too=self.on_clear != "fail")

    def _obtain_task(self, context: Context, answered: AnsweredTasks) -> tuple[int, tuple[str, ...]]:
        """Return the id of the one SOPS task of this generation, and the failures that were just retried."""
        key = self.task_key(context)
        name = self.keyed_name(key)
        memory = TaskMemory(context, key, self.log)
        once = ExactlyOnce(self.hook, key, self.log, memory=memory)
        found = once.find()
        answered.found(found)
        earlier = EarlierTasks(self.hook, self.log)
        current = earlier.started([task for task in found.current if task.is_started])
        before = earlier.started(found.earlier)
        to_join = self._joining(context, memory).choose(current, before)
        if to_join is not None:
            memory.keep(to_join.id)
            state = to_join.status.state
            self.log.info("Joining SOPS task %s of an earlier try, which is %s.", to_join.id, state)
            # What fails from now on is for the next try.
            if state != TaskState.FAILED:
                return to_join.id, ()
            return to_join.id, earlier.retry_failed_nodes(to_join, self.retry_inputs or {})
        finished = earlier.retire([*before, *current], wait_seconds=self.revoke_wait_seconds)
        for task in current:
            if task.id in finished:
                self.log.info("SOPS task %s has just FINISHED, its outputs are taken.", task.id)
                return task.id, ()
        sops_task_id = self._create(once, found, name, over=[task.id for task in current])
        memory.keep(sops_task_id)
        return sops_task_id, ()

    def _joining(self, context: Context, memory: TaskMemory) -> Joining:
        return Joining(
            self.hook,
            self.log,
            memory,
            context["ti"],
            retries=self.retries or 0,
            on_clear=self.on_clear,
            retry_mode=self.retry_mode,
            takes_outputs=self.wait_for_completion,
        )

    def _create(self, once: ExactlyOnce, found: FoundTasks, name: str, over: Sequence[int]) -> int:
        leftover = elect(found.current, over=over)
        if leftover is not None:
            self.log.info("SOPS task %s of an earlier try was never started; it is used now.", leftover.id)
            return leftover.id
        self.check_against_template()
        return once.create(lambda: self.create_task(name), over=over)

    def _was_started(self, sops_task_id: int) -> bool:
        return self.hook.get_task_status(sops_task_id, fresh=True).state != TaskState.CREATED

    def _policy(self, context: Context, overcome: tuple[str, ...]) -> WaitPolicy:
        now = time.time()
        start_timeout = self.start_timeout_seconds
        if self.flow_type == "common_func" and start_timeout == _START_TIMEOUT_SECONDS:
            start_timeout = None
        return WaitPolicy(
            on_failed=self.on_failed,
            poll_interval_seconds=self.poll_interval_seconds,
            deadline=self._deadline(context, now),
            start_deadline=None if start_timeout is None else now + start_timeout,
            max_outage_seconds=self.max_outage_seconds,
            announce_failures=self.on_node_failed is not None,
            overcome=overcome,
            always_fresh=bool(overcome),
        )

    def _deadline(self, context: Context, now: float) -> float | None:
        limits = [] if self.timeout_seconds is None else [now + self.timeout_seconds]
        if self.execution_timeout is not None:
            ti: Any = context["ti"]
            allowed = self.execution_timeout.total_seconds()
            margin = min(_EXECUTION_TIMEOUT_MARGIN_SECONDS, allowed / 10)
            began = ti.start_date.timestamp() if ti.start_date else now
            limits.append(began + allowed - margin)
        return min(limits, default=None)

    def _defer(
        self, sops_task_id: int, task_url: str, policy: WaitPolicy, human_nodes: Mapping[str, str] | None
    ) -> None:
        from airflow_provider_sops.triggers.sops import SopsTaskTrigger

        self.defer(
            trigger=SopsTaskTrigger(
                sops_conn_id=self.sops_conn_id,
                bk_biz_id=self.bk_biz_id,
                scope=self.scope,
                sops_task_id=sops_task_id,
                task_url=task_url,
                policy=policy,
                revoke_on_kill=self.revoke_on_kill,
                human_nodes=human_nodes,
            ),
            method_name="execute_complete",
        )

    def _end(self, context: Context, sops_task_id: int, task_url: str, result: WaitResult) -> dict[str, Any]:
        outputs = self._conclude(context, sops_task_id, task_url, result)
        self.remember_good_end(context, sops_task_id)
        return outputs

    def remember_good_end(self, context: Context, sops_task_id: int) -> None:
        """Remember that this task had the flow's outputs: a clear after that means that the flow is to run anew."""
        TaskMemory(context, self.task_key(context), self.log).keep(sops_task_id, outputs_taken=True)

    def _conclude(self, context: Context, sops_task_id: int, task_url: str, result: WaitResult) -> dict[str, Any]:
        push_state(context, result.state)
        if result.outcome == Outcome.TIMED_OUT and self.revoke_on_kill:
            try:
                state = revoke_task(self.hook, sops_task_id, self.log)
            except SopsError:
                self.log.error(
                    "The time of SOPS task %s is over, but it is not revoked and may still run.", sops_task_id
                )
                raise
            push_state(context, state)
            if state == TaskState.FINISHED:
                result = WaitResult(Outcome.FINISHED, state)
            else:
                self.log.info("SOPS task %s is %s since its time is over.", sops_task_id, state)
        if result.outcome == Outcome.FINISHED:
            self.log.info("SOPS task %s is FINISHED.", sops_task_id)
            return self.read_outputs(sops_task_id)
        raise outcome_error(result, sops_task_id, task_url, self.next_steps(context))

    def next_steps(self, context: Context) -> NextSteps:
        """Return what a clear and a retry of this task do, for its error."""
        return next_steps(
            self.on_clear,
            self.retry_mode,
            retries_left=retries_left(self, context),
            revokes_when_out_of_time=self.revoke_on_kill,
        )

    def read_outputs(self, sops_task_id: int) -> dict[str, Any]:
        """Return the outputs of the task, without passwords."""
        return read_outputs(self.hook, sops_task_id)

    def _call_for_person(self, context: Context, sops_task_id: int, task_url: str, result: WaitResult) -> None:
        error = outcome_error(result, sops_task_id, task_url, self.next_steps(context))
        self.log.warning("A person is needed: %s", error)
        known: Any = context
        known["exception"] = error
        known["sops_failure_marks"] = result.failure_marks
        callbacks = self.on_node_failed
        for callback in callbacks if isinstance(callbacks, Sequence) else [callbacks]:
            if callback is None:
                continue
            try:
                callback(context)
            except Exception:
                self.log.exception("on_node_failed did not work; waiting goes on.")

"""One SOPS task for one Airflow task instance, from its creation to its outcome; held by the operators that run one."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_sops.operators.sops.base import announce_task, key_of, origin_of
from airflow_provider_sops.operators.sops.earlier_tasks import EarlierTasks
from airflow_provider_sops.operators.sops.exactly_once import ExactlyOnce, start_task
from airflow_provider_sops.operators.sops.interruption import Interruption
from airflow_provider_sops.operators.sops.joining import Joining
from airflow_provider_sops.operators.sops.person_needed import call_for_person
from airflow_provider_sops.operators.sops.revocation import TasksToRevoke, revoke_task
from airflow_provider_sops.operators.sops.task_memory import TaskMemory
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.outcome import outcome_error
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_key import elect
from airflow_provider_sops.sops.task_secrets import nodes_to_tell_apart
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.task_instance.outputs import read_outputs
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.state import is_ended_by_decision
from airflow_provider_sops.task_instance.task_follower import TaskFollower
from airflow_provider_sops.task_instance.told_lines import tell_again
from airflow_provider_sops.task_instance.xcom import push_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.operators.sops.base import SopsBaseOperator
    from airflow_provider_sops.operators.sops.run_settings import RunSettings
    from airflow_provider_sops.sops.models import CreatedTask, TaskDetail
    from airflow_provider_sops.sops.next_steps import NextSteps
    from airflow_provider_sops.sops.task_key import FoundTasks
    from airflow_provider_sops.task_instance.log import TaskLog
    from airflow_provider_sops.triggers.sops_interruption import SopsOutageTrigger, SopsRevokedTrigger


@dataclass(frozen=True, slots=True)
class TaskCreation:
    """How a SOPS task is made, where there is none to go on with.

    :param name: its whole name in SOPS, with its key.
    :param create: sends one ``create_task`` with that name.
    :param check: refuses what cannot be created, once it is known that something is; ``None`` if nothing is to check.
    """

    name: str
    create: Callable[[str], CreatedTask]
    check: Callable[[], None] | None = None


class SopsTaskRun:
    """The SOPS task of a running task instance: obtain or adopt, announce, start, wait, conclude.

    In an ``execute_complete`` it begins with ``resume``. All of it belongs inside ``airflow_errors``.

    :param hook: the connection to SOPS.
    :param settings: how it is run.
    :param context: Airflow's context.
    :param log: the log of the Airflow task.
    :param defer: the operator's own ``defer``.
    :param next_steps: what a clear and a retry do, for errors; default: what follows from the settings.
    """

    def __init__(
        self,
        hook: SopsHook,
        settings: RunSettings,
        context: Context,
        log: TaskLog,
        *,
        defer: Callable[..., Any],
        next_steps: NextSteps | None = None,
    ) -> None:
        self._hook = hook
        self._settings = settings
        self._context = context
        self._log = log
        self._defer = defer
        self._ti: Any = context["ti"]
        self._next_steps = next_steps or settings.next_steps(self._ti)
        self._key = key_of(context)
        self._memory = TaskMemory(context, self._key, log)
        self._origin = origin_of(context, settings.template_id, settings.template_source)
        self._to_revoke = TasksToRevoke(
            hook, self._key, log, origin=self._origin, earlier_too=settings.on_clear != "fail"
        )
        self._may_be_running = self._ti.try_number > 1
        # A start that is refused for its credentials has started nothing.
        self._was_started = self._may_be_running
        self._id: int | None = None
        self._task_url = ""
        self._created: dict[int, str] = {}
        self._retire_until: float | None = None
        self._event: Mapping[str, Any] | None = None
        self._earlier = EarlierTasks(hook, log)
        self._patience = hook.be_patient(
            settings.outage_seconds,
            log,
            may_be_running=lambda: self._was_started,
            leave=self._leave_during_outage if settings.deferrable else None,
        )

    @classmethod
    def of(
        cls, operator: SopsBaseOperator, settings: RunSettings, context: Context, next_steps: NextSteps | None = None
    ) -> SopsTaskRun:
        """Return the run that an operator holds while it executes."""
        return cls(operator.hook, settings, context, operator.log, defer=operator.defer, next_steps=next_steps)

    @property
    def sops_task_id(self) -> int:
        """The id of the SOPS task, once it was obtained, adopted or resumed."""
        if self._id is None:
            raise AssertionError("a run has no SOPS task before it was obtained, adopted or resumed")
        return self._id

    @contextmanager
    def airflow_errors(self) -> Iterator[None]:
        """Turn errors of SOPS into Airflow's, and revoke when Airflow's own alarm ends the try.

        That alarm comes where a call took longer than the margin before it.
        """
        try:
            with airflow_errors(
                self._log,
                only_follows=self._settings.only_follows,
                answers_for_task=lambda: self._may_be_running,
            ):
                yield
        except AirflowTaskTimeout:
            if self._settings.revoke_on_kill:
                self._to_revoke.revoke("its execution_timeout is over")
            raise

    def obtain(self, creation: TaskCreation) -> int:
        """Find the one SOPS task of this generation or make it, and return its id.

        Earlier ones are joined or retired as the settings say; the failed nodes of one that is joined are retried.
        A run that was interrupted on the way begins with the search again, since a create may have been lost; one that
        had its task goes on with that.
        """
        if self._id is not None:
            return self._id
        once = ExactlyOnce(
            self._hook, self._key, self._log, origin=self._origin, memory=self._memory, created=self._created
        )
        found = once.find()
        self._to_revoke.found(found)
        earlier = self._earlier
        current = earlier.started([task for task in found.current if task.is_started])
        before = earlier.started(found.earlier)
        to_join = self._joining().choose(current, before)
        if to_join not in current:
            once.check_doubtful(found.doubtful_earlier)
        if to_join is not None:
            self._memory.keep(to_join.id)
            state = to_join.status.state
            self._log.info("Joining SOPS task %s of an earlier try, which is %s.", to_join.id, state)
            # What fails from now on is for the next try.
            if state == TaskState.FAILED:
                earlier.retry_failed_nodes(to_join, self._settings.retry_inputs or {})
            return self.adopt(to_join.id)
        finished = earlier.retire(
            [*before, *current],
            wait_seconds=self._settings.revoke_wait_seconds,
            wait_until=self._retire_until,
            leave=self._leave_until_at_rest if self._settings.deferrable else None,
        )
        for task in current:
            if task.id in finished:
                self._log.info("SOPS task %s has just FINISHED, its outputs are taken.", task.id)
                return self.adopt(task.id)
        sops_task_id = self._create(once, found, creation, over=[task.id for task in current])
        self._memory.keep(sops_task_id)
        return self.adopt(sops_task_id)

    def adopt(self, sops_task_id: int) -> int:
        """Run a SOPS task that is there already; it is the one to revoke from now on."""
        self._id = sops_task_id
        self._to_revoke.settled(sops_task_id)
        return sops_task_id

    def start(self) -> None:
        """Start the SOPS task, unless it was started before."""
        if self._hook.get_task_status(self.sops_task_id, fresh=True).state != TaskState.CREATED:
            return
        self._may_be_running = True
        start_task(self._hook, self.sops_task_id, self._log)
        self._was_started = True
        self._log.info("SOPS task %s is started.", self.sops_task_id)

    def announce(self) -> TaskDetail:
        """Push id and addresses of the SOPS task to XCom and write them to the log, before anything that takes long."""
        claim_url = self._created.get(self.sops_task_id, "")
        detail = announce_task(self._hook, self._context, self.sops_task_id, self._log, claim_url=claim_url)
        self._task_url = detail.task_url
        return detail

    def wait(self, detail: TaskDetail, *, deferrable: bool) -> WaitResult:
        """Wait for the end of the SOPS task: in the triggerer, once the settings' first seconds are over, or here.

        :param detail: the task as ``announce`` gave it.
        :raises TaskDeferred: with ``deferrable``; the wait goes on in ``resume``.
        """
        policy = self._settings.policy(self._ti, time.time(), tuple(self._earlier.overcome))
        if not deferrable:
            return self.follow(policy, detail)
        if not self._settings.defer_after_seconds:
            self.defer(policy, nodes_to_tell_apart(detail))
        follower = TaskFollower(self._hook, self.sops_task_id, policy, self._log, detail=detail)
        followed = follower.for_a_while(self._settings.defer_after_seconds)
        if isinstance(followed, WaitPolicy):
            self.defer(followed, nodes_to_tell_apart(detail))
        if followed.outcome == Outcome.PERSON_NEEDED:
            self._call_for_person(followed)
            self.defer(policy.after_announcing(followed), nodes_to_tell_apart(detail))
        return followed

    def follow(self, policy: WaitPolicy, detail: TaskDetail) -> WaitResult:
        """Wait here, and call for a person each time one is needed."""
        follower = TaskFollower(self._hook, self.sops_task_id, policy, self._log, detail=detail)
        while (result := follower.to_the_end()).outcome == Outcome.PERSON_NEEDED:
            self._call_for_person(result)
        return result

    def defer(self, policy: WaitPolicy, human_nodes: Mapping[str, str] | None) -> NoReturn:
        """Wait in the triggerer, and go on in the operator's ``execute_complete``.

        :param human_nodes: the component codes of the nodes that wait for people, by node id.
        :raises TaskDeferred: always.
        """
        from airflow_provider_sops.triggers.sops import SopsTaskTrigger

        self._defer(
            trigger=SopsTaskTrigger(
                sops_conn_id=self._hook.sops_conn_id,
                bk_biz_id=self._hook.bk_biz_id,
                scope=self._hook.scope,
                sops_task_id=self.sops_task_id,
                task_url=self._task_url,
                policy=policy,
                revoke_on_kill=self._settings.revoke_on_kill,
                human_nodes=human_nodes,
            ),
            method_name="execute_complete",
        )
        raise AssertionError("the operator's defer has returned")

    def take_over(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take over from a trigger, and return the event of the wait; ``None`` if the run goes on from its beginning.

        It goes on there if it had left its worker before the wait. What it had done by then is not done again.
        """
        from airflow_provider_sops.triggers.sops_interruption import OVER, SopsOutageTrigger

        if event.get("outcome") != OVER:
            return event
        progress = Interruption.from_json(SopsOutageTrigger.from_event(event).progress)
        self._patience.since.update(progress.outages)
        self._created.update(progress.created)
        self._earlier.overcome.extend(progress.overcome)
        self._retire_until = progress.retire_until
        # Its template may have been rendered otherwise since.
        self._origin = replace(self._origin, is_first_try=False)
        if progress.sops_task_id is not None:
            self._may_be_running = True
            self.adopt(progress.sops_task_id)
        return None if progress.event is None else dict(progress.event)

    def resume(self, event: dict[str, Any]) -> WaitResult:
        """Take over from the trigger, and return how the wait ended.

        The event brings the trigger's arguments. ``kwargs`` of the deferral could too, but ``dag.test()`` drops them.

        :raises TaskDeferred: a person is needed; they were called, and the wait goes on in the triggerer.
        """
        from airflow_provider_sops.triggers.sops import SopsTaskTrigger

        self._may_be_running = self._was_started = True
        self._event = event
        trigger = SopsTaskTrigger.from_event(event)
        result = WaitResult.from_event(event)
        self._task_url = trigger.task_url
        self.adopt(trigger.sops_task_id)
        if tell_again(event, self._log) and self._task_url:
            self._log.info("SOPS task %s: %s", self.sops_task_id, self._task_url)
        if result.outcome == Outcome.PERSON_NEEDED:
            self._call_for_person(result)
            self.defer(trigger.policy.after_announcing(result), trigger.human_nodes)
        return result

    def conclude(
        self, result: WaitResult, read: Callable[[SopsHook, int], dict[str, Any]] = read_outputs
    ) -> dict[str, Any]:
        """Return the outputs of a SOPS task that is FINISHED; one whose time is over is revoked first.

        :param read: reads the outputs; by default those without passwords.
        :raises SopsError: it has not finished; says why, and what a clear and a retry do.
        """
        push_state(self._context, result.state)
        if result.outcome == Outcome.TIMED_OUT and self._settings.revoke_on_kill:
            result = self._revoke_in_time(result)
        if result.outcome == Outcome.FINISHED:
            self._log.info("SOPS task %s is FINISHED.", self.sops_task_id)
            return read(self._hook, self.sops_task_id)
        raise outcome_error(result, self.sops_task_id, self._task_url, self._next_steps)

    def take_outputs(self, result: WaitResult) -> dict[str, Any]:
        """Return the outputs as ``conclude`` does, where the task ends well with them."""
        outputs = self.conclude(result)
        self.remember_outputs_taken()
        return outputs

    def remember_outputs_taken(self) -> None:
        """Remember that this task had the flow's outputs: a clear after that means that the flow is to run again."""
        self._memory.keep(self.sops_task_id, outputs_taken=True)

    def on_kill(self) -> None:
        """Revoke the SOPS task if somebody has decided this task's end; leave it to the next try otherwise."""
        if not self._settings.revoke_on_kill:
            return
        if not is_ended_by_decision(self._ti):
            self._log.info("The SOPS task is left alone: nobody ended this task in Airflow.")
            return
        self._to_revoke.revoke("this task was ended in Airflow")

    def _joining(self) -> Joining:
        settings = self._settings
        return Joining(
            self._hook,
            self._log,
            self._memory,
            self._ti,
            retries=settings.retries or 0,
            on_clear=settings.on_clear,
            retry_mode=settings.retry_mode,
            takes_outputs=settings.wait_for_completion,
        )

    def _create(self, once: ExactlyOnce, found: FoundTasks, creation: TaskCreation, over: Sequence[int]) -> int:
        leftover = elect(found.current, over=over)
        if leftover is not None:
            self._log.info("SOPS task %s of an earlier try was never started; it is used now.", leftover.id)
            return leftover.id
        if creation.check is not None:
            creation.check()

        def create() -> CreatedTask:
            created = creation.create(creation.name)
            self._created[created.task_id] = created.claim_url
            return created

        return once.create(create, over=over)

    def _revoke_in_time(self, result: WaitResult) -> WaitResult:
        sops_task_id = self.sops_task_id
        try:
            state = revoke_task(self._hook, sops_task_id)
        except SopsError:
            self._log.error("SOPS task %s has run out of time, but it is not revoked and may still run.", sops_task_id)
            raise
        push_state(self._context, state)
        if state == TaskState.FINISHED:
            return WaitResult(Outcome.FINISHED, state)
        self._log.info("SOPS task %s is %s now, since its time was over.", sops_task_id, state)
        return result

    def _leave_during_outage(self) -> NoReturn:
        """Leave the worker; the triggerer waits until SOPS answers."""
        from airflow_provider_sops.triggers.sops_interruption import SopsOutageTrigger

        since = min(self._patience.since.values())
        limits = (since + self._settings.outage_seconds, self._settings.execution_deadline(self._ti))
        until = min(limit for limit in limits if limit is not None)
        self._leave(SopsOutageTrigger, until, since=since)

    def _leave_until_at_rest(self, revoked: Sequence[int], until: float) -> NoReturn:
        """Leave the worker; the triggerer waits until the nodes of revoked tasks have ended."""
        from airflow_provider_sops.triggers.sops_interruption import SopsRevokedTrigger

        self._retire_until = until
        self._leave(SopsRevokedTrigger, until, revoked=revoked)

    def _leave(self, trigger: type[SopsOutageTrigger | SopsRevokedTrigger], until: float, **arguments: Any) -> NoReturn:
        from airflow_provider_sops.triggers.sops_interruption import Search

        progress = Interruption(
            outages=self._patience.since,
            sops_task_id=self._id,
            created=self._created,
            overcome=tuple(self._earlier.overcome),
            retire_until=self._retire_until,
            event=self._event,
        )
        search = Search(self._key, self._origin, earlier_too=self._settings.on_clear != "fail")
        self._defer(
            trigger=trigger(
                **site_of(self._hook).arguments,
                until=until,
                progress=progress.to_json(),
                sops_task_id=self._id,
                search=search.to_json(),
                revoke_on_kill=self._settings.revoke_on_kill,
                **arguments,
            ),
            method_name="execute_complete",
        )
        raise AssertionError("a deferral does not return")

    def _call_for_person(self, result: WaitResult) -> None:
        error = outcome_error(result, self.sops_task_id, self._task_url, self._next_steps)
        call_for_person(self._settings.on_node_failed, self._context, error, result.failure_marks, self._log)

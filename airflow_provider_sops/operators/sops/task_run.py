"""One SOPS task for one Airflow task instance, from its creation to its outcome; held by the operators that run one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_sops.operators.sops.base import announce_task, key_of, origin_of
from airflow_provider_sops.operators.sops.earlier_tasks import EarlierTasks
from airflow_provider_sops.operators.sops.exactly_once import start_task
from airflow_provider_sops.operators.sops.execution import Execution
from airflow_provider_sops.operators.sops.obtaining import Obtaining
from airflow_provider_sops.operators.sops.revocation import TasksToRevoke, revoke_out_of_time
from airflow_provider_sops.operators.sops.run_progress import RunProgress
from airflow_provider_sops.operators.sops.run_wait import RunWait
from airflow_provider_sops.operators.sops.task_memory import TaskMemory
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.outcome import outcome_error
from airflow_provider_sops.sops.task_key import TaskSearch
from airflow_provider_sops.sops.wait_result import Outcome, WaitResult
from airflow_provider_sops.task_instance.outputs import read_outputs
from airflow_provider_sops.task_instance.required_action import Answer
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.state import is_ended_by_decision
from airflow_provider_sops.task_instance.told_lines import tell_again
from airflow_provider_sops.task_instance.xcom import push_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.operators.sops.base import SopsBaseOperator
    from airflow_provider_sops.operators.sops.obtaining import TaskCreation
    from airflow_provider_sops.operators.sops.run_settings import RunSettings
    from airflow_provider_sops.sops.models import TaskDetail
    from airflow_provider_sops.sops.next_steps import NextSteps


class SopsTaskRun:
    """The SOPS task of a running task instance: obtain or adopt, announce, start, wait, conclude.

    In an ``execute_complete`` it begins with ``resume``. All of it belongs inside ``airflow_errors``.

    :param execution: the operator that runs it.
    """

    def __init__(self, execution: Execution) -> None:
        hook, settings, log = execution.hook, execution.settings, execution.log
        self._execution = execution
        self._hook, self._settings, self._log = hook, settings, log
        key = key_of(execution.context)
        self._memory = TaskMemory(execution.context, key, log)
        origin = origin_of(execution.context, settings.template_id, settings.template_source)
        search = TaskSearch(key, origin, earlier_too=settings.on_clear != "fail")
        self._to_revoke = TasksToRevoke(hook, search, log)
        self._may_be_running = execution.ti.try_number > 1
        # A start that is refused for its credentials has started nothing.
        self._was_started = self._may_be_running
        self._task_url = ""
        self._earlier = EarlierTasks(hook, log)
        self._progress = RunProgress(
            execution, search, overcome=self._earlier.overcome, was_started=lambda: self._was_started
        )

    @classmethod
    def of(
        cls, operator: SopsBaseOperator, settings: RunSettings, context: Context, next_steps: NextSteps | None = None
    ) -> SopsTaskRun:
        """Return the run that an operator holds while it executes.

        :param next_steps: what a clear and a retry do, for errors; default: what follows from the settings.
        """
        return cls(Execution.of(operator, settings, context, next_steps))

    @property
    def sops_task_id(self) -> int:
        """The id of the SOPS task, once it was obtained, adopted or resumed."""
        sops_task_id = self._progress.sops_task_id
        if sops_task_id is None:
            raise AssertionError("a run has no SOPS task before it was obtained, adopted or resumed")
        return sops_task_id

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
        if self._progress.sops_task_id is not None:
            return self._progress.sops_task_id
        obtaining = Obtaining(self._execution, self._memory, self._progress, self._earlier, self._to_revoke)
        return self.adopt(obtaining.obtain(creation))

    def adopt(self, sops_task_id: int) -> int:
        """Run a SOPS task that is there already; it is the one to revoke from now on."""
        self._progress.sops_task_id = sops_task_id
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
        claim_url = self._progress.created.get(self.sops_task_id, "")
        detail = announce_task(self._hook, self._execution.context, self.sops_task_id, self._log, claim_url=claim_url)
        self._task_url = detail.task_url
        return detail

    def wait(self, detail: TaskDetail, *, deferrable: bool) -> WaitResult:
        """Wait for the end of the SOPS task: in the triggerer, once the settings' first seconds are over, or here.

        :param detail: the task as ``announce`` gave it.
        :raises TaskDeferred: with ``deferrable``; the wait goes on in ``resume``.
        """
        return self._waiting().begin(detail, deferrable=deferrable, overcome=tuple(self._earlier.overcome))

    def take_over(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take over from a trigger, and return the event of the wait; ``None`` if the run goes on from its beginning.

        It goes on there if it had left its worker before the wait. What it had done by then is not done again.
        """
        waited = self._progress.take_over(event)
        if self._progress.sops_task_id is not None:
            self._may_be_running = True
            self.adopt(self._progress.sops_task_id)
        return waited

    def resume(self, event: dict[str, Any]) -> WaitResult:
        """Take over from the trigger, and return how the wait ended.

        The event brings the trigger's arguments. ``kwargs`` of the deferral could too, but ``dag.test()`` drops them.

        :raises TaskDeferred: a person is needed or has answered in Airflow; the wait goes on in the triggerer.
        """
        from airflow_provider_sops.triggers.sops import SopsTaskTrigger

        self._may_be_running = self._was_started = True
        trigger = SopsTaskTrigger.from_event(event)
        answer = Answer.from_event(event)
        # Airflow's own event has more than JSON.
        self._progress.event = event if answer is None else {**answer.to_event(), "trigger": trigger.arguments}
        self._task_url = trigger.task_url
        self.adopt(trigger.sops_task_id)
        if tell_again(event, self._log) and self._task_url:
            self._log.info("SOPS task %s: %s", self.sops_task_id, self._task_url)
        return self._waiting().resume(trigger, event)

    def conclude(
        self, result: WaitResult, read: Callable[[SopsHook, int], dict[str, Any]] = read_outputs
    ) -> dict[str, Any]:
        """Return the outputs of a SOPS task that is FINISHED; one whose time is over is revoked first.

        :param read: reads the outputs; by default those without passwords.
        :raises SopsError: it has not finished; says why, and what a clear and a retry do.
        """
        push_state(self._execution.context, result.state)
        if result.outcome == Outcome.TIMED_OUT and self._settings.revoke_on_kill:
            state = revoke_out_of_time(self._hook, self.sops_task_id, self._log)
            push_state(self._execution.context, state)
            if state == TaskState.FINISHED:
                result = WaitResult(Outcome.FINISHED, state)
        if result.outcome == Outcome.FINISHED:
            self._log.info("SOPS task %s is FINISHED.", self.sops_task_id)
            return read(self._hook, self.sops_task_id)
        raise outcome_error(result, self.sops_task_id, self._task_url, self._execution.next_steps)

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
        if not is_ended_by_decision(self._execution.ti):
            self._log.info("The SOPS task is left alone: nobody ended this task in Airflow.")
            return
        self._to_revoke.revoke("this task was ended in Airflow")

    def _waiting(self) -> RunWait:
        return RunWait(self._execution, self.sops_task_id, self._task_url)

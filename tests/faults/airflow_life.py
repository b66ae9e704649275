"""One Airflow task from its first try to its end, as scheduler, worker and triggerer would live it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import logging
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from airflow_provider_sops.triggers.sops_interruption import SopsOutageTrigger, SopsRevokedTrigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS
from tests.faults.pace import POLL_INTERVAL_SECONDS
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.triggers.waiting_trigger import WaitingTrigger
    from tests.faults.plan import Blow, RunPlan, TriggererBlow
    from tests.faults.story import Story

_TRIGGERS: dict[str, type[SopsTaskTrigger | SopsOutageTrigger | SopsRevokedTrigger]] = {
    each.__name__: each for each in (SopsTaskTrigger, SopsOutageTrigger, SopsRevokedTrigger)
}
_LOG = logging.getLogger("tests.faults.task")
#: No wait in the triggerer lasts longer, whatever happens: the operator's own limits are below.
_LONGEST_WAIT_SECONDS = 80.0
#: Room for all that a plan may hold; a task that is never left in peace must still end.
_MOST_TRIES = 40


@dataclass
class LivingTaskInstance(PlainTaskInstance):
    """A task instance with the state that Airflow has on record for it."""

    state: str | None = "running"


class WorkerGoneError(BaseException):
    """The worker's process ends here, between two requests."""

    def __init__(self, blow: Blow) -> None:
        super().__init__(blow)
        self.blow = blow


@dataclass(frozen=True)
class Ending:
    """How the Airflow task ended.

    :param by_person: a person marked it so; the operator had no say.
    :param out_of_retries: it failed, could have been retried, and had no retry left.
    """

    state: Literal["success", "failed"]
    at: datetime
    by_person: bool = False
    value: Any = None
    error: BaseException | None = None
    out_of_retries: bool = False


@dataclass
class Kept:
    """What Airflow would have stored of the run, as texts; no secret may be among them."""

    texts: list[tuple[str, str]] = field(default_factory=list)

    def keep(self, what: str, value: Any) -> None:
        """Keep a value as Airflow would show or store it."""
        self.texts += [(what, repr(value)), (what, str(value)), (what, json.dumps(value, default=str))]

    def keep_error(self, error: BaseException) -> None:
        """Keep an exception with its causes and its traceback."""
        self.texts += [("exception", repr(error)), ("exception", "".join(traceback.format_exception(error)))]


class AirflowLife:
    """Lives one run.

    :param sops_conn_id: the connection through the hostile network.

    ``before_clear`` waits for what people do in SOPS before one of them clears the failed task.
    """

    def __init__(self, plan: RunPlan, sops_conn_id: str, run_id: str, story: Story) -> None:
        self.plan = plan
        self.story = story
        self.kept = Kept()
        self.ti = LivingTaskInstance(run_id=run_id, max_tries=plan.retries)
        self.blows = 0
        self.burnt: list[tuple[datetime, str]] = []
        self.before_clear: Callable[[], None] = lambda: None
        self._conn_id = sops_conn_id
        self._requests = 0
        self._worker_blows = list(plan.worker_blows)
        self._triggerer_blows = list(plan.triggerer_blows)
        self._clears = plan.clears
        self._operator: SopsRunTaskOperator | None = None
        self._trigger_class: type[SopsTaskTrigger | SopsOutageTrigger | SopsRevokedTrigger] = SopsTaskTrigger

    def live(self) -> Ending:
        """Run the task until nobody clears it any more."""
        while True:
            ending = self._until_an_end()
            self.story.tell("airflow", f"{ending.state}{' by a person' if ending.by_person else ''}: {ending.error}")
            if not self._clears or self.ti.try_number >= _MOST_TRIES:
                return ending
            self._clears -= 1
            if ending.state == "failed" and not ending.by_person:
                self.before_clear()
            self._begin_try(cleared=True)

    def around_request(self, send: Callable[[], Any]) -> Any:
        """Send a request of the worker's, unless the process ends before or after it."""
        if self._operator is None:
            return send()
        self._requests += 1
        for before in (True, False):
            if not before:
                answer = send()
            blow = next((b for b in self._worker_blows if (b.at_request, b.before) == (self._requests, before)), None)
            if blow is not None and self._may_happen(blow.blow):
                self._worker_blows.remove(blow)
                self._strike_worker(blow.blow)
        return answer

    def _until_an_end(self) -> Ending:
        while True:
            outcome = self._try()
            if isinstance(outcome, Ending):
                return outcome
            self._begin_try(cleared=outcome == "cleared")

    def _begin_try(self, *, cleared: bool) -> None:
        before = self.ti
        self.ti = LivingTaskInstance(
            run_id=before.run_id,
            # What Airflow does on a clear; a retry leaves it.
            max_tries=before.try_number + self.plan.retries if cleared else before.max_tries,
            try_number=before.try_number + 1,
        )
        what = "clear" if cleared else "retry"
        self.story.tell("airflow", f"{what}: try {self.ti.try_number}, generation {self.ti.max_tries}")

    def _try(self) -> Ending | Literal["again", "cleared"]:
        work: Callable[[SopsRunTaskOperator], Any] = partial(_execute, context=self.ti.context)
        while True:
            try:
                value = self._on_worker(work)
            except TaskDeferred as deferred:
                event = self._in_triggerer(deferred)
                if not isinstance(event, dict):
                    return event
                self.kept.keep("event", event)
                self.story.tell("airflow", f"event {event['outcome']} {event.get('state', '')}")
                self.ti.state = "running"
                work = partial(SopsRunTaskOperator.execute_complete, context=self.ti.context, event=event)
            except WorkerGoneError as gone:
                return self._after_blow(gone.blow)
            except AirflowException as error:
                self.kept.keep_error(error)
                self.story.tell("airflow", f"{type(error).__name__}: {error}")
                cause = error.__cause__ or error.__context__
                if (isinstance(cause, SopsError) and cause.is_outage) or "no usable answer for" in str(error):
                    self.burnt.append((datetime.now(UTC), str(error)))
                may_help = not isinstance(error, AirflowFailException)
                if may_help and self._has_retries():
                    return "again"
                return Ending("failed", datetime.now(UTC), error=error, out_of_retries=may_help)
            else:
                self.kept.keep("return value", value)
                self.kept.keep("XCom", self.ti.xcoms)
                return Ending("success", datetime.now(UTC), value=value)

    def _has_retries(self) -> bool:
        return self.ti.try_number <= self.ti.max_tries and self.ti.try_number < _MOST_TRIES

    def _on_worker(self, work: Callable[[SopsRunTaskOperator], Any]) -> Any:
        operator = SopsRunTaskOperator(
            task_id=self.ti.task_id,
            template_id=self.plan.flow.template_id,
            name=f"{self.plan.flow.name} {self.plan.name}",
            sops_conn_id=self._conn_id,
            poll_interval_seconds=POLL_INTERVAL_SECONDS,
            retries=self.plan.retries,
            on_node_failed=_called_for_a_person if self.plan.random_for("callback").random() < 0.5 else None,
            **self.plan.arguments,
        )
        # Airflow 3 logs by structlog; both versions keep the logger in one of these.
        operator._log = operator._cached_logger = _LOG  # type: ignore[assignment]
        self._operator = operator
        try:
            return work(operator)
        finally:
            self.kept.keep(
                "hook",
                vars(operator.hook.connection)
                if hasattr(operator.hook.connection, "__dict__")
                else operator.hook.connection,
            )
            operator.hook.close()
            self._operator = None

    def _may_happen(self, blow: Blow) -> bool:
        # A worker that dies in the last try leaves nobody behind who could do anything.
        return self._has_retries() if blow in ("killed", "terminated") else True

    def _strike_worker(self, blow: Blow) -> None:
        operator, self._operator = self._operator, None
        assert operator is not None
        self.blows += 1
        self.story.tell("worker", f"is struck: {blow}")
        if blow != "killed":
            self.ti.state = {"failed": "failed", "success": "success", "cleared": "restarting"}.get(blow, "running")
            # In the signal handler, as of a process that is to end.
            operator.on_kill()
        raise WorkerGoneError(blow)

    def _after_blow(self, blow: Blow) -> Ending | Literal["again", "cleared"]:
        if blow == "failed" or blow == "success":
            return Ending(blow, datetime.now(UTC), by_person=True)
        return "cleared" if blow == "cleared" else "again"

    def _in_triggerer(self, deferred: TaskDeferred) -> dict[str, Any] | Ending | Literal["again", "cleared"]:
        path, arguments = deferred.trigger.serialize()
        self._trigger_class = _TRIGGERS[path.rpartition(".")[2]]
        self.story.tell("airflow", f"deferred: {path.rpartition('.')[2]}")
        assert (deferred.method_name, deferred.timeout) == ("execute_complete", None)
        self.kept.keep("trigger kwargs", arguments)
        self.ti.state = "deferred"
        return asyncio.run(self._wait_in_triggerer(json.loads(json.dumps(arguments))))

    async def _wait_in_triggerer(
        self, arguments: dict[str, Any]
    ) -> dict[str, Any] | Ending | Literal["again", "cleared"]:
        async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
            trigger, waiting = self._start_trigger(arguments)
            while True:
                blow = self._triggerer_blows[0] if self._triggerer_blows else None
                done, _ = await asyncio.wait({waiting}, timeout=blow.after_seconds if blow else None)
                if done:
                    event: dict[str, Any] = json.loads(json.dumps(waiting.result().payload))
                    return event
                assert blow is not None
                self._triggerer_blows.pop(0)
                outcome = await self._strike_triggerer(blow, trigger, waiting)
                if outcome is not None:
                    return outcome
                trigger, waiting = self._start_trigger(arguments)

    def _start_trigger(self, arguments: dict[str, Any]) -> tuple[WaitingTrigger, asyncio.Task[Any]]:
        trigger = self._trigger_class(**arguments)
        trigger.task_instance = self.ti  # type: ignore[assignment]
        trigger._log = _LOG  # type: ignore[assignment]
        return trigger, asyncio.create_task(_first(trigger))

    async def _strike_triggerer(
        self, blow: TriggererBlow, trigger: WaitingTrigger, waiting: asyncio.Task[Any]
    ) -> Ending | Literal["cleared"] | None:
        self.blows += 1
        self.story.tell("triggerer", f"is struck: {blow.blow}")
        self.ti.state = {"failed": "failed", "success": "success", "cleared": "scheduled"}.get(blow.blow, "deferred")
        if AIRFLOW_V_3_3_PLUS and blow.blow != "killed":
            # Airflow 3.3 calls it for a hand-over to another triggerer too.
            await trigger.on_kill()
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        outcome = self._after_blow(blow.blow)
        return None if outcome == "again" else outcome


def _execute(operator: SopsRunTaskOperator, context: Context) -> Any:
    # Airflow wraps it in a guard that only its own task runner satisfies.
    return inspect.unwrap(SopsRunTaskOperator.execute)(operator, context)


async def _first(trigger: WaitingTrigger) -> Any:
    return await anext(aiter(trigger.run()))


def _called_for_a_person(context: Any) -> None:
    _LOG.info("on_node_failed: %s", context["exception"])


def recorded_state(ti: LivingTaskInstance) -> str | None:
    """Stand in for Airflow's own record of a task instance's state."""
    return ti.state

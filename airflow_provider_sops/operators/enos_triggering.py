"""One EnOS instance for one try of a task, whatever gets lost on the way.

EnOS makes a second instance when it is asked twice with a minute in between. So: look for an instance of the tries
before this one, trigger only where there is none that goes on or has succeeded, and look the instance up, instead of
asking again, where the trigger's answer was lost.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_sops.enos.calls import search_flow_instances
from airflow_provider_sops.enos.errors import EnosError, EnosTriggerRefusedError, EnosTriggerTimeTakenError
from airflow_provider_sops.enos.paging import Page
from airflow_provider_sops.enos.verdict import Verdict
from airflow_provider_sops.enos.wait_result import InstanceKind
from airflow_provider_sops.task_instance.instance_follower import look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import pendulum

    from airflow_provider_sops.enos.models import FlowInstance
    from airflow_provider_sops.enos.trigger_slots import TriggerSlots
    from airflow_provider_sops.hooks.enos import EnosHook
    from airflow_provider_sops.task_instance.log import TaskLog


#: Manual, temporary, periodic: as which of them EnOS lists what its API triggers is not documented.
_KINDS = (0, 2, 1)
#: How long, and how often, an instance is looked for whose trigger was not answered.
_LOOK_UP_SECONDS = 60.0
_LOOK_UP_PAUSE_SECONDS = 5.0


class FlowTriggering:
    """Finds or makes the flow instance that a try is about.

    :param hook: the connection to EnOS.
    :param slots: the trigger times of the task instance.
    :param success_statuses: the words of the statuses that count as success.
    :param send: sends one trigger with the given trigger time and returns the instance's id.
    """

    def __init__(
        self,
        hook: EnosHook,
        flow_id: int,
        slots: TriggerSlots,
        success_statuses: Collection[str],
        send: Callable[[pendulum.DateTime], str],
        log: TaskLog,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hook = hook
        self._flow_id = flow_id
        self._slots = slots
        self._success = frozenset(success_statuses)
        self._send = send
        self._log = log
        self._sleep = sleep
        self._clock = clock
        self._sent = False
        self.instance_id: str | None = None

    @property
    def may_be_running(self) -> bool:
        """Whether an instance of this try, or of one before it, may be running."""
        return self._sent or self.instance_id is not None or bool(self._slots.earlier_tries)

    def obtain(self) -> str:
        """Return the id of the instance: of an earlier try if it goes on or has succeeded, else of a new one.

        :raises EnosTriggerTimeTakenError: somebody else has made an instance for this trigger time.
        :raises EnosError: EnOS refuses, cannot be reached, or made no instance that can be found.
        """
        self.instance_id = self._of_earlier_try() or self._trigger()
        return self.instance_id

    def cancel_at_once(self) -> str | None:
        """Stop what may be running, in the few seconds before this process is killed, and return its id.

        :raises EnosError: it may still run.
        """
        instance_id = self.instance_id or (self._look_up_at_once() if self.may_be_running else None)
        if instance_id is not None:
            self._hook.call_at_once("cancel_flow_instance", flowInstId=instance_id)
        return instance_id

    def _of_earlier_try(self) -> str | None:
        for try_number in self._slots.earlier_tries:
            found = self._find(try_number)
            if found is None:
                continue
            snapshot = look_at(self._hook, InstanceKind.FLOW, found, self._log)
            is_over = snapshot.verdict in (Verdict.ENDED, Verdict.FAILED)
            if is_over and snapshot.status.value not in self._success:
                self._log.info("Instance %s of try %s ended as %s.", found, try_number, snapshot.status)
                return None
            self._log.info("Joining instance %s of try %s, which is %s.", found, try_number, snapshot.status)
            return found
        return None

    def _trigger(self) -> str:
        own = self._slots.own
        taken = self._find(self._slots.try_number)
        if taken is not None:
            raise self._taken(taken)
        self._sent = True
        try:
            return self._send(own)
        except EnosTriggerRefusedError as error:
            self._sent = False
            taken = self._find(self._slots.try_number)
            if taken is not None:
                raise self._taken(taken) from error
            raise
        except EnosError as error:
            if not error.outcome_unknown:
                self._sent = False
                raise
            self._log.warning("The answer to the trigger was lost, looking for the instance: %s", error)
            return self._look_up(error)

    def _look_up(self, error: EnosError) -> str:
        """Look for the instance of a trigger that was not answered; EnOS may need a moment to show it."""
        deadline: float | None = None
        while True:
            try:
                found = self._find(self._slots.try_number)
            except EnosError as failure:
                if not failure.is_outage:
                    raise
                found = None
            if found is not None:
                self._log.info("EnOS has instance %s for the trigger that was not answered.", found)
                return found
            # An outage of the search itself does not count.
            deadline = self._clock() + _LOOK_UP_SECONDS if deadline is None else deadline
            if self._clock() >= deadline:
                raise error
            self._sleep(_LOOK_UP_PAUSE_SECONDS)

    def _find(self, try_number: int) -> str | None:
        """Return the id of the flow's instance in the minute of a try."""
        begin, end = self._slots.window_of(try_number)
        for kind in _KINDS:
            instances = self._hook.find_flow_instances(
                kind, from_trigger_time=begin, to_trigger_time=end, expression=str(self._flow_id)
            )
            ours = sorted(instance.instance_id for instance in instances if self._is_of_flow(instance))
            if ours:
                return ours[-1]
        return None

    def _look_up_at_once(self) -> str | None:
        begin, _ = self._slots.window_of(self._slots.first_try)
        _, end = self._slots.window_of(self._slots.try_number)
        for kind in _KINDS:
            search = search_flow_instances(
                kind,
                from_trigger_time=begin,
                to_trigger_time=end,
                expression=str(self._flow_id),
                page=Page(0),
            )
            going_on = [
                instance.instance_id
                for instance in search.result(self._hook.call_at_once(search.api, **search.parameters))
                if self._is_of_flow(instance) and not instance.status.is_end
            ]
            if going_on:
                return max(going_on)
        return None

    def _is_of_flow(self, instance: FlowInstance) -> bool:
        """Whether an instance is the flow's: EnOS searches for parts of ids and names."""
        return instance.flow_id == self._flow_id or instance.instance_id.startswith(f"{self._flow_id}-")

    def _taken(self, instance_id: str) -> EnosTriggerTimeTakenError:
        return EnosTriggerTimeTakenError(
            f"flow {self._flow_id} has instance {instance_id} for the minute of the trigger time {self._slots.own}, "
            "which this task did not create",
            advice="EnOS runs a flow once in a minute: give each task that triggers it a trigger_time of its own.",
        )


def cancel_flow_instance(hook: EnosHook, flow_instance_id: str) -> None:
    """Stop an instance; one that has ended by itself meanwhile is no error.

    A second cancel does no harm, so one whose answer was lost is sent again, as long as the run bears an outage.

    :raises EnosError: if EnOS refuses or cannot be reached; then the instance may still run.
    """

    def cancel() -> None:
        try:
            hook.cancel_flow_instance(flow_instance_id)
        except EnosError as error:
            if error.is_outage or not hook.get_flow_instance(flow_instance_id).status.is_end:
                raise

    hook.bear("cancel_flow_instance", cancel)

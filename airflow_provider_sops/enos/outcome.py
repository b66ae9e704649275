"""What to tell people when an instance ended otherwise than well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.enos.errors import (
    EnosConnectionError,
    EnosError,
    EnosInstanceCancelledError,
    EnosInstanceFailedError,
    EnosNotFoundError,
)
from airflow_provider_sops.enos.models import InstanceStatus
from airflow_provider_sops.enos.models.status import END_WORDS
from airflow_provider_sops.enos.wait_result import InstanceKind, Outcome, WaitResult

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class NextSteps:
    """What a clear and a retry of the waiting Airflow task do, after each bad end of its wait; in whole sentences.

    :param failed: the instance ended with a status that does not count as success.
    :param stopped: somebody has stopped it.
    :param timed_out: the time allowed for the wait is over.
    :param unreachable: EnOS gave no answer for too long; the instance goes on.
    """

    failed: str
    stopped: str
    timed_out: str
    unreachable: str


#: Of a sensor, which never acts on what it waits for.
SENSOR_STEPS = NextSteps(
    failed="Run what failed again in EnOS, then clear this sensor: it waits for the same instance.",
    stopped="To run it anew, clear the Airflow task that has triggered it together with this sensor.",
    timed_out="Raise the sensor's timeout if it needs longer. A clear of this sensor waits again.",
    unreachable="A retry or a clear of this sensor waits again.",
)


def flow_steps(*, stops_when_out_of_time: bool) -> NextSteps:
    """Return what is true of the operator that triggers a flow.

    :param stops_when_out_of_time: whether the instance was stopped when its time was over.
    """
    anew = "A retry or a clear of this task triggers the flow anew."
    going_on = (
        "A retry of this task joins the instance, or takes it once it has succeeded; a clear triggers the flow anew "
        "and leaves this instance as it is."
    )
    longer = "Raise timeout_seconds, or execution_timeout, if it needs longer."
    return NextSteps(
        failed=f"{anew} An instance that goes on because somebody has run what failed again in EnOS is joined by a "
        "retry, not by a clear.",
        stopped="A clear of this task triggers the flow anew.",
        timed_out=f"It was stopped. {longer} {anew}" if stops_when_out_of_time else f"{longer} {going_on}",
        unreachable=going_on,
    )


def outcome_error(result: WaitResult, kind: InstanceKind, instance_id: str, steps: NextSteps) -> EnosError:
    """Return the error that a wait's result means, if it is not a success.

    :param steps: what can be done about it.
    """
    where = f"EnOS {kind} {instance_id}"
    if result.outcome == Outcome.ENDED and result.status == InstanceStatus.CANCEL:
        return EnosInstanceCancelledError(
            f"{where} was stopped in EnOS (CANCEL)",
            instance_id=instance_id,
            status=result.status,
            advice=steps.stopped,
        )
    if result.outcome == Outcome.ENDED:
        tasks = ", ".join(f"{task.label} ({task.instance_id}) {task.status}" for task in result.failed)
        told = "; ".join(filter(None, (f"task {tasks}" if tasks else "", result.reason)))
        return EnosInstanceFailedError(
            f"{where} ended as {result.status}{f': {told}' if told else ''}",
            instance_id=instance_id,
            status=result.status,
            advice=f"Its logs, where EnOS has any, are above. {steps.failed}",
        )
    if result.outcome == Outcome.UNREADABLE:
        return EnosNotFoundError(
            f"{where} cannot be read: {result.reason}",
            advice="Check the id, and user_id and org_id of the connection.",
        )
    if result.outcome == Outcome.UNREACHABLE:
        return EnosConnectionError(
            f"{where} cannot be followed: {result.reason}",
            advice=f"The instance itself goes on in EnOS. {steps.unreachable}",
        )
    return EnosError(
        f"{where} is still {result.status or 'without an answer'} after the time allowed for it",
        advice=steps.timed_out,
    )


def read_success_statuses(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that count as success.

    :raises ValueError: a word is none that an instance can end with, or there is none.
    """
    known = tuple(str(word).upper() for word in ([words] if isinstance(words, str) else words))
    if not known or not set(known) <= set(END_WORDS):
        raise ValueError(f"success_statuses is {words!r}; it must be some of {', '.join(END_WORDS)}")
    return known

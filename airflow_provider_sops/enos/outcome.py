"""The error for an instance that did not end successfully."""

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
    """What a clear and a retry of the waiting Airflow task do after each unsuccessful outcome, in whole sentences.

    :param failed: the instance ended in a status that does not count as success.
    :param stopped: someone stopped it.
    :param timed_out: the wait timed out.
    :param unreachable: EnOS did not answer for too long; the instance continues.
    """

    failed: str
    stopped: str
    timed_out: str
    unreachable: str


#: For a sensor, which never changes what it waits for.
SENSOR_STEPS = NextSteps(
    failed="Rerun the failed tasks in EnOS, then clear this sensor: it waits for the same instance.",
    stopped="To run it again, clear the Airflow task that triggered it together with this sensor.",
    timed_out="Raise the sensor's timeout if it needs longer. Clear this sensor to wait again.",
    unreachable="Retry or clear this sensor to wait again.",
)


def flow_steps(*, stops_when_out_of_time: bool) -> NextSteps:
    """Return the steps for the operator that triggers a flow.

    :param stops_when_out_of_time: whether the instance was stopped after the timeout.
    """
    again = "A retry or a clear of this task triggers the flow again."
    going_on = (
        "A retry of this task joins the instance, or takes over its result if it has succeeded; a clear triggers the "
        "flow again and leaves this instance alone."
    )
    longer = "Raise timeout_seconds, or execution_timeout, if it needs longer."
    return NextSteps(
        failed=f"{again} If someone reran the failed tasks in EnOS, the instance that continues is joined by a "
        "retry, not by a clear.",
        stopped="A clear of this task triggers the flow again.",
        timed_out=f"It was stopped. {longer} {again}" if stops_when_out_of_time else f"{longer} {going_on}",
        unreachable=going_on,
    )


def outcome_error(result: WaitResult, kind: InstanceKind, instance_id: str, steps: NextSteps) -> EnosError:
    """Return the error for a wait's result, which must not be a success.

    :param steps: advice for the error.
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
            advice=f"Its logs, if EnOS has any, are above. {steps.failed}",
        )
    if result.outcome == Outcome.UNREADABLE:
        return EnosNotFoundError(
            f"{where} cannot be read: {result.reason}",
            advice="Check the id, and user_id and org_id of the connection.",
        )
    if result.outcome == Outcome.UNREACHABLE:
        return EnosConnectionError(
            f"{where} cannot be followed: {result.reason}",
            advice=f"The instance itself continues in EnOS. {steps.unreachable}",
        )
    return EnosError(
        f"{where} is still {result.status or 'without an answer'} after the time allowed for it",
        advice=steps.timed_out,
    )


def read_success_statuses(words: Sequence[str]) -> tuple[str, ...]:
    """Return the statuses that count as success.

    :raises ValueError: a status is not a final one, or the list is empty.
    """
    known = tuple(str(word).upper() for word in ([words] if isinstance(words, str) else words))
    if not known or not set(known) <= set(END_WORDS):
        raise ValueError(f"success_statuses is {words!r}; it must contain only: {', '.join(END_WORDS)}")
    return known

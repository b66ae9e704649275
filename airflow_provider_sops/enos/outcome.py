"""What to tell people when an instance ended otherwise than well."""

from __future__ import annotations

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
from airflow_provider_sops.enos.waiting import InstanceKind, Outcome, WaitResult

if TYPE_CHECKING:
    from collections.abc import Sequence


def outcome_error(result: WaitResult, kind: InstanceKind, instance_id: str) -> EnosError:
    """Return the error that a wait's result means, if it is not a success."""
    where = f"EnOS {kind} {instance_id}"
    if result.outcome == Outcome.ENDED and result.status == InstanceStatus.CANCEL:
        return EnosInstanceCancelledError(
            f"{where} was stopped in EnOS (CANCEL)",
            instance_id=instance_id,
            status=result.status,
            advice="Clear this task to run it anew.",
        )
    if result.outcome == Outcome.ENDED:
        tasks = ", ".join(f"{task.label} ({task.instance_id}) {task.status}" for task in result.failed)
        told = "; ".join(filter(None, (f"task {tasks}" if tasks else "", result.reason)))
        return EnosInstanceFailedError(
            f"{where} ended as {result.status}{f': {told}' if told else ''}",
            instance_id=instance_id,
            status=result.status,
            advice="Its logs, where EnOS has any, are above.",
        )
    if result.outcome == Outcome.UNREADABLE:
        return EnosNotFoundError(
            f"{where} cannot be read: {result.reason}",
            advice="Check the id, and user_id and org_id of the connection.",
        )
    if result.outcome == Outcome.UNREACHABLE:
        return EnosConnectionError(
            f"{where} cannot be followed: {result.reason}", advice="The instance itself goes on in EnOS."
        )
    return EnosError(
        f"{where} is still {result.status or 'without an answer'} after the time allowed for it",
        advice="Raise the time allowed for it if it needs longer.",
    )


def read_success_statuses(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that count as success.

    :raises ValueError: a word is none that an instance can end with, or there is none.
    """
    known = tuple(str(word).upper() for word in ([words] if isinstance(words, str) else words))
    if not known or not set(known) <= set(END_WORDS):
        raise ValueError(f"success_statuses is {words!r}; it must be some of {', '.join(END_WORDS)}")
    return known

"""Read how a wait ended from the event that a trigger sent, perhaps one of another version of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sops.service.reading import read_mapping, read_text

if TYPE_CHECKING:
    from enum import StrEnum

    from airflow_provider_sops.service.errors import InvalidParameterError, ServiceError

OutcomeT = TypeVar("OutcomeT", bound="StrEnum")


def read_outcome(
    event: Any,
    outcomes: type[OutcomeT],
    what: str,
    *,
    invalid: type[InvalidParameterError],
    unknown: type[ServiceError],
) -> OutcomeT:
    """Return the outcome of a wait.

    :param event: what the trigger sent.
    :param outcomes: the outcomes that this version knows.
    :param what: what was waited for, for the error.
    :param invalid: raised if the event has no outcome.
    :param unknown: raised if the triggerer is newer than this worker and sent an outcome that it does not know.
    """
    word = read_text(read_mapping(event).get("outcome"))
    if not word:
        raise invalid(
            f"a trigger sent an event that says nothing about {what}: {event!r}",
            advice="Check that worker and triggerer run the same version of airflow-provider-sops.",
        )
    try:
        return outcomes(word)
    except ValueError:
        raise newer_triggerer(word, unknown) from None


def newer_triggerer(outcome: str, error: type[ServiceError]) -> ServiceError:
    """Return the error of a worker that is older than the triggerer; a retry on a newer worker goes on with the wait.

    :param outcome: the word that the worker does not know.
    :param error: the error's class.
    """
    return error(
        f"the wait ended with the outcome {outcome!r}, which this version of airflow-provider-sops does not know: the "
        "triggerer runs a newer one than this worker",
        advice="Upgrade airflow-provider-sops on the workers, then let this task be retried or clear it.",
    )
